"""Records on the flash that a power cut leaves old or new, never torn (format: firmware/SPEC.md).

A record is one file, written as `NAME.new` and renamed to `NAME.rec`. On littlefs and on POSIX the rename replaces the
old record at once; FAT removes it first, so a store belongs on littlefs. Flash keeps what was overwritten or removed
until its blocks are erased: nothing here wipes a secret from the chip.

  magic     4   "CLR1"
  sequence  4   big-endian; 1 more than in the record replaced
  length    4   big-endian
  data      length
  digest   32   SHA-256 of all before it
"""

import hashlib
import os

from micropython import const

from .errors import StoreError

_STORE_NAME = const(701)
_STORE_SIZE = const(702)
_STORE_FULL = const(703)
_STORE_FLASH = const(704)
_STORE_DAMAGED = const(705)
_STORE_FIELDS = const(706)

_MAGIC = b"CLR1"
_HEAD = const(12)
_DIGEST = const(32)
_MAX = const(24576)  # octets of data: a key, a certificate and the longest chain seen in a reply, 12 kB, twice
_MAX_NAME = const(24)  # with its suffix below the shortest limit of a file system, 32

_ENOENT = const(2)
_ENOSPC = const(28)


class Store:
    """The records in one folder, which is made by the first save. Names: 1 to 24 of a-z, 0-9, "_" and "-"."""

    def __init__(self, folder):
        self._folder = folder

    def save(self, name, data):
        """Write record `name`; when this returns, the record is on the flash.

        Raises StoreError STORE_NAME, STORE_SIZE (over 24576 octets), STORE_FULL, STORE_FLASH; the old record, if there
        was one, is then still in place.
        """
        path = self._path(name)
        if len(data) > _MAX:
            raise StoreError(_STORE_SIZE, len(data))
        try:
            sequence = _read(path)[0]
        except StoreError:
            sequence = 0  # a damaged record is replaced
        head = _MAGIC + ((sequence + 1) & 0xFFFFFFFF).to_bytes(4, "big") + len(data).to_bytes(4, "big")
        digest = hashlib.sha256(head)
        digest.update(data)
        try:
            self._clean()
            _write(path + ".new", (head, data, digest.digest()))
            os.rename(path + ".new", path + ".rec")
        except OSError as error:
            self._give_up(path + ".new")
            raise StoreError(_STORE_FULL if error.errno == _ENOSPC else _STORE_FLASH, error.errno)

    def load(self, name):
        """Return the data of record `name`, None if there is none.

        Raises StoreError STORE_NAME, STORE_FLASH, STORE_DAMAGED (detail "head" or "digest").
        """
        return _read(self._path(name))[1]

    def remove(self, name):
        """Remove record `name`, if there is one. Raises StoreError STORE_NAME, STORE_FLASH."""
        try:
            os.remove(self._path(name) + ".rec")
        except OSError as error:
            if error.errno != _ENOENT:
                raise StoreError(_STORE_FLASH, error.errno)

    def names(self):
        """Return the names of all records, damaged ones too, sorted. Raises StoreError STORE_FLASH."""
        files = [file[:-4] for file in self._files() if file.endswith(".rec")]
        return sorted(name for name in files if _is_name(name))

    def _path(self, name):
        if not _is_name(name):
            raise StoreError(_STORE_NAME)
        return self._folder + "/" + name

    def _files(self):
        try:
            return os.listdir(self._folder)
        except OSError as error:
            if error.errno == _ENOENT:
                return []
            raise StoreError(_STORE_FLASH, error.errno)

    def _clean(self):
        """Make the folder, and remove what interrupted saves left in it."""
        files = self._files()
        if not files:
            try:
                os.mkdir(self._folder)
            except OSError:
                pass  # it is there and empty, or the write that follows tells
        for file in files:
            if file.endswith(".new"):
                os.remove(self._folder + "/" + file)

    def _give_up(self, path):
        try:
            os.remove(path)
        except OSError:
            pass  # the next save cleans up


def pack(fields):
    """Return `fields`, up to 255 buffers of up to 65535 octets, as one: count, then length (2) and octets of each."""
    if len(fields) > 255:
        raise StoreError(_STORE_FIELDS)
    out = bytearray((len(fields),))
    for field in fields:
        if len(field) > 0xFFFF:
            raise StoreError(_STORE_FIELDS)
        out.extend(len(field).to_bytes(2, "big"))
        out.extend(field)
    return bytes(out)


def unpack(data):
    """Return the tuple of bytes that `pack` made `data` of; raise StoreError STORE_FIELDS."""
    fields = []
    at = 1
    for _ in range(data[0] if data else 0):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        fields.append(bytes(data[at + 2 : end]))
        at = end
    if not data or at != len(data):
        raise StoreError(_STORE_FIELDS)
    return tuple(fields)


def _is_name(name):
    return 0 < len(name) <= _MAX_NAME and all(c in "abcdefghijklmnopqrstuvwxyz0123456789_-" for c in name)


def _write(path, parts):
    with open(path, "wb") as file:
        for part in parts:
            file.write(part)


def _read(path):
    """Return (sequence, data) of the record at `path`, (0, None) if there is none."""
    try:
        with open(path + ".rec", "rb") as file:
            head = file.read(_HEAD)
            length = int.from_bytes(head[8:], "big")
            if len(head) != _HEAD or head[:4] != _MAGIC or length > _MAX:
                raise StoreError(_STORE_DAMAGED, "head")
            data = file.read(length)
            end = file.read(_DIGEST + 1)
    except OSError as error:
        if error.errno == _ENOENT:
            return 0, None
        raise StoreError(_STORE_FLASH, error.errno)
    digest = hashlib.sha256(head)
    digest.update(data)
    if digest.digest() != end:
        raise StoreError(_STORE_DAMAGED, "digest")
    return int.from_bytes(head[4:8], "big"), data
