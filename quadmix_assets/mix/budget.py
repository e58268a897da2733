"""Expected tokens of a mix, and theta scaled to meet a token budget."""

import numpy as np

from quadmix_assets.sampling import Theta, sampling_value
from quadmix_assets.sampling.validation import FloatArray

_BISECTIONS = 40
# Relative error of the budget that is accepted.
_TOLERANCE = 1e-4


def expected_tokens(
    theta: Theta, ranks: np.ndarray, domains: np.ndarray, n_tokens: np.ndarray
) -> FloatArray:
    """Expected tokens (M,) that theta takes from each domain.

    Args:
        theta: the parameters.
        ranks, domains, n_tokens: (D,) of the documents of the pool.
    """
    values = sampling_value(ranks, domains, *theta[1:])
    taken = np.bincount(domains, weights=values * n_tokens, minlength=len(theta.omega))
    return taken.astype(np.float64)


def scale_to_budget(
    theta: Theta, ranks: np.ndarray, domains: np.ndarray, n_tokens: np.ndarray, budget: float
) -> Theta:
    """theta with its omegas scaled so that the expected tokens of the mix meet a budget.

    All omegas are multiplied by one factor, and are at most 1. Merged scores and ranks do not
    depend on omega, so the order of documents stays the same. The budget is met as closely as
    whole documents allow.

    Args:
        theta: the parameters.
        ranks, domains, n_tokens: (D,) of the documents of the pool.
        budget: tokens of the mix.

    Raises:
        ValueError: the pool has not enough tokens even with every omega at 1, or epsilon alone
            takes more than the budget.
    """

    def scaled(factor: float) -> Theta:
        return theta._replace(omega=np.minimum(theta.omega * factor, 1.0))

    def tokens(factor: float) -> float:
        return float(expected_tokens(scaled(factor), ranks, domains, n_tokens).sum())

    used = theta.omega > 0
    high = float(1.0 / theta.omega[used].min()) if used.any() else 1.0
    if tokens(high) < budget * (1 - _TOLERANCE):
        raise ValueError(
            f"mix_tokens is {budget:,.0f}, but theta* takes at most "
            f"{tokens(high):,.0f} tokens of the pool, with every omega at 1: lower mix_tokens, or "
            "allow more copies (parameters.scale_max)"
        )
    if tokens(0.0) > budget * (1 + _TOLERANCE):
        raise ValueError(
            f"mix_tokens is {budget:,.0f}, but epsilon alone takes "
            f"{tokens(0.0):,.0f} tokens of the pool: raise mix_tokens"
        )
    low, factor = 0.0, min(1.0, high)
    for _ in range(_BISECTIONS):
        found = tokens(factor)
        if abs(found / budget - 1) <= _TOLERANCE:
            break
        low, high = (factor, high) if found < budget else (low, factor)
        factor = (low + high) / 2
    return scaled(factor)
