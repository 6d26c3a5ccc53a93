"""CMS (RFC 5652) for enrolment: EnvelopedData and SignedData both ways, key packages, and a way in for BER."""
