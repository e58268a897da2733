import numpy as np
import polars as pl
import pytest

from quadmix_assets.search.objective import (
    objective_losses,
    objective_named,
    objective_predictor,
)
from quadmix_assets.settings import ObjectiveSettings

BOTH = ObjectiveSettings(name="both", targets={"one": 3.0, "two": 1.0})
ONE = ObjectiveSettings(name="one", targets={"one": 0.2})
METRICS = pl.DataFrame(
    [
        (7, "one", 2.0, "trained"),
        (7, "two", 6.0, "trained"),
        (7, "three", 99.0, "trained"),
        (2, "two", 8.0, "trained"),
        (2, "three", 99.0, "trained"),
        (2, "one", 4.0, "trained"),
        (5, "one", None, "failed"),
        (5, "two", None, "failed"),
        (5, "three", None, "failed"),
    ],
    schema=["theta", "target", "loss_nats", "status"],
    orient="row",
)


def test_weighted_mean_in_the_order_of_theta_without_the_failed() -> None:
    np.testing.assert_allclose(objective_losses(METRICS, BOTH), [5.0, 3.0])
    np.testing.assert_allclose(objective_losses(METRICS, ONE), [4.0, 2.0])
    shuffled = METRICS.sample(fraction=1.0, shuffle=True, seed=1)
    np.testing.assert_array_equal(objective_losses(shuffled, BOTH), objective_losses(METRICS, BOTH))


def test_only_the_ratio_of_weights_counts() -> None:
    scaled = ObjectiveSettings(name="x", targets={"one": 30.0, "two": 10.0})
    np.testing.assert_allclose(objective_losses(METRICS, scaled), objective_losses(METRICS, BOTH))


def test_predictor_is_the_objective_of_the_predictions() -> None:
    """Both routes to the same number: losses as predicted, then weighted as if measured."""
    features = np.random.default_rng(0).random((5, 3))
    predictors = {
        "one": lambda x: x[:, 0] + 1,
        "two": lambda x: x[:, 1] * 2,
        "three": lambda x: x[:, 2] + 50,
    }
    found = objective_predictor(BOTH, predictors)(features)
    rows = [
        (theta, target, float(predict(features)[theta]), "trained")
        for theta in range(5)
        for target, predict in predictors.items()
    ]
    metrics = pl.DataFrame(rows, schema=METRICS.columns, orient="row")
    np.testing.assert_allclose(found, objective_losses(metrics, BOTH), rtol=1e-14)
    np.testing.assert_allclose(found, 0.75 * (features[:, 0] + 1) + 0.5 * features[:, 1])


def test_objective_by_name() -> None:
    assert objective_named([BOTH, ONE], "one") is ONE
    with pytest.raises(KeyError, match="two"):
        objective_named([BOTH, ONE], "two")
