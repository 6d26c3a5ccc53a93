"""CMP, the Certificate Management Protocol: RFC 4210, RFC 9810, RFC 4211, profile RFC 9483."""
