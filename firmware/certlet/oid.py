"""Object identifiers as the DER bytes that stand on the wire: tag, length, content.

A reader compares `r.element(6)` with one of these; a writer copies it. Sources:
RFC 5280 app. A (X.509), RFC 5480 (EC keys), RFC 3279 / 5758 / 8410 (signatures),
RFC 4055 / 5754 (digests), RFC 4210 app. F and RFC 9810 (CMP), RFC 4211 (CRMF).
"""

# attributes of a name: 2.5.4.x, RFC 4519, RFC 5280 app. A.1
AT_CN = b"\x06\x03\x55\x04\x03"
AT_SERIAL_NUMBER = b"\x06\x03\x55\x04\x05"
AT_C = b"\x06\x03\x55\x04\x06"
AT_L = b"\x06\x03\x55\x04\x07"
AT_ST = b"\x06\x03\x55\x04\x08"
AT_O = b"\x06\x03\x55\x04\x0a"
AT_OU = b"\x06\x03\x55\x04\x0b"
AT_DC = b"\x06\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"
AT_EMAIL = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"

# certificate extensions: 2.5.29.x
CE_SKI = b"\x06\x03\x55\x1d\x0e"
CE_KEY_USAGE = b"\x06\x03\x55\x1d\x0f"
CE_REASON_CODE = b"\x06\x03\x55\x1d\x15"
CE_SAN = b"\x06\x03\x55\x1d\x11"
CE_BASIC_CONSTRAINTS = b"\x06\x03\x55\x1d\x13"
CE_AKI = b"\x06\x03\x55\x1d\x23"
CE_EKU = b"\x06\x03\x55\x1d\x25"
EXTENSION_REQUEST = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e"
CHALLENGE_PASSWORD = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07"

# keys and curves
EC_PUBLIC_KEY = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
CURVE_P256 = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
CURVE_P384 = b"\x06\x05\x2b\x81\x04\x00\x22"
RSA_ENCRYPTION = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"

# signatures
ECDSA_SHA256 = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
ECDSA_SHA384 = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"
ECDSA_SHA512 = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04"
RSA_SHA256 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
RSA_SHA384 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"
RSA_SHA512 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"
RSASSA_PSS = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
MGF1 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"
ED25519 = b"\x06\x03\x2b\x65\x70"

# digests and MACs
SHA1 = b"\x06\x05\x2b\x0e\x03\x02\x1a"
SHA256 = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"
SHA384 = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02"
SHA512 = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03"
HMAC_SHA1 = b"\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x07"
HMAC_SHA1_IPSEC = b"\x06\x08\x2b\x06\x01\x05\x05\x08\x01\x02"
HMAC_SHA256 = b"\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x09"
HMAC_SHA384 = b"\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x0a"
HMAC_SHA512 = b"\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x0b"

# CMP
# id-it 1.3.6.1.5.5.7.4.x, id-regCtrl ...7.5.1.x, id-regInfo ...7.5.2.x: the number is the last octet
PASSWORD_BASED_MAC = b"\x06\x09\x2a\x86\x48\x86\xf6\x7d\x07\x42\x0d"
IT_IMPLICIT_CONFIRM = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x04\x0d"
PBMAC1 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0e"
PBKDF2 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c"
_IT = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x04"
IT_CERT_PROFILE = _IT + b"\x15"
_REG_CTRL = b"\x06\x09\x2b\x06\x01\x05\x05\x07\x05\x01"
REG_TOKEN = _REG_CTRL + b"\x01"
AUTHENTICATOR = _REG_CTRL + b"\x02"
OLD_CERT_ID = _REG_CTRL + b"\x05"
ALG_ID = _REG_CTRL + b"\x0b"
RSA_KEY_LEN = _REG_CTRL + b"\x0c"
ON_HARDWARE_MODULE_NAME = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x04"
KP_CMC_CA = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x1b"
KP_CMC_RA = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x1c"
KP_CM_KGA = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x20"


def info_type(number):
    """The whole OID id-it `number`, 1.3.6.1.5.5.7.4.x (RFC 9810 app. F)."""
    return _IT + bytes([number])


def from_text(text):
    """The whole OID written as 1.2.840.x; ValueError if it is none."""
    arcs = [int(arc) for arc in text.split(".")]
    if len(arcs) < 2 or arcs[0] > 2 or (arcs[0] < 2 and arcs[1] > 39) or min(arcs) < 0:
        raise ValueError
    content = bytearray()
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        octets = [arc & 0x7F]
        while arc > 127:
            arc >>= 7
            octets.insert(0, arc & 0x7F | 0x80)
        content.extend(bytes(octets))
    if len(content) > 127:
        raise ValueError
    return b"\x06" + bytes([len(content)]) + bytes(content)


def to_text(der):
    """The dotted form of a whole OID that a Reader has checked."""
    arcs = []
    arc = 0
    for octet in bytes(der)[2:]:
        arc = arc << 7 | octet & 0x7F
        if octet < 128:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join([str(arc) for arc in [first, arcs[0] - 40 * first] + arcs[1:]])
