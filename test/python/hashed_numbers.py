"""Numbers by name and index, so that a golden needs no weights beside it; `test/goldens.ts` makes the same."""

import math
from collections.abc import Sequence

import numpy as np


def hashed(name: str, shape: Sequence[int]) -> np.ndarray:
    """FNV-1a of the name and MurmurHash3's finalizer of each index, from -1 to 1, float64."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
    index = np.arange(math.prod(shape), dtype=np.uint64)
    x = (index * 0x9E3779B9 & 0xFFFFFFFF) ^ seed
    x ^= x >> np.uint64(16)
    x = x * 0x85EBCA6B & 0xFFFFFFFF
    x ^= x >> np.uint64(13)
    x = x * 0xC2B2AE35 & 0xFFFFFFFF
    x ^= x >> np.uint64(16)
    return (x / 2**31 - 1).reshape(shape)
