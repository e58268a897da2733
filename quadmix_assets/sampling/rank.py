"""Eq. 2 of the paper: a document's rank by merged score among the tokens of its domain."""

import numpy as np
from numpy.typing import ArrayLike

from quadmix_assets.sampling.validation import (
    FloatArray,
    IntArray,
    check_domains,
    check_floats,
    check_tokens,
    share_of,
)


def rank_within_domains(merged: ArrayLike, domains: ArrayLike, tokens: ArrayLike) -> FloatArray:
    """Ranks (D,): the share of the domain's tokens in documents that score as well or better.

    The best document has the smallest rank, the worst has 1. Documents with the same merged score
    share one rank, that of the whole group. The rank of a document without tokens can be 0, if no
    document with tokens scores as well. In a domain without any tokens every rank is 1, the worst.

    Tokens are summed as integers, so ranks do not depend on the order of the documents. O(D log D).

    Args:
        merged: (D,) merged scores, smaller is better.
        domains: (D,) domain index of each document.
        tokens: (D,) token count of each document.

    Raises:
        ValueError: shapes disagree, a score is NaN or infinite, tokens or a domain index negative.
    """
    scores = check_floats("merged", merged, (None,))
    domain_of = check_domains(domains, len(scores))
    counts = check_tokens(tokens, len(scores))
    if not len(scores):
        return np.empty(0)
    sizes = np.bincount(domain_of)
    order = _order_by_domain_and_score(scores, domain_of, sizes)

    sorted_scores = scores[order]
    domain_ends = np.cumsum(sizes)
    is_group_end = np.empty(len(scores), dtype=bool)
    np.not_equal(sorted_scores[1:], sorted_scores[:-1], out=is_group_end[:-1])
    is_group_end[domain_ends[domain_ends > 0] - 1] = True
    group_ends = np.flatnonzero(is_group_end)

    n_tokens_up_to = np.zeros(len(scores) + 1, dtype=np.int64)
    np.cumsum(counts[order], out=n_tokens_up_to[1:])
    n_before_domain = n_tokens_up_to[domain_ends - sizes]
    n_in_domain = n_tokens_up_to[domain_ends] - n_before_domain
    group_domain = domain_of[order[group_ends]]
    n_in_group_or_better = n_tokens_up_to[group_ends + 1] - n_before_domain[group_domain]
    group_rank = share_of(n_in_group_or_better, n_in_domain[group_domain])
    ranks = np.empty(len(scores))
    ranks[order] = np.repeat(group_rank, np.diff(group_ends, prepend=-1))
    return ranks


def _order_by_domain_and_score(
    scores: FloatArray, domain_of: IntArray, sizes: IntArray
) -> IntArray:
    # Four times as fast as lexsort: NumPy sorts small integers by radix, then each domain's floats
    # are sorted on their own.
    narrow = domain_of.astype(np.min_scalar_type(len(sizes)))
    order = np.argsort(narrow, kind="stable")
    by_domain = scores[order]
    end = 0
    for size in sizes:
        start, end = end, end + int(size)
        order[start:end] = order[start:end][np.argsort(by_domain[start:end])]
    return order
