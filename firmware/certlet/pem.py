"""PEM text (RFC 7468) to DER and back."""

from binascii import a2b_base64, b2a_base64

from micropython import const

from .errors import ProtocolError

_PEM_FORMAT = const(111)


def decode(text, label):
    """Return the DER of the first block with `label`, e.g. "CERTIFICATE"; see `decode_all`."""
    return decode_all(text, label)[0]


def decode_all(text, label):
    """Return the DER of every block with `label`, at least one, in `text` (str or bytes).

    Text around the blocks and blocks with other labels are skipped.
    Raises ProtocolError PEM_FORMAT: no such block, no end, or anything in it but canonical base64.
    """
    if not isinstance(text, str):
        try:
            text = bytes(text).decode()
        except ValueError:
            raise ProtocolError(_PEM_FORMAT)
    begin, end = "-----BEGIN " + label + "-----", "-----END " + label + "-----"
    found = []
    lines = None  # those of the open block
    for raw in text.split("\n"):
        line = raw.strip()
        if line == begin and lines is None:
            lines = []
        elif lines is None:
            continue
        elif line == end:
            found.append(_octets("".join(lines)))
            lines = None
        else:
            lines.append(line)
    if lines is not None or not found:
        raise ProtocolError(_PEM_FORMAT)
    return found


def encode(der, label):
    """Return `der` as a PEM block with lines of 64 characters."""
    text = b2a_base64(der).decode().strip()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "-----BEGIN " + label + "-----\n" + "\n".join(lines) + "\n-----END " + label + "-----\n"


def _octets(text):
    """Decode base64 strictly: binascii skips what it does not know, so what it made must encode to the same text."""
    try:
        der = a2b_base64(text)
    except ValueError:
        raise ProtocolError(_PEM_FORMAT)
    if not der or b2a_base64(der).decode().strip() != text:
        raise ProtocolError(_PEM_FORMAT)
    return der
