"""Per theta: merged score -> rank tables (Eqs. 1 and 2), and the documents they select (Eq. 3)."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import polars as pl

from quadmix_assets.sampling import Best, PoolDraw, PoolIndex, Theta

RANK_TABLE_SCHEMA = {
    "theta_id": pl.Int32,
    "domain": pl.Int32,
    "merged_score": pl.Float64,
    "rank": pl.Float64,
}
SUBSET_SCHEMA = {"theta_id": pl.Int32, "document": pl.Int32, "copies": pl.Int32}


def rank_table(
    index: PoolIndex, theta: Theta, number: int, *, max_breakpoints: int
) -> pl.DataFrame:
    """Merged score -> rank of one theta, per domain, up to omega.

    Beyond omega the sampling value is epsilon whatever the rank, so the table ends there. It has
    one row per distinct merged score, ordered by domain and score, or where a domain has more than
    `max_breakpoints` of them, about that many at even steps of rank, always with the first and the
    last: the last is the exact border of what theta selects.

    Args:
        index: the proxy pool.
        theta: the parameters.
        number: the number of theta, for the column `theta`.
        max_breakpoints: rows a domain has at most, 2 or more.
    """
    best = index.best(theta)
    rows = _breakpoints(best, index.n_domains, max_breakpoints)
    return pl.DataFrame(
        {
            "theta_id": np.full(rows.size, number),
            "domain": best.domains[rows],
            "merged_score": best.merged[rows],
            "rank": best.ranks[rows],
        },
        schema=RANK_TABLE_SCHEMA,
    )


def select_documents(
    draw: PoolDraw, theta: Theta, table: pl.DataFrame, number: int
) -> pl.DataFrame:
    """The documents that theta takes at least once, and how often: (theta, document, copies).

    Args:
        draw: the draw over the proxy pool.
        theta: the parameters.
        table: their `rank_table`; it says up to which merged score documents are ranked at all.
        number: the number of theta.
    """
    limits = np.full(draw.index.n_domains, -np.inf)
    limits[table["domain"].to_numpy()] = table["merged_score"].to_numpy()  # the last one stays
    taken = draw.copies(theta, limits)
    return pl.DataFrame(
        {
            "theta_id": np.full(taken.documents.size, number),
            "document": taken.documents,
            "copies": taken.copies,
        },
        schema=SUBSET_SCHEMA,
    )


def for_each_theta(
    thetas: Mapping[int, Theta], make: Callable[[int, Theta], pl.DataFrame], *, n_threads: int
) -> list[pl.DataFrame]:
    """`make(number, theta)` of every theta, in order, several at a time."""
    with ThreadPoolExecutor(n_threads) as executor:
        return list(executor.map(make, thetas, thetas.values()))


def _breakpoints(best: Best, n_domains: int, max_breakpoints: int) -> np.ndarray:
    """Rows of `best`, the last of a tie each, that a table keeps."""
    is_last = np.ones(len(best.merged), bool)
    is_last[:-1] = (best.merged[1:] != best.merged[:-1]) | (best.domains[1:] != best.domains[:-1])
    lasts = np.flatnonzero(is_last)
    starts = np.searchsorted(best.domains[lasts], np.arange(n_domains + 1))
    kept = []
    for start, end in pairwise(starts):
        of_domain = lasts[start:end]
        if len(of_domain) > max_breakpoints:
            ranks = best.ranks[of_domain]
            steps = np.linspace(ranks[0], ranks[-1], max_breakpoints)
            # Documents without tokens share the rank of the one before: the last must stay.
            rows = np.append(np.searchsorted(ranks, steps), len(of_domain) - 1)
            of_domain = of_domain[np.unique(rows)]
        kept.append(of_domain)
    return np.concatenate(kept)
