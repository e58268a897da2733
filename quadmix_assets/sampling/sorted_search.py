"""Finds the places of many numbers in a sorted array faster than by bisection alone."""

import numpy as np
from numpy.typing import NDArray

from quadmix_assets.sampling.validation import FloatArray, IntArray

_CELLS_PER_VALUE = 8
# Preparing takes about as long as so many searches for each value.
_WORTH_PREPARING = 2


class SortedSearch:
    """What `np.searchsorted(values, x, side="right")` gives, to the bit.

    Once many numbers have been asked for, the range of the values is divided into equal cells, and
    the place of a number follows from its cell where few values are in it. Numbers in cells with
    more values are searched for by bisection, so that a skewed distribution costs time, never
    exactness.

    Args:
        values: (K,) ascending and finite; at least one.
    """

    def __init__(self, values: FloatArray) -> None:
        self._values = values
        self._n_asked = 0
        self._cells: _Cells | None = None

    def __call__(self, x: FloatArray) -> IntArray:
        """How many values are at or below each of finite numbers (D,)."""
        self._n_asked += len(x)
        if self._cells is None and self._n_asked > _WORTH_PREPARING * len(self._values):
            self._cells = _Cells(self._values)
        if self._cells is None:
            return np.searchsorted(self._values, x, side="right")
        return self._cells.places(x)


class _Cells:
    """Equal cells over the range of sorted values (K,), and how many values come before each."""

    def __init__(self, values: FloatArray) -> None:
        self._values = values
        n_cells = _CELLS_PER_VALUE * len(values)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            self._scale = float((n_cells - 1) / (values[-1] - values[0]))
        if not self._scale or not np.isfinite(self._scale):
            # The range is no number, or nearly 0: one cell holds all.
            n_cells = 1
        self._last_cell = n_cells - 1
        first = np.searchsorted(self._of(values), np.arange(n_cells + 1), side="left")
        self._first = first.astype(np.int32)

    def places(self, x: FloatArray) -> IntArray:
        """How many values are at or below each of finite numbers (D,)."""
        cells = self._of(x)
        places = self._first[cells].astype(np.int64)
        n_in_cell = self._first[cells + 1] - places
        # The cell rises with the number, so that only the values in it are in question.
        following = self._values[np.minimum(places, len(self._values) - 1)]
        places += (n_in_cell > 0) & (following <= x)
        many = np.flatnonzero(n_in_cell > 1)
        if len(many):
            places[many] = np.searchsorted(self._values, x[many], side="right")
        return places

    def _of(self, x: FloatArray) -> NDArray[np.int32]:
        if not self._last_cell:
            return np.zeros(len(x), dtype=np.int32)
        with np.errstate(over="ignore"):
            cells = np.clip((x - self._values[0]) * self._scale, 0, self._last_cell)
        return cells.astype(np.int32)
