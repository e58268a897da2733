"""Per theta: the border of the documents within omega (Eqs. 1 and 2), and the selection (Eq. 3).

Beyond omega the sampling value is epsilon whatever the rank. So to select documents it is enough to
know, for each domain, the last merged score within omega; ranks below it are computed again, which
takes milliseconds and loses no precision.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from quadmix_assets.sampling import PoolDraw, PoolIndex, Theta
from quadmix_assets.sampling.validation import IntArray

RANK_TABLE_SCHEMA = {
    "theta_id": pl.Int32,
    "domain": pl.Int32,
    "merged_score": pl.Float64,
    "rank": pl.Float64,
}
SUBSET_SCHEMA = {"theta_id": pl.Int32, "document": pl.Int32, "copies": pl.Int32}


def rank_thetas(index: PoolIndex, thetas: Mapping[int, Theta], *, n_threads: int) -> pl.DataFrame:
    """Per theta and domain the largest merged score within omega, and its rank.

    A domain of which no document is within omega has no row.

    Args:
        index: the proxy pool.
        thetas: by theta_id.
        n_threads: how many thetas are ranked at a time.
    """
    return _for_each_theta(
        thetas, lambda theta_id, theta: _border(index, theta_id, theta), n_threads
    )


def select_documents(
    draw: PoolDraw, thetas: Mapping[int, Theta], ranks: pl.DataFrame, *, n_threads: int
) -> pl.DataFrame:
    """The documents that each theta takes at least once: (theta_id, document, copies).

    Args:
        draw: the draw over the proxy pool.
        thetas: by theta_id.
        ranks: their table of `rank_thetas`.
        n_threads: how many thetas are drawn for at a time.
    """
    borders = ranks.partition_by("theta_id", as_dict=True)

    def selected(theta_id: int, theta: Theta) -> pl.DataFrame:
        return _selection(draw, theta_id, theta, borders.get((theta_id,), ranks.clear()))

    return _for_each_theta(thetas, selected, n_threads)


def tokens_per_theta(subset: pl.DataFrame, theta_ids: list[int], n_tokens: IntArray) -> IntArray:
    """Tokens that each theta's sample holds, copies counted: (T,) int64.

    Args:
        subset: the table of `select_documents`.
        theta_ids: (T,) in ascending order.
        n_tokens: (D,) tokens of the documents of the proxy pool.
    """
    tokens = n_tokens[subset["document"].to_numpy()] * subset["copies"].to_numpy()
    totals = np.zeros(len(theta_ids), np.int64)
    np.add.at(totals, np.searchsorted(theta_ids, subset["theta_id"].to_numpy()), tokens)
    return totals


def _border(index: PoolIndex, theta_id: int, theta: Theta) -> pl.DataFrame:
    best = index.best(theta)
    last_of_domain = np.ones(len(best.domains), bool)
    last_of_domain[:-1] = best.domains[1:] != best.domains[:-1]
    rows = np.flatnonzero(last_of_domain)
    return pl.DataFrame(
        {
            "theta_id": np.full(rows.size, theta_id),
            "domain": best.domains[rows],
            "merged_score": best.merged[rows],
            "rank": best.ranks[rows],
        },
        schema=RANK_TABLE_SCHEMA,
    )


def _selection(draw: PoolDraw, theta_id: int, theta: Theta, border: pl.DataFrame) -> pl.DataFrame:
    limits = np.full(draw.index.n_domains, -np.inf)
    limits[border["domain"].to_numpy()] = border["merged_score"].to_numpy()
    taken = draw.copies(theta, limits)
    return pl.DataFrame(
        {
            "theta_id": np.full(taken.documents.size, theta_id),
            "document": taken.documents,
            "copies": taken.copies,
        },
        schema=SUBSET_SCHEMA,
    )


def _for_each_theta(
    thetas: Mapping[int, Theta], make: Callable[[int, Theta], pl.DataFrame], n_threads: int
) -> pl.DataFrame:
    with ThreadPoolExecutor(n_threads) as executor:
        return pl.concat(executor.map(make, thetas, thetas.values()))
