"""Selects the documents of each theta (Eq. 3), as a table and as samples for training."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from quadmix_assets.proxies.ranks import for_each_theta
from quadmix_assets.sampling import PoolDraw, Theta
from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.training.stacks import Sample

SUBSET_SCHEMA = {"theta_id": pl.Int32, "document": pl.Int32, "copies": pl.Int32}


def select_documents(
    draw: PoolDraw,
    thetas: Mapping[int, Theta],
    ranks: pl.DataFrame,
    seeds: Mapping[int, int],
    *,
    n_threads: int,
) -> pl.DataFrame:
    """The documents that each theta takes at least once: (theta_id, document, copies).

    Args:
        draw: a draw over the proxy pool.
        thetas: by theta_id.
        ranks: their table from `rank_thetas`.
        seeds: of the draw of each, by theta_id.
        n_threads: thetas drawn in parallel.
    """
    limits = ranks.partition_by("theta_id", as_dict=True)

    def selected(theta_id: int, theta: Theta) -> pl.DataFrame:
        of_theta = draw.with_seed(seeds[theta_id])
        return _selection(of_theta, theta_id, theta, limits.get((theta_id,), ranks.clear()))

    return for_each_theta(thetas, selected, n_threads)


def tokens_per_theta(
    subset: pl.DataFrame, theta_ids: Sequence[int], n_tokens: IntArray
) -> IntArray:
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


def samples_of_subset(
    subset: pl.DataFrame, order_seeds: Mapping[int, int], *, seed: int
) -> list[Sample]:
    """The samples of thetas, from a table of `select_documents`; without rows a sample is empty.

    Args:
        subset: the table.
        order_seeds: of the order in which each theta's documents are read, by theta_id.
        seed: of the initial weights of all, so that proxies differ in their data alone.
    """
    groups = subset.partition_by("theta_id", as_dict=True)
    empty = subset.clear()
    samples = []
    for theta_id, order_seed in order_seeds.items():
        rows = groups.get((theta_id,), empty)
        documents, copies = rows["document"].to_numpy(), rows["copies"].to_numpy()
        samples.append(Sample(theta_id, documents, copies, seed, order_seed))
    return samples


def _selection(draw: PoolDraw, theta_id: int, theta: Theta, ranks: pl.DataFrame) -> pl.DataFrame:
    limits = np.full(draw.index.n_domains, -np.inf)
    limits[ranks["domain"].to_numpy()] = ranks["merged_score"].to_numpy()
    taken = draw.copies(theta, limits)
    return pl.DataFrame(
        {
            "theta_id": np.full(taken.documents.size, theta_id),
            "document": taken.documents,
            "copies": taken.copies,
        },
        schema=SUBSET_SCHEMA,
    )
