"""The draw: expected copies become whole copies, by a pure function of document id and seed."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadmix_assets.hashing import hash_number
from quadmix_assets.sampling.validation import (
    FloatArray,
    IntArray,
    check_floats,
    check_shape,
    describe,
)
from quadmix_assets.splitmix64 import UIntArray, splitmix64

Ids = Sequence[str] | Sequence[int] | NDArray[Any] | Iterable[str]


def hash_ids(ids: Ids) -> UIntArray:
    """A stable 64-bit number for each document id, (D,) uint64.

    A string becomes the xxh3_64 of its UTF-8; a whole number is used as it is. For many draws from
    one pool, hash its ids once and draw from the hashes.

    Raises:
        TypeError: an id is neither a string nor a whole number.
        ValueError: a whole number is negative, or the array has more than one axis.
    """
    if isinstance(ids, np.ndarray):
        check_shape("ids", ids, (None,))
        if ids.dtype.kind in "iu":
            if (ids < 0).any():
                raise ValueError(f"{describe('ids', ids, ids < 0)}; expected 0 or more")
            return ids.astype(np.uint64, copy=False)
    values = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    if values and isinstance(values[0], int):
        return _whole_numbers(values)
    try:
        digests = map(hash_number, map(str.encode, values))
        return np.fromiter(digests, dtype=np.uint64, count=len(values))
    except TypeError:
        raise _wrong_type(values, str, "string, as the first id is") from None


def _whole_numbers(values: list[Any]) -> UIntArray:
    if not all(isinstance(value, int) for value in values):
        raise _wrong_type(values, int, "whole number, as the first id is")
    outside = next((i for i, value in enumerate(values) if not 0 <= value < 2**64), None)
    if outside is not None:
        raise ValueError(f"ids[{outside}] is {values[outside]}; expected 0 to 2**64 - 1")
    return np.array(values, dtype=np.uint64)


def _wrong_type(values: list[Any], wanted: type, words: str) -> TypeError:
    i = next(i for i, value in enumerate(values) if not isinstance(value, wanted))
    return TypeError(
        f"ids[{i}] is {values[i]!r} of type {type(values[i]).__name__}; expected a {words}"
    )


def draw_bits(ids: Ids, seed: int) -> UIntArray:
    """A 64-bit random number for each id, (D,) uint64: a hash of id and seed.

    For one seed it is a bijection of `hash_ids`, so that unequal hashes give unequal numbers: an
    order by it has no ties.

    Raises:
        TypeError: ids as in `hash_ids`.
        ValueError: the seed does not fit 64 bits; ids as in `hash_ids`.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}; expected a number from 0 to 2**64 - 1")
    # Ids are hashed before the seed is added, because they may be consecutive numbers.
    bits = splitmix64(hash_ids(ids))
    bits ^= splitmix64(np.array([seed], dtype=np.uint64))
    return splitmix64(bits)


def uniform_of_ids(ids: Ids, seed: int) -> NDArray[np.float64]:
    """One number in [0, 1) for each id, (D,): the top 53 bits of `draw_bits`.

    Raises:
        TypeError: ids as in `hash_ids`.
        ValueError: the seed does not fit 64 bits; ids as in `hash_ids`.
    """
    return uniform_of_bits(draw_bits(ids, seed))


def uniform_of_bits(bits: UIntArray) -> NDArray[np.float64]:
    """The numbers (D,) of `uniform_of_ids`, of draws (D,) that are known."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def draw_copies(values: ArrayLike, ids: Ids, seed: int) -> IntArray:
    """Copies (D,) of each document: floor(S), plus one with probability S - floor(S).

    The draw depends on the document's id and the seed alone, so shards, their order, parallel
    workers and retries change nothing.

    Args:
        values: (D,) sampling values S.
        ids: (D,) strings, or the uint64 of `hash_ids`; both give the same draw. They should be
            unique: documents with the same id get the same random number.
        seed: 0 to 2**64 - 1.

    Raises:
        TypeError: an id is neither a string nor a whole number.
        ValueError: shapes disagree, a value is NaN, infinite or negative, or the seed is out of
            range.
    """
    hashes = hash_ids(ids)
    expected = check_floats("values", values, (len(hashes),), minimum=0.0)
    return copies_of(expected, uniform_of_ids(hashes, seed))


def copies_of(values: FloatArray, uniform: FloatArray) -> IntArray:
    """Copies (D,) of sampling values (D,) with random numbers (D,) of `uniform_of_ids`.

    What `draw_copies` does, for many values of the same documents; nothing is checked.
    """
    whole = np.floor(values)
    return whole.astype(np.int64) + (uniform < values - whole)
