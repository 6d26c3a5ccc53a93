"""A NOR flash in RAM for littlefs on the unix port, whose power goes at a chosen operation.

Erasing sets bits and programming clears them, as in a real chip. Operation number `cut` (from 1) is not done, or with
`torn` only its first half, and the flash is dead from then on; a fresh `Flash` over the same bytes is the reboot.
"""

import os

BLOCK = 4096
_EIO = -5  # littlefs prints a traceback for every exception raised here, a negative errno is silent


class Flash:
    def __init__(self, blocks=16, data=None, cut=0, torn=False):
        self.data = bytearray(b"\xff" * (blocks * BLOCK)) if data is None else data
        self.cut = cut
        self.torn = torn
        self.operations = 0
        self.dead = False

    def _lives(self, length):
        """Count one operation; return how many of its `length` octets are done."""
        self.operations += 1
        if self.operations != self.cut:
            return length
        self.dead = True
        return length // 2 if self.torn else 0

    def readblocks(self, block, buffer, offset=0):
        if self.dead:
            return _EIO
        start = block * BLOCK + offset
        buffer[:] = self.data[start : start + len(buffer)]
        return 0

    def writeblocks(self, block, buffer, offset=0):
        if self.dead:
            return _EIO
        start = block * BLOCK + offset
        for i in range(self._lives(len(buffer))):
            self.data[start + i] &= buffer[i]
        return _EIO if self.dead else 0

    def ioctl(self, request, argument):
        if request == 4:
            return len(self.data) // BLOCK
        if request == 5:
            return BLOCK
        if request == 6:
            if self.dead:
                return _EIO
            length = self._lives(BLOCK)
            self.data[argument * BLOCK : argument * BLOCK + length] = b"\xff" * length
            return _EIO if self.dead else 0
        return 0


class Mounted:
    """Context in which the littlefs on `flash` is mounted at `point`. `size` is progsize and readsize: 256 on rp2."""

    def __init__(self, flash, size=32, point="/flash", make=False):
        import vfs

        if make:
            vfs.VfsLfs2.mkfs(flash, progsize=size, readsize=size, lookahead=32)
        self.files = vfs.VfsLfs2(flash, progsize=size, readsize=size, lookahead=32)
        self.point = point

    def __enter__(self):
        import vfs

        vfs.mount(self.files, self.point)
        return self.point

    def __exit__(self, *_):
        import vfs

        vfs.umount(self.point)


def supported():
    """Return whether this runtime can mount littlefs."""
    return hasattr(os, "VfsLfs2")
