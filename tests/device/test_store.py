"""Records: their bytes, their names, and what is made of damaged ones."""

import hashlib
import os
from binascii import hexlify

from certlet.errors import StoreError
from certlet.store import Store, pack, unpack
from support import raises


class Folder:
    """A new folder name under TMPDIR; what is in it goes at the end."""

    def __enter__(self):
        self.path = (os.getenv("TMPDIR") or "/tmp") + "/certlet-" + hexlify(os.urandom(8)).decode()
        return self.path

    def __exit__(self, *_):
        try:
            for file in os.listdir(self.path):
                os.remove(self.path + "/" + file)
            os.rmdir(self.path)
        except OSError:
            pass  # never made


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def test_save_load_remove():
    with Folder() as folder:
        store = Store(folder)
        assert store.load("active") is None
        assert store.names() == []
        store.remove("active")
        for data in (b"", b"one", memoryview(bytearray(24576))):
            store.save("active", data)
            assert store.load("active") == data
        store.save("a-b_9", b"two")
        assert Store(folder).names() == ["a-b_9", "active"]
        store.remove("active")
        assert store.load("active") is None
        assert store.load("a-b_9") == b"two"
        assert store.names() == ["a-b_9"]


def test_bytes_of_a_record():
    with Folder() as folder:
        store = Store(folder)
        for sequence in (1, 2):
            store.save("x", b"data")
            head = b"CLR1" + bytes((0, 0, 0, sequence)) + b"\0\0\0\4data"
            assert _read(folder + "/x.rec") == head + hashlib.sha256(head).digest()
        head = b"CLR1\xff\xff\xff\xff\0\0\0\0"
        _write(folder + "/x.rec", head + hashlib.sha256(head).digest())
        store.save("x", b"")
        assert _read(folder + "/x.rec")[4:8] == b"\0\0\0\0"


def test_every_damage_is_found():
    with Folder() as folder:
        store = Store(folder)
        store.save("x", b"data")
        good = _read(folder + "/x.rec")
        for at in range(len(good)):
            bad = bytearray(good)
            bad[at] ^= 0x10
            _write(folder + "/x.rec", bad)
            raises(StoreError, 705, store.load, "x")
        for bad in [good[:n] for n in range(len(good))] + [good + b"\0", good + good]:
            _write(folder + "/x.rec", bad)
            raises(StoreError, 705, store.load, "x")
        head = b"CLR1\0\0\0\1\xff\xff\xff\xff"
        _write(folder + "/x.rec", head + hashlib.sha256(head).digest())
        raises(StoreError, 705, store.load, "x")
        assert store.names() == ["x"]
        store.save("x", b"mended")
        assert store.load("x") == b"mended"


def test_leftovers_are_ignored_and_removed():
    with Folder() as folder:
        store = Store(folder)
        store.save("x", b"old")
        _write(folder + "/x.new", b"CLR1 torn")
        _write(folder + "/y.new", b"")
        assert store.load("x") == b"old"
        assert store.load("y") is None
        assert store.names() == ["x"]
        store.save("z", b"")
        assert sorted(os.listdir(folder)) == ["x.rec", "z.rec"]


def test_other_files_are_left_alone():
    with Folder() as folder:
        store = Store(folder)
        store.save("x", b"")
        for file in ("main.py", "X.rec", ".rec", "a.b.rec"):
            _write(folder + "/" + file, b"")
        assert store.names() == ["x"]
        store.save("y", b"")
        assert len(os.listdir(folder)) == 6


def test_names_and_sizes():
    with Folder() as folder:
        store = Store(folder)
        for name in ("", "a" * 25, "A", "a.b", "../a", "a/b", "a b", "\xe4", "a\0"):
            raises(StoreError, 701, store.load, name)
            raises(StoreError, 701, store.save, name, b"")
            raises(StoreError, 701, store.remove, name)
        store.save("a" * 24, b"")
        assert raises(StoreError, 702, store.save, "a", bytes(24577)).detail == 24577


def test_a_file_in_the_place_of_the_folder():
    with Folder() as folder:
        _write(folder, b"")
        try:
            raises(StoreError, 704, Store(folder).save, "a", b"")
        finally:
            os.remove(folder)


def test_fields():
    for fields in ((), (b"",), (b"a", b"", b"bcd"), (bytes(65535),), (b"x",) * 255):
        assert unpack(pack(fields)) == fields
    assert pack((b"ab", memoryview(b"c"))) == b"\2\0\2ab\0\1c"
    assert pack([bytearray(b"a")]) == b"\1\0\1a"
    for bad in (b"", b"\1", b"\1\0", b"\1\0\2a", b"\1\0\1ab", b"\0\0", b"\2\0\1a", b"\2\0\1a\0"):
        raises(StoreError, 706, unpack, bad)
    raises(StoreError, 706, pack, (b"",) * 256)
    raises(StoreError, 706, pack, (bytes(65536),))
