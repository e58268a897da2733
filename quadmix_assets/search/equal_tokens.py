"""Scales a theta to a number of expected tokens, so that mixes are compared at one size."""

import numpy as np

from quadmix_assets.sampling import Theta, expectation
from quadmix_assets.sampling.validation import FloatArray

_BISECTIONS = 60


def expected_tokens(theta: Theta, n_tokens: FloatArray) -> float:
    """Expected tokens that theta takes of a pool with n_tokens (M,) by domain."""
    return float(n_tokens @ expectation(*theta[1:]).epochs)


def with_expected_tokens(theta: Theta, n_tokens: FloatArray, wanted: float) -> Theta:
    """theta with all omegas multiplied by one factor, so that it takes `wanted` tokens.

    Omegas stay at most 1. A theta that cannot take so many, or whose epsilon alone takes more,
    comes as near as omegas allow.

    Args:
        theta: the parameters.
        n_tokens: (M,) tokens of the pool's domains.
        wanted: expected tokens.
    """

    def scaled(factor: float) -> Theta:
        return theta._replace(omega=np.minimum(theta.omega * factor, 1.0))

    used = theta.omega > 0
    low, high = 0.0, float(1.0 / theta.omega[used].min()) if used.any() else 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if expected_tokens(scaled(middle), n_tokens) < wanted:
            low = middle
        else:
            high = middle
    return scaled(high)
