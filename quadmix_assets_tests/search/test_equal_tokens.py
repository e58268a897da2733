import numpy as np
import pytest

from quadmix_assets.sampling import sample_parameters, sampling_value
from quadmix_assets.search.equal_tokens import expected_tokens, with_expected_tokens

TOKENS = np.array([1e6, 4e6, 0.0, 2e5])
THETAS = list(sample_parameters(20, 3, 4, seed=0, omega_max=0.3))


def test_expected_tokens_are_those_of_the_sampling_function() -> None:
    """Against Eq. 3 summed over many equal documents."""
    ranks = (np.arange(20_000) + 0.5) / 20_000
    for theta in THETAS[:5]:
        direct = sum(
            sampling_value(ranks, np.full(20_000, m), *theta[1:]).mean() * TOKENS[m]
            for m in range(4)
        )
        assert expected_tokens(theta, TOKENS) == pytest.approx(direct, rel=1e-3)


@pytest.mark.parametrize("wanted", [1e4, 3e5, 2e6])
def test_a_budget_is_met_by_omegas_alone(wanted: float) -> None:
    for theta in THETAS:
        scaled = with_expected_tokens(theta, TOKENS, wanted)
        assert expected_tokens(scaled, TOKENS) == pytest.approx(wanted, rel=1e-6)
        np.testing.assert_array_equal(scaled.alpha, theta.alpha)
        np.testing.assert_array_equal(scaled.epsilon, theta.epsilon)
        ratios = scaled.omega / theta.omega
        assert (np.isclose(ratios, ratios.max()) | np.isclose(scaled.omega, 1.0)).all()


def test_what_cannot_be_met_is_met_as_nearly_as_omegas_allow() -> None:
    theta = THETAS[0]
    assert (with_expected_tokens(theta, TOKENS, 1e9).omega == 1.0).all()
    least = with_expected_tokens(theta, TOKENS, 1.0)
    assert expected_tokens(least, TOKENS) == pytest.approx(theta.epsilon @ TOKENS, rel=1e-6)


def test_a_theta_of_the_right_size_stays() -> None:
    for theta in THETAS:
        same = with_expected_tokens(theta, TOKENS, expected_tokens(theta, TOKENS))
        np.testing.assert_allclose(same.omega, theta.omega, rtol=1e-9)
