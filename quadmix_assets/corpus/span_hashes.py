"""xxh3-64 of many short pieces of texts at once.

The same numbers as `hash_number`, which Python would have to call for every piece. Inputs of up to
16 bytes, the most words, follow the three short forms of the algorithm (xxHash's specification,
"XXH3 Algorithm Overview") with NumPy; longer ones are handed to the library.
"""

import numpy as np

from quadmix_assets.corpus.characters import Characters
from quadmix_assets.hashing import hash_number
from quadmix_assets.splitmix64 import UIntArray

# What the short forms mix in with a seed of 0: words of the secret in the specification, combined.
_SECRET_TO_3 = np.uint64(0x87275A9B)
_SECRET_TO_8 = np.uint64(0xC73AB174C5ECD5A2)
_SECRET_TO_16 = np.uint64(0x6782737BEA4239B9), np.uint64(0xAF56BC3B0996523A)

_PRIME_64_2 = np.uint64(0xC2B2AE3D27D4EB4F)
_PRIME_64_3 = np.uint64(0x165667B19E3779F9)
_PRIME_MX_1 = np.uint64(0x165667919E3779F9)
_PRIME_MX_2 = np.uint64(0x9FB21C651E98DF25)
_LOW_32 = np.uint64(0xFFFFFFFF)


def span_hashes(characters: Characters, starts: np.ndarray, ends: np.ndarray) -> UIntArray:
    """xxh3-64 of each of S pieces of the texts, (S,) uint64.

    Args:
        characters: of the texts.
        starts, ends: (S,) the first byte of each piece, and the one behind its last; at least one
            byte lies between them.
    """
    lengths = ends - starts
    content, words = characters.content, characters.eight_bytes
    hashes = np.empty(len(starts), np.uint64)
    tiny, small = lengths <= 3, lengths <= 8
    chosen = np.flatnonzero(tiny)
    hashes[chosen] = _to_3(content, starts[chosen], lengths[chosen])
    chosen = np.flatnonzero(small & ~tiny)
    hashes[chosen] = _to_8(words, starts[chosen], lengths[chosen])
    others = np.flatnonzero(~small)
    is_long = lengths[others] > 16
    chosen = others[~is_long]
    hashes[chosen] = _to_16(words, starts[chosen], lengths[chosen])
    memory = content.data
    for place in others[is_long].tolist():
        hashes[place] = hash_number(memory[starts[place] : ends[place]])
    return hashes


def _to_3(content: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> UIntArray:
    first, last = content[starts].astype(np.uint64), content[starts + lengths - 1].astype(np.uint64)
    middle = content[starts + (lengths >> 1)].astype(np.uint64)
    mixed = first << np.uint64(16) | middle << np.uint64(24) | last
    mixed |= lengths.astype(np.uint64) << np.uint64(8)
    mixed ^= _SECRET_TO_3
    mixed ^= mixed >> np.uint64(33)
    mixed *= _PRIME_64_2
    mixed ^= mixed >> np.uint64(29)
    mixed *= _PRIME_64_3
    mixed ^= mixed >> np.uint64(32)
    return mixed


def _to_8(words: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> UIntArray:
    mixed = words[starts] << np.uint64(32)
    mixed += words[starts + lengths - 4] & _LOW_32
    mixed ^= _SECRET_TO_8
    mixed ^= _rotated(mixed, 49) ^ _rotated(mixed, 24)
    mixed *= _PRIME_MX_2
    mixed ^= (mixed >> np.uint64(35)) + lengths.astype(np.uint64)
    mixed *= _PRIME_MX_2
    mixed ^= mixed >> np.uint64(28)
    return mixed


def _to_16(words: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> UIntArray:
    low, high = words[starts] ^ _SECRET_TO_16[0], words[starts + lengths - 8] ^ _SECRET_TO_16[1]
    mixed = low.byteswap() + high + lengths.astype(np.uint64) + _folded_product(low, high)
    mixed ^= mixed >> np.uint64(37)
    mixed *= _PRIME_MX_1
    mixed ^= mixed >> np.uint64(32)
    return mixed


def _rotated(values: UIntArray, n_bits: int) -> UIntArray:
    return values << np.uint64(n_bits) | values >> np.uint64(64 - n_bits)


def _folded_product(left: UIntArray, right: UIntArray) -> UIntArray:
    """The lower and the upper 64 bits of the products of 128 bits, combined by exclusive or."""
    half = np.uint64(32)
    a, b = left >> half, left & _LOW_32
    c, d = right >> half, right & _LOW_32
    ad, bc, bd = a * d, b * c, b * d
    middle = (bd >> half) + (ad & _LOW_32) + (bc & _LOW_32)
    upper = a * c + (ad >> half) + (bc >> half) + (middle >> half)
    lower: UIntArray = left * right
    return lower ^ upper
