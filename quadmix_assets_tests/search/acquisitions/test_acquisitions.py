from typing import Any, cast

import numpy as np
import pytest

from quadmix_assets.sampling import Parameters
from quadmix_assets.search.acquisitions.base import Known
from quadmix_assets.search.acquisitions.registry import ACQUISITIONS
from quadmix_assets.search.regressor_inputs import ThetaInputs
from quadmix_assets.search.regressors.gaussian_process import GaussianProcessRegressor
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import Prediction
from quadmix_assets.settings import AcquisitionSettings
from quadmix_assets_tests.search.swarm import (
    N_CRITERIA,
    N_DOMAINS,
    OMEGA_MAX,
    space_with_budget,
    true_losses,
)

SPACE = ThetaSpace(N_CRITERIA, N_DOMAINS, np.ones(N_DOMAINS), OMEGA_MAX)
INPUTS_OF = ThetaInputs(("a", "b"), ("w", "x", "y", "z"), scaled=False)
TRAINED = SPACE.draw(60, seed=6)
MEASURED = true_losses(TRAINED) + 0.01 * np.random.default_rng(0).normal(size=60)


@pytest.fixture(scope="module")
def known() -> Known:
    """What a Gaussian process of the measured losses says."""
    process = GaussianProcessRegressor.fit(INPUTS_OF(TRAINED), MEASURED, seed=0)

    def predict(thetas: Parameters) -> Prediction:
        inputs = INPUTS_OF(thetas)
        return Prediction(process.predict(inputs), process.standard_deviation(inputs))

    optimum = TRAINED[[int(np.argmin(MEASURED))]]
    return Known(predict, optimum, TRAINED, INPUTS_OF(TRAINED), MEASURED, INPUTS_OF)


def choose(kind: str, known: Known, n: int = 12, seed: int = 0, **options: Any) -> Parameters:
    settings = cast(AcquisitionSettings, ACQUISITIONS.settings_class(kind)(kind=kind))
    space = options.pop("space", SPACE)
    return settings.choose(known, space, n=n, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("kind", ACQUISITIONS.kinds)
def test_chosen_thetas_are_different_and_better_than_random_ones(kind: str, known: Known) -> None:
    chosen = choose(kind, known)
    assert len(np.unique(SPACE.to_cube(chosen).round(12), axis=0)) == 12
    random = true_losses(SPACE.draw(200, seed=9))
    assert true_losses(chosen).mean() < np.quantile(random, 0.1)


@pytest.mark.parametrize("kind", ACQUISITIONS.kinds)
def test_none_of_them_was_trained_before(kind: str, known: Known) -> None:
    points, trained = SPACE.to_cube(choose(kind, known)), SPACE.to_cube(TRAINED)
    assert np.abs(points[:, None] - trained).max(axis=2).min() > 1e-6


@pytest.mark.parametrize("kind", ACQUISITIONS.kinds)
def test_the_seed_chooses_and_nothing_else(kind: str, known: Known) -> None:
    first = choose(kind, known, n=3).as_features()
    np.testing.assert_array_equal(choose(kind, known, n=3).as_features(), first)
    assert (choose(kind, known, n=3, seed=1).as_features() != first).any()


@pytest.mark.parametrize("kind", ACQUISITIONS.kinds)
@pytest.mark.parametrize("n", [1, 5])
def test_as_many_as_asked_for_and_feasible(kind: str, n: int, known: Known) -> None:
    limits, bound = space_with_budget(3e5)
    tokens = limits.tokens(choose(kind, known, n=n, space=bound)).sum(axis=1)
    np.testing.assert_allclose(tokens, np.full(n, 3e5), rtol=1e-6)


def test_noisy_ei_spreads_a_batch_where_one_theta_is_enough(known: Known) -> None:
    """A second theta beside the first improves on nothing, so a batch is spread further."""

    def spread(thetas: Parameters) -> float:
        points = SPACE.to_cube(thetas)
        return float(np.abs(points[:, None] - points).mean())

    assert spread(choose("noisy_ei", known)) > spread(choose("lcb", known))
