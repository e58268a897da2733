import polars as pl
import pytest

from quadmix_assets.comparison.losses import FINAL, RANDOM, gains_over_random, mean_losses

ROWS = [
    (FINAL, 0, "a", 2.0),
    (RANDOM, 0, "a", 2.5),
    (FINAL, 1, "a", 3.0),
    (RANDOM, 1, "a", 2.75),
    (FINAL, 0, "b", None),
    (RANDOM, 0, "b", 1.0),
]
LOSSES = pl.DataFrame(
    ROWS, schema=["mix", "seed", "target", "loss_nats"], orient="row"
).with_columns(bits_per_byte=pl.col("loss_nats") / 2, epochs=pl.lit(0.5))


def test_gain_is_of_the_pair_with_the_same_seed() -> None:
    gains = gains_over_random(LOSSES).select("target", "seed", "gain").rows()
    assert gains == [("a", 0, 0.5), ("a", 1, -0.25), ("b", 0, None)]


def test_means_are_over_seeds() -> None:
    means = mean_losses(LOSSES)
    assert means.select("target", "mix", "mean_loss_nats").rows() == [
        ("a", FINAL, 2.5),
        ("a", RANDOM, pytest.approx(2.625)),
        ("b", FINAL, None),
        ("b", RANDOM, 1.0),
    ]
    assert means["mean_epochs"].to_list() == [0.5] * 4
