"""CRC-32C (Castagnoli; RFC 3720, appendix B.4), as TFRecord files use it, without a compiled library.

Short inputs take eight table look-ups per eight bytes; long ones are cut into lanes that numpy runs side by side and
that are then joined, since the remainder of a concatenation is a linear function of the remainders of its parts.
"""

from __future__ import annotations

import functools
from typing import Any

from seqcfg.lazy import np

POLYNOMIAL = 0x82F63B78  # reversed
ALL_ONES = 0xFFFFFFFF
LONG_BYTES = 1 << 16
MASK_DELTA = 0xA282EAD8  # TensorFlow rotates a checksum and adds this, so that sums of sums are not trivial


def crc32c(data: bytes) -> int:
    """The checksum of `data`, 0 .. 2^32 - 1."""
    if len(data) < LONG_BYTES:
        return _remainder(data, ALL_ONES) ^ ALL_ONES
    steps = 1 << (max(len(data).bit_length() // 2 - 1, 5))
    lanes = len(data) // steps
    body = np.frombuffer(data, np.uint8, lanes * steps).reshape(lanes, steps)
    remainders = np.zeros([lanes], np.uint32)
    remainders[0] = ALL_ONES  # what the first lane starts with runs through all that follow
    table = _tables()[0]
    for step in range(steps):
        remainders = table[(remainders ^ body[:, step]) & 0xFF] ^ (remainders >> 8)
    return _remainder(data[lanes * steps :], _join(remainders, steps)) ^ ALL_ONES


def masked(checksum: int) -> int:
    """The checksum as it stands in a TFRecord file."""
    return (((checksum >> 15) | (checksum << 17)) + MASK_DELTA) & ALL_ONES


def _join(remainders: Any, steps: int) -> int:
    """The remainder of all lanes, each `steps` bytes long, one after the other."""
    while len(remainders) > 1:
        if len(remainders) % 2:  # a lane of nothing before the first changes nothing
            remainders = np.concatenate([np.zeros([1], np.uint32), remainders])
        shifted = _advance(remainders[0::2], _zeros(steps))
        remainders, steps = shifted ^ remainders[1::2], 2 * steps
    return int(remainders[0])


@functools.lru_cache(maxsize=64)
def _zeros(count: int) -> Any:
    """What `count` zero bytes make of each of the 32 bits of a remainder: uint32 [32]; count is a power of two."""
    if count == 1:
        bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
        return _tables()[0][bits & 0xFF] ^ (bits >> 8)
    half = _zeros(count // 2)
    return _advance(half, half)


def _advance(remainders: Any, columns: Any) -> Any:
    """The product of a 32 x 32 matrix over GF(2), given by its columns, and each remainder."""
    result = np.zeros_like(remainders)
    for bit in range(32):
        result ^= np.where((remainders >> bit) & 1, columns[bit], 0).astype(np.uint32)
    return result


def _remainder(data: bytes, remainder: int) -> int:
    tables = _lists()
    one, two, three, four, five, six, seven, eight = tables
    whole = len(data) & ~7
    for start in range(0, whole, 8):
        low = remainder ^ int.from_bytes(data[start : start + 4], "little")
        remainder = (
            eight[low & 0xFF] ^ seven[low >> 8 & 0xFF] ^ six[low >> 16 & 0xFF] ^ five[low >> 24]
            ^ four[data[start + 4]] ^ three[data[start + 5]] ^ two[data[start + 6]] ^ one[data[start + 7]]
        )  # fmt: skip
    for byte in data[whole:]:
        remainder = one[(remainder ^ byte) & 0xFF] ^ (remainder >> 8)
    return remainder


@functools.cache
def _tables() -> Any:
    """uint32 [8, 256]: table k is what a byte followed by k zero bytes leaves."""
    first = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        first = np.where(first & 1, (first >> 1) ^ np.uint32(POLYNOMIAL), first >> 1).astype(np.uint32)
    tables = [first]
    for _ in range(7):
        tables.append(first[tables[-1] & 0xFF] ^ (tables[-1] >> 8))
    return np.stack(tables)


@functools.cache
def _lists() -> list[list[int]]:
    return _tables().tolist()
