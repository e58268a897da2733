"""Weights of domains for proxies that read random documents of each domain (RegMix).

Liu et al. 2024, arXiv:2407.01492: weights are drawn from Dirichlet distributions around the
domains' shares of the pool, of many strengths, so that some are nearly even and in others few
domains have nearly all weight.
"""

import numpy as np

from quadmix_assets.sampling import Theta
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings.domain_weights import DomainWeightsSettings

# RegMix's numbers: strengths of the distributions, and the least weight, below which a domain is
# left out.
_N_STRENGTHS = 15
_LEAST = 2e-4


def draw_weights(
    n: int, n_tokens: FloatArray, settings: DomainWeightsSettings, *, size: float, seed: int
) -> FloatArray:
    """n weightings (n, M) of domains, each summing to 1.

    The k-th does not depend on n.

    Args:
        n: how many.
        n_tokens: (M,) tokens of each domain; a domain without tokens has weight 0.
        settings: of the distributions, and the most epochs of a domain.
        size: tokens of a sample or mix with these weights, which the epochs follow from.
        seed: of the draws.

    Raises:
        ValueError: no domain has tokens, or all together cannot give `size` tokens.
    """
    tokens = np.asarray(n_tokens, np.float64)
    has_any = tokens > 0
    if not has_any.any():
        raise ValueError("no domain of the pool has tokens: materialise proxy_pool again")
    shares = tokens[has_any] / tokens.sum()
    prior = shares**settings.temperature
    prior /= prior.sum()
    strengths = np.geomspace(settings.min_strength, settings.max_strength, _N_STRENGTHS)
    rng = np.random.default_rng(seed)
    # A row per weighting from one stream, so that fewer weightings are the first of more.
    drawn = np.array([rng.dirichlet(prior * strengths[k % _N_STRENGTHS]) for k in range(n)])
    weights = np.zeros((n, len(tokens)))
    weights[:, has_any] = drawn.reshape(n, -1)
    return within_epochs(weights, settings.max_epochs * tokens / size)


def within_epochs(weights: FloatArray, most: FloatArray) -> FloatArray:
    """Weights (n, M) that sum to 1, none above `most` (M,) and none tiny.

    A weight below RegMix's least one becomes 0. What exceeds the limit of a domain goes to the
    others in the ratio of their weights, and to those of weight 0, in the ratio of their limits,
    only where all others are full.

    Raises:
        ValueError: the limits sum to less than 1.
    """
    total = float(most.sum())
    if total < 1 - 1e-9:
        raise ValueError(
            f"all domains together may have {total:.1%} of the tokens that are asked for: lower "
            "the number of tokens, or raise proxies.domain_weights.max_epochs"
        )
    found = np.where(weights < _LEAST, 0.0, weights)
    found /= found.sum(axis=1, keepdims=True)
    # Each pass fills at least one domain of every row that is not done.
    for _ in range(weights.shape[1]):
        capped = np.minimum(found, most)
        missing = 1.0 - capped.sum(axis=1, keepdims=True)
        if (missing < 1e-12).all():
            return capped
        free = np.where(capped < most, capped, 0.0)
        unused = np.where(capped < most, most, 0.0)
        by = np.where(free.sum(axis=1, keepdims=True) > 0, free, unused)
        sums = by.sum(axis=1, keepdims=True)
        found = capped + missing * by / np.where(sums > 0, sums, 1.0)
    return np.asarray(np.minimum(found, most))


def theta_of_weights(
    weights: FloatArray, n_tokens: FloatArray, *, size: float, n_criteria: int
) -> Theta:
    """The theta whose sample has these weights of domains, with documents at random inside them.

    Only epsilon acts: every document of a domain is taken with the same expected copies.

    Args:
        weights: (M,), summing to 1.
        n_tokens: (M,) tokens of each domain.
        size: expected tokens of the sample.
        n_criteria: N, of weights alpha that have no effect.
    """
    zero = np.zeros(len(weights))
    tokens = np.asarray(n_tokens, np.float64)
    copies = np.where(tokens > 0, weights * size / np.where(tokens > 0, tokens, 1.0), 0.0)
    alpha = np.full((len(weights), n_criteria), 1.0 / n_criteria)
    return Theta(alpha, lam=zero, omega=zero, eta=zero, epsilon=copies)
