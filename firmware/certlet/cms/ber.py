"""Turns BER (X.690 section 8) into DER that the strict readers take: for peers of SCEP, who often write BER.

Lengths become definite and minimal, an OCTET STRING in pieces becomes whole, also as CMS's encryptedContent. All else
stays: what is DER already comes out octet for octet, so signatures over it still hold. Nothing recurses.
"""

from micropython import const

from ..der import Writer
from ..errors import ProtocolError

_BER_TRUNCATED = const(371)
_BER_FORMAT = const(372)
_BER_DEPTH = const(373)
_BER_LIMIT = const(374)

_OCTETS = const(0x04)
_PIECES = const(0x24)
_SEQUENCE = const(0x30)
_OID = const(0x06)
_CONSTRUCTED = const(0x20)
_ENCRYPTED_PIECES = const(0xA0)
_ENCRYPTED = const(0x80)
_INDEFINITE = const(-1)

_MAX_DEPTH = const(24)
_MAX_SIZE = const(32768)

# fields of a frame, an element that has been entered
_MARK = const(0)
_END = const(1)
_STRING = const(2)  # is it an OCTET STRING, whose pieces are put together?
_FIRST = const(3)  # tags of its first two elements, 0 while there are none
_SECOND = const(4)


def to_der(data, limit=_MAX_SIZE):
    """One element in BER, all of `data`, as DER (bytes).

    ProtocolError: BER_TRUNCATED, BER_FORMAT for what is not BER or stands behind it, BER_DEPTH, BER_LIMIT by `limit`.
    """
    if len(data) > limit:
        raise ProtocolError(_BER_LIMIT, len(data))
    mv = memoryview(data)
    w = Writer(len(data) + 4, len(data) + 4)
    stack = []
    pos = 0
    while True:
        pos = _close_ended(mv, pos, w, stack)
        if not stack and pos:
            break
        pos = _step(mv, pos, w, stack)
    if pos != len(mv):
        raise ProtocolError(_BER_FORMAT, len(mv) - pos)
    return w.bytes()


def _close_ended(mv, pos, w, stack):
    """Leave the elements that end at `pos`; the position behind their end-of-contents octets."""
    while stack:
        frame = stack[-1]
        if frame[_END] != _INDEFINITE:
            if pos != frame[_END]:
                break
        elif bytes(mv[pos : pos + 2]) == b"\0\0":
            pos += 2
        else:
            break
        if frame[_MARK] is not None:
            w.close(frame[_MARK])
        stack.pop()
    return pos


def _header(mv, pos):
    """(tag, position of the content, its end or _INDEFINITE) of the element at `pos`.

    It may reach beyond the element around it: then that one's end is stepped over, never met, and the octets run out.
    """
    if pos + 2 > len(mv):
        raise ProtocolError(_BER_TRUNCATED, pos)
    tag = mv[pos]
    length = mv[pos + 1]
    pos += 2
    if tag & 0x1F == 0x1F or tag == 0:
        raise ProtocolError(_BER_FORMAT, tag)
    if length == 0x80:
        if not tag & _CONSTRUCTED:
            raise ProtocolError(_BER_FORMAT, tag)
        return tag, pos, _INDEFINITE
    if length & 0x80:
        count = length & 0x7F
        if count > 4:
            raise ProtocolError(_BER_FORMAT, tag)
        length = int.from_bytes(mv[pos : pos + count], "big")
        pos += count
    if pos + length > len(mv):
        raise ProtocolError(_BER_TRUNCATED, pos)
    return tag, pos, pos + length


def _step(mv, pos, w, stack):
    """Copy the primitive element at `pos`, or enter the constructed one; the position from which to go on."""
    parent = stack[-1] if stack else None
    tag, start, end = _header(mv, pos)
    pieces = parent is not None and parent[_STRING]
    if pieces and tag not in (_OCTETS, _PIECES):
        raise ProtocolError(_BER_FORMAT, tag)
    if not tag & _CONSTRUCTED:
        if pieces:
            w.raw(mv[start:end])
        else:
            w.tlv(tag, mv[start:end])
        _note(parent, tag)
        return end
    if len(stack) == _MAX_DEPTH:
        raise ProtocolError(_BER_DEPTH, len(stack))
    if tag == _PIECES:
        frame = [None if pieces else w.open(_OCTETS), end, True, 0, 0]
    elif _is_encrypted(parent, tag, mv, start, end):
        frame = [w.open(_ENCRYPTED), end, True, 0, 0]
    else:
        frame = [w.open(tag), end, False, 0, 0]
    _note(parent, tag)
    stack.append(frame)
    return start


def _note(parent, tag):
    """Remember the first two tags within an element."""
    if parent is not None:
        if not parent[_FIRST]:
            parent[_FIRST] = tag
        elif not parent[_SECOND]:
            parent[_SECOND] = tag


def _is_encrypted(parent, tag, mv, start, end):
    """Is this encryptedContent [0] IMPLICIT OCTET STRING in pieces, EncryptedContentInfo of RFC 5652 6.1?

    It follows an OBJECT IDENTIFIER and a SEQUENCE; eContent [0] EXPLICIT follows the OBJECT IDENTIFIER itself.
    """
    if tag != _ENCRYPTED_PIECES or parent is None or (parent[_FIRST], parent[_SECOND]) != (_OID, _SEQUENCE):
        return False
    return start == end or bytes(mv[start : start + 1]) in (b"\x04", b"\x24", b"\x00")
