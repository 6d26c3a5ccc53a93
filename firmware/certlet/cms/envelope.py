"""Opens EnvelopedData (RFC 5652 section 6): one recipient is chosen by what is in the clear, then tried once.

All of the structure is read before anything is decrypted. From there on there is one error, CMS_DECRYPT, whatever
went wrong: who sees different ones can decrypt by asking (Bleichenbacher 1998, Vaudenay 2002).
"""

from micropython import const

from ..errors import CryptoError, ProtocolError, Unsupported
from . import content

_CMS_RECIPIENT = const(353)
_CMS_PARAMETER = const(355)
_CMS_DECRYPT = const(356)
_CMS_LIMIT = const(357)

_SEQUENCE = const(0x30)
_SET = const(0x31)
_ORIGINATOR_INFO = const(0xA0)
_ENCRYPTED_CONTENT = const(0x80)
_UNPROTECTED = const(0xA1)
_KEY_TRANSPORT = const(0x30)
_KEY_AGREEMENT = const(0xA1)
_PASSWORD = const(0xA3)

_MAX_RECIPIENTS = const(8)
_BLOCK = const(16)


def open_enveloped(crypto, view, key=None, secret=None, certificate=None, tag=_SEQUENCE):
    """Decrypt EnvelopedData: (content type as whole OID, content as bytes).

    `view` is the EnvelopedData itself, its tag replaced by `tag`: 0xA0 in CMP's EncryptedKey. `key` with the
    Certificate that it belongs to opens key transport (RSA) and key agreement (ECDH); without `certificate`, as when
    the certificate itself is what is encrypted (RFC 9810 5.2.8.3.2), there must be one recipient only. `secret`
    (bytes) opens password recipients. Errors: ProtocolError for what is malformed or too large, CMS_RECIPIENT when
    nothing is addressed to us; Unsupported; CryptoError CMS_DECRYPT for all else.

    EnvelopedData ::= SEQUENCE { version, originatorInfo [0] OPTIONAL, recipientInfos SET OF RecipientInfo,
                                 encryptedContentInfo, unprotectedAttrs [1] OPTIONAL }   RFC 5652 6.1
    """
    r, end = content.enter(view, tag)
    content.read_version(r, 0, 2, 3, 4)
    if r.peek() == _ORIGINATOR_INFO:
        r.element()
    recipient = _choose(_read_recipients(r), key, secret, certificate)
    content_type, size, iv, data = _read_content(r)
    if r.peek() == _UNPROTECTED:
        r.element()
    r.leave(end)
    r.finish()
    return content_type, _decrypt(crypto, recipient, size, iv, data)


def _read_recipients(r):
    """The RecipientInfos as whole elements."""
    end = r.enter(_SET)
    out = []
    while r.more():
        out.append(r.element())
        if len(out) > _MAX_RECIPIENTS:
            raise ProtocolError(_CMS_LIMIT, len(out))
    r.leave(end)
    return out


def _choose(views, key, secret, certificate):
    """The one recipient to try, by kind and identifier alone: to try several would be an oracle (CVE-2026-42768)."""
    for view in views:
        kind = view[0]
        recipient = None
        if kind == _PASSWORD and secret is not None:
            from .password import PasswordRecipient

            recipient = PasswordRecipient(view, secret)
        elif kind in (_KEY_TRANSPORT, _KEY_AGREEMENT) and key is not None:
            if certificate is None and len(views) > 1:
                break
            from . import recipient as kinds

            make = kinds.transported if kind == _KEY_TRANSPORT else kinds.agreed
            recipient = make(view, key, certificate)
        if recipient:
            return recipient
    raise ProtocolError(_CMS_RECIPIENT, len(views))


def _read_content(r):
    """(content type, octets of the key, IV, encrypted octets).

    EncryptedContentInfo ::= SEQUENCE { contentType, contentEncryptionAlgorithm, encryptedContent [0] OPTIONAL }
    """
    end = r.enter(_SEQUENCE)
    content_type = r.oid()
    size, iv = content.read_cbc(r.element(_SEQUENCE))
    data = r.octets(_ENCRYPTED_CONTENT)
    r.leave(end)
    if not len(data) or len(data) % _BLOCK:
        raise ProtocolError(_CMS_PARAMETER, len(data))
    return content_type, size, iv, data


def _decrypt(crypto, recipient, size, iv, data):
    try:
        key = recipient.content_key(crypto, size)
        if len(key) != size:
            raise CryptoError(_CMS_DECRYPT)
        return _unpad(crypto.aes_cbc(key, iv, data, False))
    except Unsupported:
        raise
    except CryptoError:
        raise CryptoError(_CMS_DECRYPT)


def _unpad(data):
    """`data` without its 1 to 16 octets of padding, each their number (RFC 5652 6.3); all 16 are looked at, always."""
    count = data[-1]
    bad = count == 0 or count > _BLOCK
    for i in range(1, _BLOCK + 1):
        bad |= (i <= count) & (data[-i] != count)
    if bad:
        raise CryptoError(_CMS_DECRYPT)
    return data[:-count]
