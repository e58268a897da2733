"""Per theta: merged score -> rank tables (Eqs. 1 and 2), and the documents they select (Eq. 3)."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from quadmix_assets.sampling import (
    Theta,
    draw_copies,
    merge_scores,
    rank_within_domains,
    sampling_value,
)

RANK_TABLE_SCHEMA = {
    "theta": pl.Int32,
    "domain": pl.Int32,
    "merged_score": pl.Float64,
    "rank": pl.Float64,
}
SUBSET_SCHEMA = {"theta": pl.Int32, "document": pl.Int32, "copies": pl.Int32}


@dataclass(frozen=True)
class ProxyDocuments:
    """What the method knows of the D documents of the proxy pool.

    Attributes:
        id_hashes: (D,) uint64.
        n_tokens: (D,) int64.
        domains: (D,) int32.
        sigma: (D, N) normalised scores, smaller is better.
    """

    id_hashes: np.ndarray
    n_tokens: np.ndarray
    domains: np.ndarray
    sigma: np.ndarray


def rank_table(documents: ProxyDocuments, theta: Theta, number: int) -> pl.DataFrame:
    """Merged score -> rank of one theta, per domain, up to omega.

    Beyond omega the sampling value is epsilon whatever the rank, so the table ends there: it has
    one row per distinct merged score with rank <= omega, ordered by domain and score.
    """
    merged = merge_scores(documents.sigma, documents.domains, theta.alpha)
    ranks = rank_within_domains(merged, documents.domains, documents.n_tokens)
    inside = np.flatnonzero(ranks <= theta.omega[documents.domains])
    rows = pl.DataFrame(
        {
            "theta": np.full(inside.size, number),
            "domain": documents.domains[inside],
            "merged_score": merged[inside],
            "rank": ranks[inside],
        },
        schema=RANK_TABLE_SCHEMA,
    )
    return rows.unique(["domain", "merged_score"], keep="first").sort("domain", "merged_score")


def select_documents(
    documents: ProxyDocuments, theta: Theta, table: pl.DataFrame, number: int, *, seed: int
) -> pl.DataFrame:
    """The documents that theta takes at least once, and how often: (document, copies).

    Args:
        documents: the proxy pool.
        theta: the parameters.
        table: their `rank_table`.
        number: the number of theta.
        seed: the seed of the draw.
    """
    merged = merge_scores(documents.sigma, documents.domains, theta.alpha)
    ranks = _look_up(merged, documents.domains, table, n_domains=len(theta.omega))
    values = sampling_value(
        ranks, documents.domains, theta.lam, theta.omega, theta.eta, theta.epsilon
    )
    copies = draw_copies(values, documents.id_hashes, seed)
    taken = np.flatnonzero(copies)
    return pl.DataFrame(
        {"theta": np.full(taken.size, number), "document": taken, "copies": copies[taken]},
        schema=SUBSET_SCHEMA,
    )


def _look_up(
    merged: np.ndarray, domains: np.ndarray, table: pl.DataFrame, *, n_domains: int
) -> np.ndarray:
    """The rank of each merged score; scores beyond the table get 1, the worst rank."""
    ranks = np.ones(len(merged))
    table_domains = table["domain"].to_numpy()
    scores, table_ranks = table["merged_score"].to_numpy(), table["rank"].to_numpy()
    starts = np.searchsorted(table_domains, np.arange(n_domains + 1))
    for domain, (start, end) in enumerate(pairwise(starts)):
        if start == end:
            continue
        members = np.flatnonzero(domains == domain)
        members = members[merged[members] <= scores[end - 1]]
        ranks[members] = table_ranks[start + np.searchsorted(scores[start:end], merged[members])]
    return ranks
