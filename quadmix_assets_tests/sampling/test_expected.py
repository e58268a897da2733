import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from quadmix_assets.sampling import expectation, omega_for, sample_parameters, sampling_value

uniform = st.floats(0.0, 1.0)
parameters = st.tuples(
    uniform.map(lambda u: 10 ** (4 * u - 1)) | st.just(0.0),
    uniform | st.sampled_from([0.0, 1e-6, 1.0]),
    uniform.map(lambda u: 3 * u),
    uniform.map(lambda u: u / 100),
    st.sampled_from([1.0, 0.25, 8.0]),
)


@settings(max_examples=150, deadline=None)
@given(parameters)
def test_is_the_integral_of_the_sampling_value(values: tuple[float, ...]) -> None:
    lam, omega, eta, epsilon, scale = values

    def s(rank: float) -> float:
        arrays = ([value] for value in (lam, omega, eta, epsilon, scale))
        return float(sampling_value([rank], [0], *arrays)[0])

    def integral(power: int) -> float:
        kinks = [max(omega - k / lam, 0.0) for k in (1, 5, 20)] if lam else []
        inner = quad(lambda r: s(r) * r**power, 0, omega, points=sorted(kinks) or None, limit=400)
        return float(inner[0] + epsilon * (1 - omega ** (power + 1)) / (power + 1))

    found = expectation(lam, omega, eta, epsilon, scale)
    assert found.epochs == pytest.approx(integral(0), abs=1e-6)
    if found.epochs > 1e-6:
        assert found.mean_rank == pytest.approx(integral(1) / integral(0), abs=1e-6)


@settings(max_examples=150, deadline=None)
@given(parameters)
def test_omega_is_found_again(values: tuple[float, ...]) -> None:
    lam, omega, eta, epsilon, scale = values
    epochs = expectation(lam, omega, eta, epsilon, scale).epochs
    assert omega_for(epochs, lam, eta, epsilon, scale) == pytest.approx(omega, abs=1e-8)


def test_what_epsilon_takes_needs_no_omega_and_what_is_too_much_needs_more_than_one() -> None:
    assert omega_for(0.001, 10.0, 0.5, 0.002) == 0.0
    assert omega_for(2.5, 10.0, 0.5, 0.002) > 1.0


def test_arrays_of_any_shape_and_expected_tokens_of_a_real_draw() -> None:
    """The integral against a domain of many small documents."""
    thetas = sample_parameters(5, 2, 3, seed=0, omega_max=0.5, scale_max=4.0)
    found = expectation(thetas.lam, thetas.omega, thetas.eta, thetas.epsilon, thetas.scale)
    assert found.epochs.shape == found.mean_rank.shape == (5, 3)
    ranks = (np.arange(20_000) + 0.5) / 20_000
    for theta, epochs, mean_rank in zip(thetas, found.epochs, found.mean_rank, strict=True):
        for m in range(3):
            values = sampling_value(ranks, np.full(20_000, m), *theta[1:])
            assert epochs[m] == pytest.approx(values.mean(), rel=5e-3)
            assert mean_rank[m] == pytest.approx((values * ranks).sum() / values.sum(), rel=5e-3)
