"""DER (X.690) both ways: the only module that knows how a length is written.

Writer fills one growing buffer from front to back; `open` and `close` bracket a
constructed element. Reader is a cursor over a memoryview; `enter` and `leave`
bracket one. A Reader accepts DER only: definite minimal lengths, single-byte
tags, minimal integers, and nothing left over where an element ends.
"""

from micropython import const

from .errors import ProtocolError

_DER_TRUNCATED = const(101)
_DER_TAG = const(102)
_DER_LENGTH = const(103)
_DER_TRAILING = const(104)
_DER_DEPTH = const(105)
_DER_VALUE = const(106)
_DER_OVERFLOW = const(107)

_BOOLEAN = const(0x01)
_INTEGER = const(0x02)
_BIT_STRING = const(0x03)
_OCTET_STRING = const(0x04)
_NULL = const(0x05)
_OID = const(0x06)
_UTF8 = const(0x0C)

_MAX_DEPTH = const(16)  # a PKIMessage needs 8 levels down to its certificate
_MAX_INTEGER = const(8)  # octets; serial numbers and nonces are never turned into numbers
_MAX_BITS = const(17)  # octets of a named bit list: PKIFailureInfo has 27 bits, RFC 9810 5.2.3, and may get more


def header(tag, length):
    """Tag and length of an element whose content, of up to 65535 octets, stands elsewhere."""
    if length < 128:
        return bytes([tag, length])
    if length < 256:
        return bytes([tag, 0x81, length])
    return bytes([tag, 0x82, length >> 8, length & 0xFF])


class Writer:
    """Writes DER into one buffer that grows up to `limit` octets."""

    def __init__(self, size=512, limit=16384):
        self.buf = bytearray(size)
        self.n = 0
        self.limit = limit

    def _room(self, count):
        """Make room for `count` more octets; ProtocolError DER_OVERFLOW beyond the limit."""
        need = self.n + count
        size = len(self.buf)
        if need <= size:
            return
        if need > self.limit:
            raise ProtocolError(_DER_OVERFLOW, need)
        while size < need:
            size *= 2
        grown = bytearray(min(size, self.limit))
        memoryview(grown)[: self.n] = memoryview(self.buf)[: self.n]
        self.buf = grown

    def open(self, tag):
        """Start a constructed element; give what it returns to `close`."""
        self._room(2)
        self.buf[self.n] = tag
        self.n += 2
        return self.n

    def close(self, mark):
        """End the element that `open` started: write its length, moving the content if it is long."""
        length = self.n - mark
        if length < 128:
            self.buf[mark - 1] = length
            return
        extra = 1 if length < 256 else 2  # the limit keeps lengths below 65536
        self._room(extra)
        mv = memoryview(self.buf)
        mv[mark + extra : self.n + extra] = mv[mark : self.n]
        self.buf[mark - 1] = 0x80 | extra
        self.buf[mark + extra - 1] = length & 0xFF
        if extra == 2:
            self.buf[mark] = length >> 8
        self.n += extra

    def raw(self, der):
        """Append octets that are DER already."""
        n = len(der)
        self._room(n)
        memoryview(self.buf)[self.n : self.n + n] = der
        self.n += n

    def tlv(self, tag, data):
        """Append a primitive element."""
        mark = self.open(tag)
        self.raw(data)
        self.close(mark)

    def integer(self, n, tag=_INTEGER):
        """Append an INTEGER (or ENUMERATED) from a number of any sign."""
        size = 1
        while not -(1 << (8 * size - 1)) <= n < 1 << (8 * size - 1):
            size += 1
        self.tlv(tag, (n & ((1 << (8 * size)) - 1)).to_bytes(size, "big"))

    def unsigned(self, data):
        """Append an INTEGER from big-endian octets taken as a non-negative number."""
        i = 0
        while i < len(data) - 1 and data[i] == 0:
            i += 1
        mark = self.open(_INTEGER)
        if data[i] & 0x80:
            self.raw(b"\0")
        self.raw(memoryview(data)[i:])
        self.close(mark)

    def boolean(self, value):
        """Append a BOOLEAN."""
        self.tlv(_BOOLEAN, b"\xff" if value else b"\0")

    def null(self):
        """Append NULL."""
        self.raw(b"\x05\0")

    def octets(self, data):
        """Append an OCTET STRING."""
        self.tlv(_OCTET_STRING, data)

    def bits(self, data, tag=_BIT_STRING):
        """Append a BIT STRING of whole octets."""
        mark = self.open(tag)
        self.raw(b"\0")
        self.raw(data)
        self.close(mark)

    def named_bits(self, mask, tag=_BIT_STRING):
        """Append a named bit list: bit i of `mask` is bit i of the list; trailing zero bits go, X.690 11.2.2."""
        data = bytearray(1)
        i = 0
        while mask:
            if i % 8 == 0:
                data.append(0)
            if mask & 1:
                data[-1] |= 0x80 >> (i & 7)
                data[0] = 7 - (i & 7)
            mask >>= 1
            i += 1
        self.tlv(tag, data)

    def utf8(self, text, tag=_UTF8):
        """Append a UTF8String (or another string type by its tag) from str."""
        self.tlv(tag, text.encode())

    def view(self, start=0):
        """What was written from `start` on, as a memoryview: use it before the next write."""
        return memoryview(self.buf)[start : self.n]

    def bytes(self):
        """A copy of all that was written."""
        return bytes(self.view())


