"""PKIStatusInfo: what a CA answers, RFC 9810 section 5.2.3."""

from micropython import const

# PKIStatus
ACCEPTED = const(0)
GRANTED_WITH_MODS = const(1)
REJECTION = const(2)
WAITING = const(3)
REVOCATION_WARNING = const(4)
REVOCATION_NOTIFICATION = const(5)
KEY_UPDATE_WARNING = const(6)

# with a certificate: it is ours; the last two are warnings that another one is or will be revoked
GRANTED = (ACCEPTED, GRANTED_WITH_MODS, REVOCATION_WARNING, REVOCATION_NOTIFICATION)

# PKIFailureInfo, as masks: our protection does not verify at the CA
BAD_MESSAGE_CHECK = const(0x02)
CERT_CONFIRMED = const(0x800)  # the certificate is confirmed already
# what we send: not the certificate that we asked for, or none that we can read
INCORRECT_DATA = const(0x80)
BAD_DATA_FORMAT = const(0x20)

_SEQUENCE = const(0x30)
_INTEGER = const(0x02)
_BIT_STRING = const(0x03)
_TEXT_LIMIT = const(256)  # octets kept of all statusStrings together: a line on a screen


def fail_names(mask):
    """The names of the PKIFailureInfo bits in `mask`, as a list; a bit without a name is shown as its number."""
    names = (
        "badAlg badMessageCheck badRequest badTime badCertId badDataFormat wrongAuthority incorrectData "
        "missingTimeStamp badPOP certRevoked certConfirmed wrongIntegrity badRecipientNonce timeNotAvailable "
        "unacceptedPolicy unacceptedExtension addInfoNotAvailable badSenderNonce badCertTemplate signerNotTrusted "
        "transactionIdInUse unsupportedVersion notAuthorized systemUnavail systemFailure duplicateCertReq"
    ).split()
    out = []
    i = 0
    while mask:
        if mask & 1:
            out.append(names[i] if i < len(names) else str(i))
        mask >>= 1
        i += 1
    return out


def read_status(r):
    """The PKIStatusInfo that comes next in a Reader: (status, failInfo as a bit mask, text).

    PKIStatusInfo ::= SEQUENCE { status INTEGER, statusString PKIFreeText OPTIONAL, failInfo BIT STRING OPTIONAL }
    """
    end = r.enter(_SEQUENCE)
    status = r.integer()
    text = read_free_text(r) if r.peek() == _SEQUENCE else ""
    fail_info = r.named_bits() if r.peek() == _BIT_STRING else 0
    r.leave(end)
    return status, fail_info, text


def read_free_text(r):
    """PKIFreeText ::= SEQUENCE SIZE (1..MAX) OF UTF8String, as one str, cut off at 256 octets."""
    end = r.enter(_SEQUENCE)
    parts = []
    left = _TEXT_LIMIT
    while r.more():
        part = r.utf8(left)
        left -= len(part.encode())
        if part:
            parts.append(part)
    r.leave(end)
    return "; ".join(parts)


def write_status(w, status, fail_info=0, text=None):
    """Append a PKIStatusInfo; `fail_info` is a bit mask."""
    m = w.open(_SEQUENCE)
    w.integer(status)
    if text:
        a = w.open(_SEQUENCE)
        w.utf8(text)
        w.close(a)
    if fail_info:
        w.named_bits(fail_info)
    w.close(m)
