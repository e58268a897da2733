"""A small table from a value to the share of tokens at or below it, fitted once and stored.

It gives ranks to documents that were not in the fit: the rank calibration (merged score -> rank in
a domain) and the rank normalizer (raw score -> sigma) are both such tables.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from quadmix_assets.sampling.sorted_search import SortedSearch
from quadmix_assets.sampling.validation import (
    FloatArray,
    IntArray,
    check_floats,
    check_tokens,
    share_of,
)

_PART = 1 << 14

SCHEMA = {"value": pl.Float64, "share_below": pl.Float64, "share": pl.Float64}


@dataclass(frozen=True, eq=False)
class TokenShareTable:
    """A monotone map: value -> share of tokens in documents with that value or a smaller one.

    Each breakpoint stores the share up to it and the share strictly below it, so that ties are
    exact. Between two breakpoints the share is interpolated linearly; if no fitted value is between
    them, it is constant and exact.

    Args:
        value: (K,) breakpoints, strictly ascending.
        share_below: (K,) share of tokens with a smaller value.
        share: (K,) share of tokens with this or a smaller value; the last is 1.

    Raises:
        ValueError: values or shares do not ascend, or the shares do not end at 1.
    """

    value: FloatArray
    share_below: FloatArray
    share: FloatArray

    def __post_init__(self) -> None:
        """Bring all arrays to float64 and check them."""
        n = len(self.value)
        for name in SCHEMA:
            object.__setattr__(self, name, check_floats(name, getattr(self, name), (n,)))
        if (self.value[1:] <= self.value[:-1]).any():
            raise ValueError(
                "value is not strictly ascending: expected a table that TokenShareTable.fit made"
            )
        steps = np.stack([self.share_below, self.share], axis=1).ravel()
        if n and (steps[0] < 0 or steps[-1] != 1 or (np.diff(steps) < 0).any()):
            raise ValueError(
                "share_below and share do not rise from 0 or more to 1: "
                "expected a table that TokenShareTable.fit made"
            )

    @classmethod
    def fit(
        cls, values: ArrayLike, tokens: ArrayLike, *, max_breakpoints: int
    ) -> "TokenShareTable":
        """Fit the table to the values of all documents.

        Exact for up to `max_breakpoints` distinct values. With more, breakpoints are placed at even
        steps of the token share, always including the first and the last value, and the error of a
        share is at most 1 / (max_breakpoints - 1); `max_error` is the bound of this table. Without
        documents or tokens the table gives 1, the worst rank, for every value.

        Args:
            values: (D,) in any order.
            tokens: (D,) token counts.
            max_breakpoints: 2 or more.

        Raises:
            ValueError: shapes disagree, a value is NaN or infinite, tokens are negative, or
                max_breakpoints is below 2.
        """
        return cls.of_distinct(*tokens_per_value(values, tokens), max_breakpoints=max_breakpoints)

    @classmethod
    def of_distinct(
        cls, distinct: FloatArray, n_tokens: IntArray, *, max_breakpoints: int
    ) -> "TokenShareTable":
        """What `fit` gives, of distinct values in ascending order (V,) and the tokens of each (V,).

        Raises:
            ValueError: max_breakpoints is below 2.
        """
        if max_breakpoints < 2:
            raise ValueError(f"max_breakpoints is {max_breakpoints}; expected 2 or more")
        up_to = np.cumsum(n_tokens)
        total = np.full(len(distinct), up_to[-1] if len(distinct) else 0)
        share = share_of(up_to, total)
        share_below = np.where(total > 0, share_of(up_to - n_tokens, total), 1.0)
        rows = _rows_at_even_shares(share, max_breakpoints)
        return cls(distinct[rows], share_below[rows], share[rows])

    def thinned(self, max_breakpoints: int) -> "TokenShareTable":
        """The table with at most so many of its breakpoints, at even steps of the share."""
        rows = _rows_at_even_shares(self.share, max_breakpoints)
        return TokenShareTable(self.value[rows], self.share_below[rows], self.share[rows])

    @cached_property
    def max_error(self) -> float:
        """Bound of the error of any share: the largest share of tokens between two breakpoints."""
        return float(np.max(self.share_below[1:] - self.share[:-1], initial=0.0))

    @property
    def is_exact(self) -> bool:
        """Whether the table gives the exact share of the fitted documents for every value."""
        return self.max_error == 0.0

    def __call__(self, values: ArrayLike) -> FloatArray:
        """Shares (D,) of the values (D,).

        Below the first breakpoint the share is that of the first one: a document better than all
        fitted ones gets the rank of the best of them. Above the last it is 1.

        Raises:
            ValueError: a value is NaN or infinite.
        """
        x = check_floats("values", values, (None,))
        shares = np.ones(len(x))
        if len(self.value):
            # In parts that stay in the processor's cache with all that is computed of them.
            for start in range(0, len(x), _PART):
                part = slice(start, start + _PART)
                shares[part] = self._shares(x[part])
        return shares

    def _shares(self, x: FloatArray) -> FloatArray:
        """Shares (D,) of finite values (D,); the table has breakpoints."""
        left = np.maximum(self._search(x) - 1, 0)
        if self.is_exact:
            return self.share[left]
        # Halves, because the difference of two finite numbers can overflow.
        part = (np.maximum(x, self.value[0]) / 2 - self._starts[left]) / self._widths[left]
        found: FloatArray = self.share[left] + self._rises[left] * part
        return found

    @cached_property
    def _search(self) -> SortedSearch:
        return SortedSearch(self.value)

    @cached_property
    def _starts(self) -> FloatArray:
        """(K,) half of each breakpoint."""
        return self.value / 2

    @cached_property
    def _widths(self) -> FloatArray:
        """(K,) half of the distance to the next breakpoint; 1 where nothing lies between."""
        widths = np.append(np.diff(self._starts), 1.0)
        return np.where(widths > 0, widths, 1.0)

    @cached_property
    def _rises(self) -> FloatArray:
        """(K,) share of the tokens between a breakpoint and the next one."""
        return np.append(self.share_below[1:] - self.share[:-1], 0.0)

    def value_for(self, share: float) -> float | None:
        """The largest breakpoint with that share or a smaller one; None if there is none."""
        row = int(np.searchsorted(self.share, share, side="right")) - 1
        return float(self.value[row]) if row >= 0 else None

    def to_frame(self) -> pl.DataFrame:
        """The table as columns value, share_below, share; one row per breakpoint."""
        return pl.DataFrame({name: getattr(self, name) for name in SCHEMA}, schema=SCHEMA)

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> "TokenShareTable":
        """The inverse of `to_frame`; other columns are ignored.

        Raises:
            ValueError: a column is missing, or the rows are not a valid table.
        """
        missing = [name for name in SCHEMA if name not in frame.columns]
        if missing:
            raise ValueError(
                f"no column {', '.join(missing)} among {frame.columns}: "
                "expected a table that TokenShareTable.to_frame wrote"
            )
        return cls(*(frame[name].to_numpy() for name in SCHEMA))


def _rows_at_even_shares(share: FloatArray, most: int) -> IntArray:
    """At most `most` rows of ascending shares (K,), the first and the last among them."""
    if len(share) <= most:
        return np.arange(len(share))
    inner = np.searchsorted(share, np.arange(1, most - 1) / (most - 1), side="left")
    return np.unique(np.concatenate([[0], inner, [len(share) - 1]]))


def tokens_per_value(values: ArrayLike, tokens: ArrayLike) -> tuple[FloatArray, IntArray]:
    """The distinct values in ascending order (K,) and the tokens of each (K,).

    Raises:
        ValueError: shapes disagree, a value is NaN or infinite, or tokens are negative.
    """
    x = check_floats("values", values, (None,))
    return group_by_value(x, check_tokens(tokens, len(x)))


def group_by_value(
    values: FloatArray, n_tokens: IntArray, *, in_runs: bool = False
) -> tuple[FloatArray, IntArray]:
    """What `tokens_per_value` gives, of arrays that were checked before.

    Args:
        values: (D,) finite.
        n_tokens: (D,) int64.
        in_runs: whether the values are made of a few ascending runs, which are then merged.
    """
    if not len(values):
        return np.empty(0), np.empty(0, dtype=np.int64)
    order = np.argsort(values, kind="stable" if in_runs else "quicksort")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    # Adding 0.0 turns -0.0 into 0.0: which of them comes first depends on the documents' order.
    return ordered[starts] + 0.0, np.add.reduceat(n_tokens[order], starts)
