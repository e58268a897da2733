"""Statistics of domains: sizes, preferences of the criteria, confidence of the labels."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from quadmix_assets.features.scored_documents import ScoredDocuments
from quadmix_assets.outputs import DOMAIN_LABELS
from quadmix_assets.sampling.share_table import tokens_per_value
from quadmix_assets.store import Store

N_CONFIDENCE_BINS = 40


def tokens_per_domain(pool: ScoredDocuments, n_domains: int) -> np.ndarray:
    """Tokens (M,) of each domain, int64."""
    return _count(pool.domains, pool.n_tokens, n_domains)


def domain_counts(pool: ScoredDocuments, domain_names: Sequence[str]) -> pl.DataFrame:
    """Columns domain, n_documents, n_tokens; one row per domain, in the order of the names."""
    return pl.DataFrame(
        {
            "domain": list(domain_names),
            "n_documents": np.bincount(pool.domains, minlength=len(domain_names)),
            "n_tokens": tokens_per_domain(pool, len(domain_names)),
        }
    )


def top_domain_shares(
    scores: np.ndarray, n_tokens: np.ndarray, domains: np.ndarray, *, n_domains: int, top: float
) -> np.ndarray:
    """Each domain's share of the tokens in the best part of the pool by one criterion (Figure 1).

    The part holds exactly the share `top` of the pool's tokens. Documents that tie at its border
    all count with the same fraction of their tokens, so that neither their shards nor their ids,
    which often name the source, decide.

    Args:
        scores: (D,) raw scores, larger is better.
        n_tokens: (D,) int64.
        domains: (D,) index into the M domains.
        n_domains: M.
        top: share of the pool's tokens, in (0, 1].

    Returns:
        (M,) shares that add up to 1; zeros if the pool has no tokens. Bit-identical for any order
        of the documents.

    Raises:
        ValueError: `top` is not in (0, 1], or a score is NaN or infinite.
    """
    if not 0 < top <= 1:
        raise ValueError(f"top is {top}; expected a share above 0 and up to 1")
    values, tokens = tokens_per_value(-np.asarray(scores, dtype=np.float64), n_tokens)
    cumulative = np.cumsum(tokens)
    total = int(cumulative[-1]) if len(cumulative) else 0
    if not total:
        return np.zeros(n_domains)
    wanted = top * total
    border = min(int(np.searchsorted(cumulative, wanted)), len(values) - 1)
    before = int(cumulative[border] - tokens[border])
    above = _count(domains, np.where(-scores < values[border], n_tokens, 0), n_domains)
    at_border = _count(domains, np.where(-scores == values[border], n_tokens, 0), n_domains)
    fraction = (wanted - before) / int(tokens[border])
    return np.asarray((above + fraction * at_border) / wanted)


def mean_sigma(
    sigma: np.ndarray, n_tokens: np.ndarray, domains: np.ndarray, *, n_domains: int
) -> np.ndarray:
    """Token-weighted mean sigma of each domain, smaller is better.

    Args:
        sigma: (D, N) normalized scores.
        n_tokens: (D,) int64.
        domains: (D,) index into the M domains.
        n_domains: M.

    Returns:
        (M + 1, N), the last row for the whole pool; NaN where there are no tokens. The sums are
        rounded once, so they are bit-identical for any order of the documents.
    """
    means = np.full((n_domains + 1, sigma.shape[1]), np.nan)
    for domain in range(n_domains + 1):
        members = domains == domain if domain < n_domains else np.ones(len(domains), bool)
        total = int(n_tokens[members].sum())
        if total:
            weighted = sigma[members] * n_tokens[members, None]
            means[domain] = [math.fsum(column) / total for column in weighted.T]
    return means


def confidence_counts(store: Store, shards: Sequence[str]) -> np.ndarray:
    """Documents in each of `N_CONFIDENCE_BINS` equal bins of confidence from 0 to 1, int64.

    Raises:
        MissingOutputError: a shard is not labelled.
    """
    counts = np.zeros(N_CONFIDENCE_BINS, dtype=np.int64)
    for shard in shards:
        labels = store.read_table(store.table_path(DOMAIN_LABELS, shard), ["confidence"])
        # Rounding can put a softmax slightly above 1.
        values = labels["confidence"].to_numpy().clip(0.0, 1.0)
        counts += np.histogram(values, bins=N_CONFIDENCE_BINS, range=(0.0, 1.0))[0]
    return counts


def _count(domains: np.ndarray, n_tokens: np.ndarray, n_domains: int) -> np.ndarray:
    # Weights are summed as float64, which is exact up to 2**53 tokens.
    return np.bincount(domains, weights=n_tokens, minlength=n_domains).astype(np.int64)
