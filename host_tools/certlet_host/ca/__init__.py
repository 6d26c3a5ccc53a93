"""The lab CA: certificates for boards on the bench, asked for by CMP (RFC 9810) over HTTP (RFC 9811).

It is made for development and tests, listens on the loopback interface only, and can be told to misbehave
(see `provoke`). Its codec is pyasn1; it shares no code with the device.
"""
