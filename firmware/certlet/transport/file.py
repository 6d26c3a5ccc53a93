"""Leaves requests in a folder and takes replies from it: for lines without any network (see firmware/SPEC.md).

`exchange` writes NN-req.der and raises FILE_WAITING. Somebody carries the file to the server and its reply back as
NN-rsp.der; the same call again then returns it, after any number of restarts in between.
"""

import os
from errno import EEXIST, ENOENT

from micropython import const

from ..errors import TransportError

_FILE_WAITING = const(681)
_FILE_FOLDER = const(682)
_FILE_LIMIT = const(683)
_FILE_FULL = const(684)

_MAX_NUMBER = const(99)
_REQUEST = const(65536)  # octets of the longest request that is read again


class File:
    """Exchanges messages as files in `folder`, which is made if need be; replies have up to `limit` bytes.

    `sent` and `received` count bytes of files, `trips` the replies that were taken. Nothing is ever removed.
    """

    def __init__(self, folder, limit=16384):
        self._folder = folder
        self._limit = limit
        self.sent = self.received = self.trips = 0

    def close(self):
        """Nothing is open between exchanges."""

    def exchange(self, body):
        """Return the reply to `body` (any buffer) if it is there, else see that the request is, and raise FILE_WAITING.

        The request with the highest number is the one that waits: if it is another message than `body`, then `body`
        gets a number that nothing in the folder has reached. Raises TransportError FILE_WAITING with the number as
        detail, FILE_FOLDER with the errno, FILE_LIMIT, FILE_FULL.
        """
        try:
            number, highest = self._numbers()
            if self._size(number, "req") != len(body) or self._read(number, "req") != body:
                number = highest + 1
                if number > _MAX_NUMBER:
                    raise TransportError(_FILE_FULL)
                self._write(number, body)
            size = self._size(number, "rsp")
            if size is None:
                raise TransportError(_FILE_WAITING, number)
            if not 0 < size <= self._limit:
                raise TransportError(_FILE_LIMIT)
            reply = self._read(number, "rsp")
        except OSError as error:
            raise TransportError(_FILE_FOLDER, error.errno)
        self.received += len(reply)
        self.trips += 1
        return reply

    def outstanding(self):
        """Return the request that waits, b"" if there is none; raise FILE_FOLDER."""
        try:
            number = self._numbers()[0]
            return self._read(number, "req") if 0 < (self._size(number, "req") or 0) <= _REQUEST else b""
        except OSError as error:
            raise TransportError(_FILE_FOLDER, error.errno)

    def _numbers(self):
        """Return the highest number of a request and that of any message, 0 if there is none; make the folder."""
        try:
            os.mkdir(self._folder)
        except OSError as error:
            if error.errno != EEXIST:
                raise
        last = highest = 0
        for name in os.listdir(self._folder):
            if name[2:] in ("-req.der", "-rsp.der") and all(c in "0123456789" for c in name[:2]):
                highest = max(highest, int(name[:2]))
                if name[3:6] == "req":
                    last = max(last, int(name[:2]))
        return last, highest

    def _path(self, number, kind, suffix="der"):
        return "{}/{:02d}-{}.{}".format(self._folder, number, kind, suffix)

    def _size(self, number, kind):
        """Return the bytes of a file, None if there is none."""
        try:
            return os.stat(self._path(number, kind))[6]
        except OSError as error:
            if error.errno != ENOENT:
                raise
        return None

    def _read(self, number, kind):
        with open(self._path(number, kind), "rb") as file:
            return file.read()

    def _write(self, number, body):
        """Write a request; under its name it is there whole or not at all."""
        new = self._path(number, "req", "new")
        with open(new, "wb") as file:
            file.write(body)
        os.rename(new, self._path(number, "req"))
        self.sent += len(body)
