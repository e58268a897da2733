"""A small table from a value to the share of tokens at or below it, fitted once and stored.

It gives ranks to documents that were not in the fit: the rank calibration (merged score -> rank in
a domain) and the rank normalizer (raw score -> sigma) are both such tables.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from quadmix_assets.sampling.validation import (
    FloatArray,
    IntArray,
    check_floats,
    check_tokens,
    share_of,
)

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
        if max_breakpoints < 2:
            raise ValueError(f"max_breakpoints is {max_breakpoints}; expected 2 or more")
        distinct, n_tokens = tokens_per_value(values, tokens)
        up_to = np.cumsum(n_tokens)
        total = np.full(len(distinct), up_to[-1] if len(distinct) else 0)
        share = share_of(up_to, total)
        share_below = np.where(total > 0, share_of(up_to - n_tokens, total), 1.0)
        if len(distinct) > max_breakpoints:
            steps = np.arange(1, max_breakpoints - 1) / (max_breakpoints - 1)
            inner = np.searchsorted(share, steps, side="left")
            rows = np.unique(np.concatenate([[0], inner, [len(distinct) - 1]]))
            distinct, share_below, share = distinct[rows], share_below[rows], share[rows]
        return cls(distinct, share_below, share)

    @property
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
        if not len(self.value):
            return np.ones(len(x))
        left = np.searchsorted(self.value, x, side="right") - 1
        shares = self.share[np.maximum(left, 0)]
        if self.is_exact:
            return shares
        right = np.minimum(left + 1, len(self.value) - 1)
        rise = self.share_below[right] - shares
        between = np.flatnonzero((left >= 0) & (rise > 0) & (x > self.value[left]))
        low, high = self.value[left[between]] / 2, self.value[right[between]] / 2
        # Halves, because the difference of two finite numbers can overflow.
        shares[between] += rise[between] * ((x[between] / 2 - low) / (high - low))
        return shares

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


def tokens_per_value(values: ArrayLike, tokens: ArrayLike) -> tuple[FloatArray, IntArray]:
    """The distinct values in ascending order (K,) and the tokens of each (K,).

    Raises:
        ValueError: shapes disagree, a value is NaN or infinite, or tokens are negative.
    """
    x = check_floats("values", values, (None,))
    counts = check_tokens(tokens, len(x))
    if not len(x):
        return np.empty(0), np.empty(0, dtype=np.int64)
    order = np.argsort(x)
    ordered = x[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    # Adding 0.0 turns -0.0 into 0.0: which of them comes first depends on the documents' order.
    return ordered[starts] + 0.0, np.add.reduceat(counts[order], starts)
