"""Statistics of domains: sizes, preferences of the criteria, confidence of the labels."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from quadmix_assets.outputs import DOMAIN_LABELS
from quadmix_assets.sampling.share_table import tokens_per_value
from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.store import Store

N_CONFIDENCE_BINS = 40

# Binary places that sums of sigma keep, and how many of them are summed by themselves.
_BITS, _LOW_BITS = 30, 24


def domain_counts(
    n_documents: IntArray, n_tokens: IntArray, domain_names: Sequence[str]
) -> pl.DataFrame:
    """Columns domain, n_documents, n_tokens; one row per domain, in the order of the names.

    Args:
        n_documents, n_tokens: (M,) of each domain.
        domain_names: the M names.
    """
    return pl.DataFrame(
        {"domain": list(domain_names), "n_documents": n_documents, "n_tokens": n_tokens}
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


def sigma_sums(
    sigma: np.ndarray, n_tokens: np.ndarray, domains: np.ndarray, n_domains: int
) -> IntArray:
    """Sums of sigma over the tokens of each domain, as whole numbers, which add up in any order.

    A document's sigma times its tokens is rounded to 2**-30, and split into multiples of 2**-6 and
    the rest, so that the sums of 10**14 tokens fit 64 bits.

    Args:
        sigma: (D,) normalized scores by one criterion.
        n_tokens: (D,) int64.
        domains: (D,) index into the M domains.
        n_domains: M.

    Returns:
        (M, 2) sums of multiples of 2**-6, and of the rests in 2**-30.
    """
    fixed = np.rint(sigma * n_tokens * 2.0**_BITS).astype(np.int64)
    parts = (fixed >> _LOW_BITS, fixed & (2**_LOW_BITS - 1))
    return np.column_stack([_count(domains, part, n_domains) for part in parts])


def mean_of_sums(sums: IntArray, n_tokens: IntArray) -> np.ndarray:
    """Token-weighted mean sigma of each domain, smaller is better.

    Args:
        sums: (M, 2) of `sigma_sums`, added up over shards.
        n_tokens: (M,) of each domain.

    Returns:
        (M + 1,) means, the last of the whole pool; NaN where there are no tokens.
    """
    totals = [*n_tokens.tolist(), int(n_tokens.sum())]
    # Whole numbers of Python, which have as many digits as they need.
    fixed = [(high << _LOW_BITS) + low for high, low in sums.tolist()]
    return np.array(
        [
            value / (tokens << _BITS) if tokens else math.nan
            for value, tokens in zip([*fixed, sum(fixed)], totals, strict=True)
        ]
    )


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
