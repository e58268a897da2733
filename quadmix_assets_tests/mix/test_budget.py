import numpy as np
import pytest

from quadmix_assets.mix.budget import expected_tokens, scale_to_budget
from quadmix_assets.sampling import merge_scores, rank_within_domains, sample_parameters
from quadmix_assets.sampling.sampling_value import sampling_value

RNG = np.random.default_rng(0)
N = 20_000
DOMAINS = RNG.choice(4, N, p=[0.6, 0.3, 0.09, 0.01])
TOKENS = np.ceil(RNG.lognormal(5, 1, N)).astype(np.int64)
SIGMA = RNG.random((N, 2))
THETA = sample_parameters(1, 2, 4, seed=3)[0]
RANKS = rank_within_domains(merge_scores(SIGMA, DOMAINS, THETA.alpha), DOMAINS, TOKENS)


def test_expected_tokens_are_sums_of_s() -> None:
    values = sampling_value(RANKS, DOMAINS, *THETA[1:])
    expected = [(values * TOKENS)[m == DOMAINS].sum() for m in range(4)]
    np.testing.assert_allclose(expected_tokens(THETA, RANKS, DOMAINS, TOKENS), expected)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0])
def test_the_budget_is_met_and_only_omega_moves(share: float) -> None:
    budget = share * TOKENS.sum()
    theta = scale_to_budget(THETA, RANKS, DOMAINS, TOKENS, budget)
    tokens = expected_tokens(theta, RANKS, DOMAINS, TOKENS)
    assert tokens.sum() == pytest.approx(budget, rel=0.01)
    for name in ("alpha", "lam", "eta", "epsilon"):
        np.testing.assert_array_equal(getattr(theta, name), getattr(THETA, name))
    free = theta.omega < 1
    assert free.any() or share == 1.0
    factors = (theta.omega / THETA.omega)[free]
    np.testing.assert_allclose(factors, factors[:1].repeat(len(factors)))


def test_a_budget_that_cannot_be_met_is_told() -> None:
    with pytest.raises(ValueError, match=r"mix_tokens is .*theta\* takes at most [\d,]+ tokens"):
        scale_to_budget(THETA, RANKS, DOMAINS, TOKENS, 3.0 * TOKENS.sum())
    with pytest.raises(ValueError, match=r"epsilon alone takes [\d,]+ tokens of the pool"):
        scale_to_budget(THETA, RANKS, DOMAINS, TOKENS, 100.0)
