"""The power goes at every flash operation of a save, clean and in the middle of a write: no record is ever lost."""

from certlet.errors import StoreError
from certlet.store import Store
from flash import Flash, Mounted, supported
from support import raises, skip

OLD = bytes(range(256)) * 3
NEW = bytes(range(255, -1, -1)) * 4
OTHER = b"untouched"


def _made(size, records):
    flash = Flash()
    with Mounted(flash, size, make=True) as point:
        store = Store(point + "/certlet")
        for name, data in records:
            store.save(name, data)
    return bytes(flash.data)


def _saved(flash, size, step, *args):
    """Do `step(store, *args)` with the store on `flash`; return whether it came to its end."""
    try:
        with Mounted(flash, size) as point:
            step(Store(point + "/certlet"), *args)
    except (StoreError, OSError):
        return False
    return True


def _cuts(size, records, step, check):
    """Cut at each operation of `step`, reboot, `check(store, done)`, and do the step again on what was left."""
    image = _made(size, records)
    whole = Flash(data=bytearray(image))
    assert _saved(whole, size, step)
    assert whole.operations
    for torn in (False, True):
        for cut in range(1, whole.operations + 1):
            flash = Flash(data=bytearray(image), cut=cut, torn=torn)
            done = _saved(flash, size, step)
            assert flash.dead
            after = Flash(data=flash.data)
            assert _saved(after, size, check, done), (torn, cut)
            assert _saved(after, size, step), (torn, cut)
            assert _saved(Flash(data=after.data), size, check, True), (torn, cut)


def _each_size(records, step, check):
    if not supported():
        skip("no littlefs on this runtime")
    for size in (32, 256):
        _cuts(size, records, step, check)


def test_replace():
    def check(store, done):
        assert store.load("active") in ((NEW,) if done else (OLD, NEW))
        assert store.load("other") == OTHER

    _each_size((("active", OLD), ("other", OTHER)), lambda store: store.save("active", NEW), check)


def test_first_save():
    def check(store, done):
        assert store.load("active") in ((NEW,) if done else (None, NEW))

    _each_size((), lambda store: store.save("active", NEW), check)


def test_remove():
    def check(store, done):
        assert store.load("pending") in ((None,) if done else (OLD, None))
        assert store.load("other") == OTHER

    _each_size((("pending", OLD), ("other", OTHER)), lambda store: store.remove("pending"), check)


def test_promote():
    """Two saves and a removal, the way a renewal ends: an active identity at every moment."""

    def step(store):
        new = store.load("pending")
        if new is not None:
            store.save("previous", store.load("active"))
            store.save("active", new)
            store.remove("pending")

    def check(store, done):
        assert store.load("active") in ((NEW,) if done else (OLD, NEW))
        assert store.load("previous") in (None, OLD, NEW)
        assert store.load("pending") in ((None,) if done else (NEW, None))

    _each_size((("active", OLD), ("pending", NEW)), step, check)


def test_a_long_life_with_random_cuts():
    if not supported():
        skip("no littlefs on this runtime")
    import random

    random.seed(1)
    current = OLD
    data = bytearray(_made(32, (("active", OLD),)))
    cuts = 0
    for i in range(300):
        target = bytes((i & 255,)) * (100 + i)
        flash = Flash(data=data, cut=random.randrange(1, 14), torn=i & 1)
        done = _saved(flash, 32, Store.save, "active", target)
        cuts += flash.dead
        with Mounted(Flash(data=data)) as point:
            found = Store(point + "/certlet").load("active")
        assert found in ((target,) if done else (current, target)), i
        current = found
    assert cuts > 100


def test_full_flash_keeps_the_old_record():
    if not supported():
        skip("no littlefs on this runtime")
    with Mounted(Flash(blocks=8), make=True) as point:
        store = Store(point + "/certlet")
        store.save("active", OLD)
        count = 0
        try:
            while True:
                with open(point + "/ballast%d" % count, "wb") as file:
                    file.write(b"x" * 4000)
                count += 1
        except OSError:
            pass
        assert raises(StoreError, 703, store.save, "active", bytes(9000)).detail == 28
        assert store.load("active") == OLD
        import os

        assert os.listdir(point + "/certlet") == ["active.rec"]
        for i in range(count):
            os.remove(point + "/ballast%d" % i)
        store.save("active", bytes(9000))
        assert store.load("active") == bytes(9000)


def test_a_dead_flash_is_an_error():
    if not supported():
        skip("no littlefs on this runtime")
    flash = Flash(data=bytearray(_made(32, (("active", OLD),))), cut=1)
    with Mounted(flash) as point:
        assert raises(StoreError, 704, Store(point + "/certlet").save, "active", NEW).detail == 5
        raises(StoreError, 704, Store(point + "/certlet").load, "active")
