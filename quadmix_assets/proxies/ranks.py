"""Ranks the proxy pool: per theta and domain, the largest merged score within omega (Eqs. 1, 2).

Beyond omega the sampling value is epsilon whatever the rank (Eq. 3). So only the largest merged
score within omega is stored; `samples` recomputes the ranks up to it, which takes milliseconds and
loses no precision.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from quadmix_assets.sampling import PoolIndex, Theta

RANK_TABLE_SCHEMA = {
    "theta_id": pl.Int32,
    "domain": pl.Int32,
    "merged_score": pl.Float64,
    "rank": pl.Float64,
}


def rank_thetas(index: PoolIndex, thetas: Mapping[int, Theta], *, n_threads: int) -> pl.DataFrame:
    """Per theta and domain the largest merged score within omega, and its rank.

    A domain of which no document is within omega has no row.

    Args:
        index: the proxy pool.
        thetas: by theta_id.
        n_threads: thetas ranked in parallel.
    """
    return for_each_theta(
        thetas, lambda theta_id, theta: _limits(index, theta_id, theta), n_threads
    )


def for_each_theta(
    thetas: Mapping[int, Theta], make: Callable[[int, Theta], pl.DataFrame], n_threads: int
) -> pl.DataFrame:
    """Call `make(theta_id, theta)` for every theta, in threads, and concatenate the tables."""
    with ThreadPoolExecutor(n_threads) as executor:
        return pl.concat(executor.map(make, thetas, thetas.values()))


def _limits(index: PoolIndex, theta_id: int, theta: Theta) -> pl.DataFrame:
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
