from typing import Any

import numpy as np
import pytest

from quadmix_assets.sampling import Parameters
from quadmix_assets.search.acquisitions.base import Known
from quadmix_assets.search.acquisitions.lcb import LcbSettings
from quadmix_assets.search.refine import propose
from quadmix_assets.search.regressor_inputs import ThetaInputs
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.search.strategies.base import Prediction
from quadmix_assets_tests.search.swarm import (
    N_CRITERIA,
    N_DOMAINS,
    OMEGA_MAX,
    space_with_budget,
    true_losses,
)

SPACE = ThetaSpace(N_CRITERIA, N_DOMAINS, np.ones(N_DOMAINS), OMEGA_MAX)
OPTIMA = SPACE.draw(2, seed=5)


def predict(thetas: Parameters) -> Prediction:
    """Unsure where eta of the first domain is large."""
    return Prediction(true_losses(thetas), thetas.eta[:, 0].copy())


def known_of(optimum: Parameters) -> Known:
    trained = SPACE.draw(40, seed=6)
    inputs_of = ThetaInputs(("a", "b"), ("w", "x", "y", "z"), scaled=False)
    return Known(predict, optimum, trained, inputs_of(trained), true_losses(trained), inputs_of)


def round_of(**changes: Any) -> Parameters:
    options: dict[str, Any] = {"n": 20, "explore": 0.5, "seed": 0, "start": 100}
    known = [known_of(OPTIMA[[k]]) for k in range(2)]
    return propose(known, changes.pop("space", SPACE), LcbSettings(), **(options | changes))


def test_half_of_a_round_is_near_the_optima_and_half_where_it_is_unsure() -> None:
    thetas = round_of()
    assert len(thetas) == 20
    distance = np.abs(SPACE.to_cube(thetas)[:, None] - SPACE.to_cube(OPTIMA)).mean(axis=2)
    random = np.abs(SPACE.to_cube(SPACE.draw(200, seed=9))[:, None] - SPACE.to_cube(OPTIMA)).mean(
        axis=2
    )
    assert (distance[:5, 0] < np.quantile(random[:, 0], 0.01)).all()
    assert (distance[5:10, 1] < np.quantile(random[:, 1], 0.01)).all()
    assert thetas.eta[10:, 0].min() > 0.9


def test_what_is_near_is_promising() -> None:
    near = round_of(explore=0.0)
    strayed = SPACE.from_cube(
        SPACE.to_cube(OPTIMA)[[0] * 500]
        + 0.1 * np.random.default_rng(0).normal(size=(500, SPACE.dimension))
    )
    hoped = predict(near).mean - predict(near).standard_deviation
    usual = predict(strayed).mean - predict(strayed).standard_deviation
    assert hoped.max() < np.median(usual)


@pytest.mark.parametrize(("n", "explore"), [(1, 0.0), (1, 1.0), (7, 0.3), (3, 1.0)])
def test_as_many_as_asked_for(n: int, explore: float) -> None:
    assert len(round_of(n=n, explore=explore)) == n


def test_the_seed_chooses_and_nothing_else() -> None:
    first = round_of().as_features()
    np.testing.assert_array_equal(round_of().as_features(), first)
    assert (round_of(seed=1).as_features() != first).any()


def test_constraints_hold() -> None:
    limits, bound = space_with_budget(3e5)
    tokens = limits.tokens(round_of(space=bound)).sum(axis=1)
    np.testing.assert_allclose(tokens, 3e5, rtol=1e-6)