class Reader:
    """A strict cursor over DER octets. Every method raises ProtocolError on what is not DER."""

    def __init__(self, data):
        self.mv = memoryview(data)
        self.pos = 0
        self.end = len(data)
        self.depth = 0

    def more(self):
        """Is anything left in the current element?"""
        return self.pos < self.end

    def peek(self):
        """The next tag, or -1 at the end of the current element."""
        return self.mv[self.pos] if self.pos < self.end else -1

    def _header(self, tag):
        """Step over tag and length; returns the position behind the content."""
        pos = self.pos
        if pos + 2 > self.end:
            raise ProtocolError(_DER_TRUNCATED, tag)
        found = self.mv[pos]
        if (tag is not None and found != tag) or found & 0x1F == 0x1F:
            raise ProtocolError(_DER_TAG, found)
        length = self.mv[pos + 1]
        pos += 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 3:
                raise ProtocolError(_DER_LENGTH, length)
            if pos + count > self.end:
                raise ProtocolError(_DER_TRUNCATED, found)
            length = 0
            for _ in range(count):
                length = length << 8 | self.mv[pos]
                pos += 1
            if length < 128 or length >> (8 * (count - 1)) == 0:
                raise ProtocolError(_DER_LENGTH, length)
        if pos + length > self.end:
            raise ProtocolError(_DER_TRUNCATED, found)
        self.pos = pos
        return pos + length

    def enter(self, tag):
        """Step into a constructed element; give what it returns to `leave`."""
        end = self._header(tag)
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ProtocolError(_DER_DEPTH, self.depth)
        outer = self.end
        self.end = end
        return outer

    def leave(self, outer):
        """Step out of an element; ProtocolError DER_TRAILING unless all of it was read."""
        if self.pos != self.end:
            raise ProtocolError(_DER_TRAILING, self.end - self.pos)
        self.end = outer
        self.depth -= 1

    def finish(self):
        """ProtocolError DER_TRAILING unless everything was read."""
        self.leave(self.end)

    def skip_rest(self):
        """Step over all that is left in the current element: extension points that RFCs leave open."""
        while self.more():
            self.element()

    def tlv(self, tag):
        """The content of the next element, as a memoryview."""
        end = self._header(tag)
        data = self.mv[self.pos : end]
        self.pos = end
        return data

    def element(self, tag=None):
        """The whole next element with tag and length, as a memoryview; of any tag when None."""
        start = self.pos
        self.pos = self._header(tag)
        return self.mv[start : self.pos]

    def integer(self, tag=_INTEGER):
        """A small INTEGER (or ENUMERATED), at most 8 octets, as a number."""
        data = self.integer_octets(tag)
        if len(data) > _MAX_INTEGER:
            raise ProtocolError(_DER_VALUE, len(data))
        n = int.from_bytes(data, "big")
        return n - (1 << (8 * len(data))) if data[0] & 0x80 else n

    def integer_octets(self, tag=_INTEGER):
        """The content octets of an INTEGER of any size, checked to be minimal."""
        data = self.tlv(tag)
        n = len(data)
        if n == 0 or (n > 1 and data[0] in (0, 0xFF) and (data[0] ^ data[1]) & 0x80 == 0):
            raise ProtocolError(_DER_VALUE, tag)
        return data

    def unsigned(self, size):
        """A non-negative INTEGER below 2^(8 size), as exactly `size` big-endian octets."""
        data = self.integer_octets()
        if data[0] & 0x80:
            raise ProtocolError(_DER_VALUE, _INTEGER)
        if data[0] == 0:
            data = data[1:]
        if len(data) > size:
            raise ProtocolError(_DER_VALUE, len(data))
        out = bytearray(size)
        out[size - len(data) :] = data
        return out

    def boolean(self):
        """A BOOLEAN; DER knows 00 and FF only."""
        data = self.tlv(_BOOLEAN)
        if len(data) != 1 or data[0] not in (0, 0xFF):
            raise ProtocolError(_DER_VALUE, _BOOLEAN)
        return data[0] != 0

    def null(self):
        """Step over NULL."""
        if len(self.tlv(_NULL)):
            raise ProtocolError(_DER_VALUE, _NULL)

    def octets(self, tag=_OCTET_STRING):
        """The content of an OCTET STRING, as a memoryview."""
        return self.tlv(tag)

    def oid(self):
        """A whole OBJECT IDENTIFIER with tag and length, as a memoryview to compare with `oid`."""
        data = self.element(_OID)
        if len(data) < 3 or data[-1] & 0x80:
            raise ProtocolError(_DER_VALUE, _OID)
        return data

    def bits(self, tag=_BIT_STRING):
        """The octets of a BIT STRING without unused bits, as a memoryview."""
        data = self.tlv(tag)
        if len(data) < 1 or data[0] != 0:
            raise ProtocolError(_DER_VALUE, _BIT_STRING)
        return data[1:]

    def named_bits(self, tag=_BIT_STRING):
        """A named bit list of up to 128 bits as a number; bit i of the list is bit i of it.

        Trailing zero bits are tolerated: CAs send them, and they change nothing.
        """
        data = self.tlv(tag)
        n = len(data)
        if n < 1 or n > _MAX_BITS or data[0] > 7 or (n == 1 and data[0]):
            raise ProtocolError(_DER_VALUE, _BIT_STRING)
        if n > 1 and data[-1] & ((1 << data[0]) - 1):
            raise ProtocolError(_DER_VALUE, _BIT_STRING)
        mask = 0
        for i in range((n - 1) * 8):
            if data[1 + (i >> 3)] & (0x80 >> (i & 7)):
                mask |= 1 << i
        return mask

    def utf8(self, limit):
        """A UTF8String of at most `limit` octets as str; a longer one is cut off there."""
        data = self.tlv(_UTF8)
        if len(data) > limit:
            while limit and data[limit] & 0xC0 == 0x80:
                limit -= 1
            data = data[:limit]
        try:
            return str(bytes(data), "utf-8")
        except UnicodeError:
            raise ProtocolError(_DER_VALUE, _UTF8)
