"""Whole numbers in named groups of cells, which add up exactly in any order."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from quadmix_assets.sampling.validation import IntArray

_SCHEMA = {"group": pl.String, "cell": pl.Int64, "n": pl.Int64}


def tally(counts: Mapping[str, IntArray]) -> pl.DataFrame:
    """The numbers of each group (n_cells,) as a table: group, cell, n; zeros are left out."""
    groups = sorted(counts)
    cells = [np.flatnonzero(counts[group]) for group in groups]
    numbers = [counts[group][held] for group, held in zip(groups, cells, strict=True)]
    which = np.repeat(np.arange(len(groups)), [len(held) for held in cells])
    columns = {
        "group": pl.Series(groups, dtype=pl.String).gather(which),
        "cell": np.concatenate([np.empty(0, dtype=np.int64), *cells]),
        "n": np.concatenate([np.empty(0, dtype=np.int64), *numbers]),
    }
    return pl.DataFrame(columns, schema=_SCHEMA)


def merge_tallies(tallies: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The sum of tallies; of none, an empty one."""
    stacked = pl.concat([pl.DataFrame(schema=_SCHEMA), *tallies])
    summed = stacked.group_by("group", "cell").agg(pl.col("n").sum())
    return summed.filter(pl.col("n") != 0).sort("group", "cell")


def numbers_of(counts: pl.DataFrame, group: str, n_cells: int) -> IntArray:
    """(n_cells,) the numbers of a group of a tally."""
    numbers = np.zeros(n_cells, dtype=np.int64)
    of_group = counts.filter(pl.col("group") == group)
    numbers[of_group["cell"].to_numpy()] = of_group["n"].to_numpy()
    return numbers
