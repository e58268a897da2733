from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quadmix_assets.sampling import Parameters, sample_parameters
from quadmix_assets.search.constraints import Constraints
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets_tests.search.limits import TOKENS, constraints

N, M = 3, 5


def space(**changes: Any) -> ThetaSpace:
    values: dict[str, Any] = {"n_criteria": N, "n_domains": M, "n_tokens": TOKENS, "omega_max": 0.5}
    return ThetaSpace(**(values | changes))


@pytest.mark.parametrize("prior", ["log_uniform", "uniform"])
@pytest.mark.parametrize("scale_max", [1.0, 8.0])
def test_thetas_of_algorithm_1_come_back_from_the_cube(prior: Any, scale_max: float) -> None:
    thetas = sample_parameters(
        20, N, M, seed=0, omega_max=0.5, lambda_prior=prior, scale_max=scale_max
    )
    cube = space(lambda_prior=prior, scale_max=scale_max)
    points = cube.to_cube(thetas)
    assert points.shape == (20, cube.dimension)
    assert points.min() >= 0
    assert points.max() <= 1
    again = cube.from_cube(points)
    np.testing.assert_allclose(
        again.as_features(scaled=True), thetas.as_features(scaled=True), rtol=1e-3, atol=1e-3
    )


@given(arrays(np.float64, (3, M * (N + 4)), elements=st.floats(-1, 2)))
def test_every_point_makes_a_theta_of_the_space(points: np.ndarray) -> None:
    thetas = space().from_cube(points)
    np.testing.assert_allclose(thetas.alpha.sum(axis=2), 1.0)
    for name, most in (("lam", 1000.0), ("omega", 0.5), ("eta", 1.0), ("epsilon", 1e-3)):
        values = getattr(thetas, name)
        assert values.min() >= 0
        assert values.max() <= most * (1 + 1e-12)


def test_draws_are_the_search_stream_made_feasible() -> None:
    free = space().draw(10, seed=3)
    expected = sample_parameters(10, N, M, seed=3, omega_max=0.5, stream="search")
    np.testing.assert_array_equal(free.as_features(), expected.as_features())
    limits: Constraints = constraints(budget=1e6)
    bound = space(constraints=limits)
    for thetas in (
        bound.draw(10, seed=3),
        bound.from_cube(np.random.default_rng(0).random((10, bound.dimension))),
        bound.mean(free),
    ):
        np.testing.assert_allclose(limits.tokens(thetas).sum(axis=1), 1e6, rtol=1e-6)
    later = bound.draw(3, seed=3, start=7)
    np.testing.assert_array_equal(
        later.as_features(scaled=True), bound.draw(10, seed=3)[7:].as_features(scaled=True)
    )


def test_a_mean_is_one_theta() -> None:
    thetas = sample_parameters(7, N, M, seed=0, scale_max=4.0)
    mean = space(scale_max=4.0).mean(thetas)
    assert isinstance(mean, Parameters)
    assert len(mean) == 1
    np.testing.assert_allclose(
        mean.as_features(scaled=True)[0], thetas.as_features(scaled=True).mean(axis=0), rtol=1e-12
    )
