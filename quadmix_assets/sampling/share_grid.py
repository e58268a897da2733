"""How far a pool is from the table of shares that was fitted on an earlier one, from mere counts.

The line of values is cut at some of the table's breakpoints. The tokens of the pool's documents in
each piece are whole numbers, which add up over shards in any order; from their sums follows the
distance of Kolmogorov and Smirnov at every cut, exactly.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quadmix_assets.sampling.share_table import TokenShareTable
from quadmix_assets.sampling.validation import IntArray, check_floats


@dataclass(frozen=True, eq=False)
class ShareGrid:
    """K breakpoints of a table, which cut the line into 2 K + 1 cells.

    Cell 2 i + 1 is breakpoint i itself; cell 2 i is what lies between it and the one before.

    Attributes:
        cuts: the table with these breakpoints alone.
    """

    cuts: TokenShareTable

    @classmethod
    def of(cls, table: TokenShareTable, max_points: int) -> "ShareGrid":
        """All breakpoints of a table, or `max_points` of them at even steps of the share."""
        return cls(table.thinned(max_points))

    @property
    def n_cells(self) -> int:
        """2 K + 1."""
        return 2 * len(self.cuts.value) + 1

    @property
    def max_error(self) -> float:
        """How much larger than `distance` the distance at a value between two cuts can be."""
        return self.cuts.max_error

    def tokens_per_cell(self, values: ArrayLike, n_tokens: IntArray) -> IntArray:
        """(2 K + 1,) tokens of documents with values (D,) and tokens (D,) in each cell.

        Raises:
            ValueError: a value is NaN or infinite.
        """
        x = check_floats("values", values, (None,))
        cuts = self.cuts.value
        n_below = np.searchsorted(cuts, x, side="left")
        cells = 2 * n_below
        if len(cuts):
            cells += cuts[np.minimum(n_below, len(cuts) - 1)] == x
        # Weights are summed as float64, which is exact up to 2**53 tokens.
        counts = np.bincount(cells, weights=n_tokens, minlength=self.n_cells)
        return counts.astype(np.int64)

    def distance(self, tokens: IntArray) -> float:
        """Largest distance between the table's share and that of a pool, in [0, 1].

        It is exact at the breakpoints and on both sides of them, and so everywhere for a table that
        is exact and whose breakpoints are all in the grid; else off by at most `max_error`. A
        document below the first breakpoint gets the share of that one. A table that was fitted on
        no tokens is as far from a pool with tokens as can be.

        Args:
            tokens: (2 K + 1,) sums of `tokens_per_cell` over the shards of the pool.
        """
        up_to = np.cumsum(tokens)
        total = int(up_to[-1])
        if not total:
            return 0.0
        if not len(self.cuts.value):
            return 1.0
        shares = up_to / total
        at = np.abs(shares[1::2] - self.cuts.share).max()
        below = np.abs(shares[2:-1:2] - self.cuts.share_below[1:]).max(initial=0.0)
        first = max(abs(shares[0] - self.cuts.share[0]), self.cuts.share[0]) if tokens[0] else 0.0
        return float(max(at, below, first))
