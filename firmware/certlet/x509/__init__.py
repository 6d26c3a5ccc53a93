"""X.509: names, keys, PKCS#10 requests, certificates and chains (RFC 5280, 2986, 5480)."""
