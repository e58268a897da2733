"""Checks the arguments of the sampling functions; messages name index, value and remedy."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SUM_TOLERANCE = 1e-6


def first_index(wrong: NDArray[np.bool_]) -> tuple[int, ...]:
    """The index of the first True in row-major order."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))


def describe(name: str, values: NDArray[Any], wrong: NDArray[np.bool_]) -> str:
    """Text such as `name[3, 1] is nan (2 more like it)` about the wrong values."""
    index = first_index(wrong)
    more = int(wrong.sum()) - 1
    place = ", ".join(map(str, index))
    return f"{name}[{place}] is {values[index]}" + (f" ({more} more like it)" if more else "")


def check_shape(name: str, array: NDArray[Any], expected: tuple[int | None, ...]) -> None:
    """Check the shape of an array; None stands for any length.

    Raises:
        ValueError: the shape is another one.
    """
    fits = array.ndim == len(expected) and all(
        want is None or have == want for have, want in zip(array.shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if want is None else str(want) for want in expected)
        raise ValueError(f"{name} has shape {array.shape}; expected ({wanted})")


def check_floats(
    name: str, values: ArrayLike, expected: tuple[int | None, ...], *, minimum: float | None = None
) -> FloatArray:
    """The values as float64 of the expected shape, all finite and not below the minimum.

    Raises:
        ValueError: the shape is another one, or a value is NaN, infinite or below the minimum.
    """
    array = np.asarray(values, dtype=np.float64)
    check_shape(name, array, expected)
    finite = np.isfinite(array)
    if not finite.all():
        raise ValueError(
            f"{describe(name, array, ~finite)}; expected a finite number: "
            "repair such values, or leave their rows out"
        )
    if minimum is not None and (array < minimum).any():
        raise ValueError(f"{describe(name, array, array < minimum)}; expected at least {minimum:g}")
    return array


def check_tokens(tokens: ArrayLike, n_documents: int) -> IntArray:
    """Token counts as int64 (D,): whole numbers, none negative.

    Raises:
        TypeError: the values are not numbers.
        ValueError: the shape is another one, or a count is negative or not a whole number.
    """
    array = np.asarray(tokens)
    check_shape("tokens", array, (n_documents,))
    if array.dtype.kind == "f":
        broken = ~(np.isfinite(array) & (array == np.floor(array)))
        if broken.any():
            raise ValueError(f"{describe('tokens', array, broken)}; expected a whole number")
    elif array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"tokens has dtype {array.dtype}; expected whole numbers")
    if (array < 0).any():
        raise ValueError(f"{describe('tokens', array, array < 0)}; expected 0 or more tokens")
    return array.astype(np.int64, copy=False)


def check_domains(domains: ArrayLike, n_documents: int, n_domains: int | None = None) -> IntArray:
    """Domain indices as int64 (D,), from 0 to below `n_domains` where that is given.

    Raises:
        TypeError: the indices are not integers.
        ValueError: the shape is another one, or an index is out of range.
    """
    array = np.asarray(domains)
    check_shape("domains", array, (n_documents,))
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(
            f"domains has dtype {array.dtype}; expected integer indices into the list of domains"
        )
    wrong = array < 0
    limit = ""
    if n_domains is not None:
        wrong |= array >= n_domains
        limit = f" to {n_domains - 1} ({n_domains} domains)"
    if wrong.any():
        raise ValueError(f"{describe('domains', array, wrong)}; expected an index from 0{limit}")
    return array.astype(np.int64, copy=False)


def check_alpha(alpha: ArrayLike, expected: tuple[int | None, ...]) -> FloatArray:
    """Criterion weights as float64: none negative, the last axis sums to 1 within 1e-6.

    Raises:
        ValueError: the shape is another one, a weight is negative, NaN or infinite, or a sum is
            not 1.
    """
    array = check_floats("alpha", alpha, expected, minimum=0.0)
    sums = array.sum(axis=-1)
    wrong = np.abs(sums - 1.0) > SUM_TOLERANCE
    if wrong.any():
        raise ValueError(
            f"{describe('the sum of alpha', sums, wrong)}; "
            "expected 1: divide each row of weights by its sum"
        )
    return array


def share_of(n_tokens: IntArray, n_total: IntArray) -> FloatArray:
    """n_tokens / n_total; 1, the worst rank, where n_total is 0."""
    return np.where(n_total > 0, n_tokens / np.maximum(n_total, 1), 1.0)
