"""Tokens by value of a pool of any size, in bounded memory: what tables of shares are fitted on.

Values and their tokens are added piece by piece. As long as few are distinct, all are kept. When
they become too many, neighbouring values are joined to groups of about equal tokens, each of which
its median stands for; groups of several pieces are joined again in the same way, in a tree, so that
the error grows with the logarithm of the number of documents and not with the number of pieces.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quadmix_assets.sampling.share_table import TokenShareTable, group_by_value, tokens_per_value
from quadmix_assets.sampling.validation import FloatArray, IntArray, check_floats, check_tokens

MAX_VALUES = 100_000
# Rows of a level of the tree that are collected before they are joined.
_ROWS_PER_VALUE = 5
_PART = 1 << 16
# Of one table, so that it is thinned from many more values than it keeps.
_VALUES_PER_BREAKPOINT = 4


@dataclass(frozen=True, eq=False)
class _Piece:
    """Tokens (V,) of values (V,), which ascend and are distinct."""

    values: FloatArray
    tokens: IntArray


class ShareSummary:
    """Tokens by value, of which many are kept: all while few are distinct, else groups of them.

    Exact while no more than `5 * max_values` values are added, or no more than half as many are
    distinct. The tokens at or below any value are off by at most `max_error` of all tokens: at most
    1 / (2 * (max_values - 2)) for each level of the tree, of which there are about
    log5(documents / 500,000) at the default; the first and the last value are always exact.

    The result depends on the values, their tokens, and, once groups are joined, on the order in
    which they were added: whoever sums up shards adds them in the order of their names. Where it is
    exact, the order changes no bit.

    Args:
        max_values: that are kept when values are joined; 4 or more.

    Raises:
        ValueError: max_values is below 4.
    """

    def __init__(self, max_values: int = MAX_VALUES) -> None:
        if max_values < 4:
            raise ValueError(f"max_values is {max_values}; expected 4 or more")
        self.max_values = max_values
        self._capacity = _ROWS_PER_VALUE * max_values
        self._levels: list[list[_Piece]] = [[]]
        # Of the pieces that were joined, each in tokens: they add up, as the pieces do.
        self._wrong_tokens = 0
        self.n_tokens = 0

    @classmethod
    def of_breakpoints(cls, max_breakpoints: int) -> "ShareSummary":
        """An empty one, for a table with so many breakpoints."""
        return cls(max(MAX_VALUES, _VALUES_PER_BREAKPOINT * max_breakpoints))

    def add(self, values: ArrayLike, tokens: ArrayLike) -> None:
        """Add documents with values (D,) in any order and token counts (D,).

        Raises:
            ValueError: shapes disagree, a value is NaN or infinite, or tokens are negative.
        """
        x = check_floats("values", values, (None,))
        counts = check_tokens(tokens, len(x))
        self.n_tokens += int(counts.sum())
        # Short arrays are sorted faster than their values together.
        for start in range(0, len(x), _PART):
            part = slice(start, start + _PART)
            self._put(0, _Piece(*group_by_value(x[part], counts[part])))

    @property
    def max_error(self) -> float:
        """Bound of the error of the share of tokens at or below any value."""
        return self._wrong_tokens / self.n_tokens if self.n_tokens else 0.0

    @property
    def is_exact(self) -> bool:
        """Whether all values are kept."""
        return not self._wrong_tokens

    def tokens_per_value(self) -> tuple[FloatArray, IntArray]:
        """The values that are kept, ascending and distinct (V,), and the tokens of each (V,)."""
        return _joined([piece for level in self._levels for piece in level])

    def table(self, max_breakpoints: int) -> TokenShareTable:
        """The table of what was added; see `TokenShareTable.fit`."""
        return TokenShareTable.of_distinct(
            *self.tokens_per_value(), max_breakpoints=max_breakpoints
        )

    def _put(self, number: int, piece: _Piece) -> None:
        """Add a piece to a level, and join the level if it is full."""
        if number == len(self._levels):
            self._levels.append([])
        level = self._levels[number]
        level.append(piece)
        if sum(len(each.values) for each in level) < self._capacity:
            return
        values, tokens = _joined(level)
        if len(values) <= self._capacity // 2:
            self._levels[number] = [_Piece(values, tokens)]
            return
        self._levels[number] = []
        values, tokens, wrong = _grouped(values, tokens, self.max_values)
        self._wrong_tokens += wrong
        self._put(number + 1, _Piece(values, tokens))


def thinned_values(
    values: ArrayLike, tokens: ArrayLike, max_values: int
) -> tuple[FloatArray, IntArray, int]:
    """Tokens by value of some documents, at few of their values; whatever their order.

    Args:
        values: (D,) in any order.
        tokens: (D,) token counts.
        max_values: 4 or more.

    Returns:
        At most `max_values` values, ascending and distinct (V,), the tokens that each stands for
        (V,), and by how many tokens the tokens at or below any value, or below it, may be off: 0
        while no more values are distinct, else at most a `max_values - 2`th of all.

    Raises:
        ValueError: max_values is below 4, shapes disagree, a value is NaN or infinite, or tokens
            are negative.
    """
    if max_values < 4:
        raise ValueError(f"max_values is {max_values}; expected 4 or more")
    distinct, n_tokens = tokens_per_value(values, tokens)
    if len(distinct) <= max_values:
        return distinct, n_tokens, 0
    return _grouped(distinct, n_tokens, max_values)


def _joined(pieces: list[_Piece]) -> tuple[FloatArray, IntArray]:
    if not pieces:
        return np.empty(0), np.empty(0, dtype=np.int64)
    return group_by_value(
        np.concatenate([piece.values for piece in pieces]),
        np.concatenate([piece.tokens for piece in pieces]),
        in_runs=True,
    )


def _grouped(
    values: FloatArray, tokens: IntArray, max_values: int
) -> tuple[FloatArray, IntArray, int]:
    """Join neighbours of distinct ascending values (V,) to at most `max_values` groups.

    The first and the last value stay alone, and no group has more than a `max_values - 2`th of the
    tokens, unless a single value has.

    Returns:
        The token-weighted medians of the groups, their tokens, and by how many tokens the tokens at
        or below any value may be off.
    """
    up_to = np.cumsum(tokens)
    # Whole numbers, so that the groups do not depend on rounding.
    step = max(-(-int(up_to[-1]) // (max_values - 2)), 1)
    group = np.maximum(up_to - 1, 0) // step
    is_first = np.empty(len(values), dtype=bool)
    is_first[0] = is_first[1] = is_first[-1] = True
    is_first[2:-1] = group[2:-1] != group[1:-2]
    first = np.flatnonzero(is_first)
    last = np.append(first[1:], len(values)) - 1
    before = up_to[first] - tokens[first]
    n_tokens = up_to[last] - before
    median = np.searchsorted(up_to, before + (n_tokens + 1) // 2, side="left")
    median = np.clip(median, first, last)
    below = up_to[median] - tokens[median] - before
    above = up_to[last] - up_to[median]
    return values[median], n_tokens, int(max(below.max(), above.max()))
