"""UF2, the file that is dropped on a board's boot drive: blocks of 512 octets, each with its place in flash."""

import struct

RP2040 = 0xE48BFF56  # family
FLASH = 0x10000000  # where the RP2040 sees its flash

_BLOCK = 512
_PAYLOAD = 256
_HEAD = struct.Struct("<8I")
_MAGIC = (0x0A324655, 0x9E5D5157)
_END = struct.pack("<I", 0x0AB16F30)
_HAS_FAMILY = 0x2000


def pack(image: bytes, base: int = FLASH, family: int = RP2040) -> bytes:
    """Return the UF2 file that puts `image` at address `base`."""
    total = -(-len(image) // _PAYLOAD)
    blocks = bytearray()
    for number in range(total):
        start = number * _PAYLOAD
        payload = image[start : start + _PAYLOAD].ljust(_PAYLOAD, b"\0")
        head = _HEAD.pack(*_MAGIC, _HAS_FAMILY, base + start, _PAYLOAD, number, total, family)
        blocks += (head + payload).ljust(_BLOCK - len(_END), b"\0") + _END
    return bytes(blocks)


def unpack(file: bytes, base: int = FLASH) -> bytes:
    """Return the image in a UF2 file, gaps filled with 0xFF; ValueError if it is none or lies below `base`."""
    if not file or len(file) % _BLOCK:
        raise ValueError("not whole UF2 blocks")
    image = bytearray()
    for start in range(0, len(file), _BLOCK):
        *magic, _, address, length, _, _, _ = _HEAD.unpack_from(file, start)
        if tuple(magic) != _MAGIC or file[start + _BLOCK - 4 : start + _BLOCK] != _END:
            raise ValueError(f"block {start // _BLOCK} is no UF2")
        offset = address - base
        if offset < 0 or length > _BLOCK - _HEAD.size - len(_END):
            raise ValueError(f"block {start // _BLOCK} lies outside of the flash")
        image.extend(b"\xff" * (offset + length - len(image)))
        image[offset : offset + length] = file[start + _HEAD.size : start + _HEAD.size + length]
    return bytes(image)
