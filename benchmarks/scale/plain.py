"""What somebody would write without this project: the exact token shares of a pool's scores.

Each reads the same tables of scores and gives, per criterion, the share of tokens in documents that
score better or equal, at a few scores. All hold the pool in memory at once.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

Shares = dict[str, list[float]]


def plain_sort(files: list[Path], criteria: Sequence[str], at: dict[str, list[float]]) -> Shares:
    """By numpy: sort, cumulate, look up."""
    shares = {}
    for name in criteria:
        frame = pl.read_parquet(files, columns=["n_tokens", name])
        score, n_tokens = frame[name].to_numpy(), frame["n_tokens"].to_numpy()
        del frame
        order = np.argsort(score)
        below = np.concatenate([[0], np.cumsum(n_tokens[order])])
        position = np.searchsorted(score[order], at[name], side="left")
        shares[name] = [float(share) for share in 1 - below[position] / below[-1]]
    return shares


def plain_polars(files: list[Path], criteria: Sequence[str], at: dict[str, list[float]]) -> Shares:
    """By Polars: a cumulative sum over the sorted scores, one criterion after the other."""
    shares = {}
    for name in criteria:
        ranked = (
            pl.scan_parquet(files)
            .select(name, "n_tokens")
            .sort(name, descending=True)
            .with_columns(pl.col("n_tokens").cum_sum().alias("up_to"))
            .with_columns((pl.col("up_to") / pl.col("n_tokens").sum()).alias("share"))
        )
        wanted = [
            ranked.filter(pl.col(name) >= value).select(pl.col("share").max()) for value in at[name]
        ]
        shares[name] = [float(frame.item() or 0.0) for frame in pl.collect_all(wanted)]
    return shares


def duckdb_window(files: list[Path], criteria: Sequence[str], at: dict[str, list[float]]) -> Shares:
    """By DuckDB: a window over the ordered scores."""
    shares = {}
    with duckdb.connect() as connection:
        for name in criteria:
            picked = ", ".join(
                f"coalesce(max(share) FILTER (WHERE score >= {value!r}), 0.0)" for value in at[name]
            )
            row = connection.execute(
                f"""SELECT {picked} FROM (
                SELECT {name} AS score, sum(n_tokens) OVER (ORDER BY {name} DESC)
                    / sum(n_tokens) OVER () AS share
                FROM read_parquet($files))""",
                {"files": [str(file) for file in files]},
            ).fetchone()
            assert row is not None
            shares[name] = [float(share) for share in row]
    return shares


PLAIN: dict[str, Callable[[list[Path], Sequence[str], dict[str, list[float]]], Shares]] = {
    "plain sort": plain_sort,
    "plain Polars": plain_polars,
    "DuckDB window": duckdb_window,
}
