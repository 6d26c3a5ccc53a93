"""Messages as files: a request waits through restarts until its reply is there."""

import os
from binascii import hexlify

from certlet.errors import TransportError
from certlet.transport.file import File
from support import raises


class Folder:
    """The path of a folder that is not there yet, removed at the end."""

    def __enter__(self):
        self.path = (os.getenv("TMPDIR") or "/tmp") + "/certlet-" + hexlify(os.urandom(8)).decode()
        return self

    def __exit__(self, *_):
        try:
            for name in os.listdir(self.path):
                os.remove(self.path + "/" + name)
            os.rmdir(self.path)
        except OSError:
            pass

    def put(self, name, data):
        with open(self.path + "/" + name, "wb") as file:
            file.write(data)

    def get(self, name):
        with open(self.path + "/" + name, "rb") as file:
            return file.read()

    def names(self):
        return sorted(os.listdir(self.path))


def waits(file, body):
    """The number under which the request waits."""
    return raises(TransportError, 681, file.exchange, body).detail


def test_a_transaction():
    with Folder() as folder:
        file = File(folder.path)
        assert waits(file, memoryview(b"first")) == 1
        assert waits(file, b"first") == 1
        assert folder.names() == ["01-req.der"] and folder.get("01-req.der") == b"first"
        assert waits(File(folder.path), b"first") == 1  # after a restart
        folder.put("01-rsp.der", b"reply")
        file = File(folder.path)
        assert file.exchange(memoryview(b"first")) == file.exchange(b"first") == b"reply"
        assert waits(file, b"second") == 2
        folder.put("02-rsp.der", b"other")
        assert file.exchange(b"second") == b"other"
        assert (file.sent, file.received, file.trips) == (6, 15, 3)
        assert folder.names() == ["01-req.der", "01-rsp.der", "02-req.der", "02-rsp.der"]


def test_another_request_takes_another_number():
    with Folder() as folder:
        assert waits(File(folder.path), b"first") == 1
        for number, body in ((2, b"fir"), (3, b"first+"), (4, b"first"), (5, b"")):
            assert waits(File(folder.path), body) == number, body
        folder.put("06-rsp.der", b"there before its request")
        assert waits(File(folder.path), b"last") == 7


def test_what_a_power_cut_leaves():
    with Folder() as folder:
        waits(File(folder.path), b"first")
        folder.put("02-req.new", b"sec")
        folder.put("notes.txt", b"")
        folder.put("xx-req.der", b"")
        assert waits(File(folder.path), b"first") == 1
        assert waits(File(folder.path), b"second") == 2
        assert "02-req.new" not in folder.names() and folder.get("02-req.der") == b"second"


def test_limits():
    with Folder() as folder:
        file = File(folder.path, limit=8)
        waits(file, b"request")
        for reply, code in ((b"", 683), (b"x" * 9, 683), (b"x" * 8, None)):
            folder.put("01-rsp.der", reply)
            if code:
                raises(TransportError, code, file.exchange, b"request")
            else:
                assert file.exchange(b"request") == reply
        folder.put("99-req.der", b"last")
        assert waits(file, b"last") == 99
        raises(TransportError, 684, file.exchange, b"one more")


def test_no_folder():
    with Folder() as folder:
        assert raises(TransportError, 682, File(folder.path + "/a/b").exchange, b"x").detail == 2
        with open(folder.path, "w"):
            pass
        assert raises(TransportError, 682, File(folder.path).exchange, b"x").detail == 20
        os.remove(folder.path)


def test_what_waits():
    with Folder() as folder:
        assert File(folder.path).outstanding() == b""
        waits(File(folder.path), b"first")
        folder.put("01-rsp.der", b"reply")
        assert File(folder.path).outstanding() == b"first"
        waits(File(folder.path), b"second")
        assert File(folder.path).outstanding() == b"second"
        folder.put("03-req.der", b"x" * 65537)
        assert File(folder.path).outstanding() == b""
