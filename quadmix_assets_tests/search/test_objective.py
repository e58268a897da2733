import numpy as np
import polars as pl
import pytest

from quadmix_assets.search.objective import Objective, objective_losses, objective_named
from quadmix_assets.settings import ObjectiveSettings

BOTH = ObjectiveSettings(name="both", targets={"one": 3.0, "two": 1.0})
ONE = ObjectiveSettings(name="one", targets={"one": 0.2})
# "one" has half a bit per byte for a nat per token, "two" a quarter.
METRICS = pl.DataFrame(
    [
        (7, "one", 2.0, 1.0, "trained"),
        (7, "two", 6.0, 1.5, "trained"),
        (7, "three", 99.0, 99.0, "trained"),
        (2, "two", 8.0, 2.0, "trained"),
        (2, "three", 99.0, 99.0, "trained"),
        (2, "one", 4.0, 2.0, "trained"),
        (5, "one", None, None, "failed"),
        (5, "two", None, None, "failed"),
        (5, "three", None, None, "failed"),
    ],
    schema=["theta_id", "target", "loss_nats", "bits_per_byte", "status"],
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


def scaled(scale: str) -> ObjectiveSettings:
    return ObjectiveSettings(name="x", targets={"one": 3.0, "two": 1.0}, scale=scale)  # type: ignore[arg-type]


def test_bits_per_byte_do_not_depend_on_the_tokenizer() -> None:
    found = objective_losses(METRICS, scaled("bits_per_byte"))
    np.testing.assert_allclose(found, [0.75 * 2.0 + 0.25 * 2.0, 0.75 * 1.0 + 0.25 * 1.5])
    assert Objective.of(scaled("bits_per_byte"), METRICS).unit == "bits per byte"


def test_zscores_count_deviations_over_the_proxies() -> None:
    """Losses 4 and 2 have mean 3, 8 and 6 mean 7; the standard deviations are 1."""
    found = objective_losses(METRICS, scaled("zscore"))
    np.testing.assert_allclose(found, [1.0, -1.0], atol=1e-12)
    equal = METRICS.with_columns(
        pl.when(pl.col("target") == "one").then(4.0).otherwise("loss_nats").alias("loss_nats")
    )
    np.testing.assert_allclose(objective_losses(equal, scaled("zscore")), [0.25, -0.25])


@pytest.mark.parametrize("scale", ["nats", "zscore", "bits_per_byte"])
def test_predictions_are_weighted_as_if_they_were_measured(scale: str) -> None:
    objective = Objective.of(scaled(scale), METRICS)
    trained = METRICS.filter(pl.col("status") == "trained").sort("theta_id")
    losses = {
        target: trained.filter(pl.col("target") == target)["loss_nats"].to_numpy()
        for target in ("one", "two")
    }
    np.testing.assert_allclose(objective.value(losses), objective_losses(METRICS, scaled(scale)))
    moved = {target: values + 0.1 for target, values in losses.items()}
    errors = {target: np.full(2, 0.1) for target in losses}
    np.testing.assert_allclose(
        objective.standard_deviation(errors), objective.value(moved) - objective.value(losses)
    )


def test_objective_by_name() -> None:
    assert objective_named([BOTH, ONE], "one") is ONE
    with pytest.raises(KeyError, match="two"):
        objective_named([BOTH, ONE], "two")
