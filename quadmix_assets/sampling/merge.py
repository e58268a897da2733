"""Eq. 1 of the paper: merges the scores of all criteria into one score."""

import numpy as np
from numpy.typing import ArrayLike

from quadmix_assets.sampling.validation import (
    FloatArray,
    check_alpha,
    check_domains,
    check_floats,
)


def merge_scores(sigma_scores: ArrayLike, domains: ArrayLike, alpha: ArrayLike) -> FloatArray:
    """Merged scores (D,): Σ_n sigma_scores[d, n] · alpha[domains[d], n], smaller is better.

    Args:
        sigma_scores: (D, N) normalized scores, smaller is better.
        domains: (D,) domain index of each document.
        alpha: (M, N) non-negative weights; each domain's row sums to 1.

    Raises:
        ValueError: shapes disagree, a score is NaN or infinite, a domain index is not in alpha,
            or a row of alpha is negative or does not sum to 1 within 1e-6.
    """
    weights = check_alpha(alpha, (None, None))
    n_domains, n_criteria = weights.shape
    sigma = check_floats("sigma_scores", sigma_scores, (None, n_criteria))
    domain_of = check_domains(domains, len(sigma), n_domains)
    merged = np.zeros(len(sigma))
    # No matrix product: its order of addition depends on the processor, and ties must stay ties.
    for n in range(n_criteria):
        merged += sigma[:, n] * weights[:, n][domain_of]
    return merged
