from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from quadmix_assets.search.metrics import (
    evaluate,
    learning_curve,
    split_held_out,
    training_sizes,
)
from quadmix_assets.search.regressors.fitting import fit_regressor
from quadmix_assets_tests.search.swarm import make_swarm


@dataclass
class FirstInput:
    """Predicts the first input; its training mean is 3."""

    training_mean: float = 3.0
    kind: str = "first"

    def predict(self, inputs: ArrayLike) -> np.ndarray:
        return np.asarray(inputs, dtype=float)[:, 0]

    def standard_deviation(self, inputs: ArrayLike) -> np.ndarray:
        return np.zeros(len(np.asarray(inputs)))

    def to_json(self) -> dict[str, Any]:
        return {}


@given(n=st.integers(2, 3_000), seed=st.integers(0, 2**32))
def test_every_row_is_in_one_part(n: int, seed: int) -> None:
    train, held_out = split_held_out(n, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(n))
    assert len(train) > 0
    assert len(held_out) >= (8 if n >= 40 else 1)
    assert (np.diff(train) > 0).all()
    assert (np.diff(held_out) > 0).all()


@pytest.mark.parametrize(
    ("n", "n_held_out"), [(3_000, 200), (480, 32), (120, 8), (48, 8), (40, 8), (39, 3), (2, 1)]
)
def test_as_many_are_held_out_as_said(n: int, n_held_out: int) -> None:
    assert len(split_held_out(n, seed=0)[1]) == n_held_out


def test_the_seed_chooses_the_split() -> None:
    first = split_held_out(100, seed=0)[1]
    np.testing.assert_array_equal(split_held_out(100, seed=0)[1], first)
    assert set(split_held_out(100, seed=1)[1]) != set(first)


def test_a_split_that_cannot_be_is_named() -> None:
    with pytest.raises(ValueError, match="1 rows cannot be split"):
        split_held_out(1, seed=0)
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match=f"share is {share}; expected above 0"):
            split_held_out(100, share=share, seed=0)


def test_metrics_by_hand() -> None:
    metrics = evaluate(FirstInput(), [[1.0], [2.0], [4.0], [3.0]], [1.5, 2.0, 3.0, 4.0])
    assert metrics.n == 4
    assert metrics.mae.value == pytest.approx((0.5 + 0.0 + 1.0 + 1.0) / 4)
    assert metrics.constant_mae == pytest.approx((1.5 + 1.0 + 0.0 + 1.0) / 4)
    assert metrics.spearman.value == pytest.approx(1 - 6 * (0 + 0 + 1 + 1) / (4 * 15))
    assert metrics.kendall.value == pytest.approx((5 - 1) / 6)
    assert (metrics.top_k, metrics.top_recall.value) == (1, 1.0)


def test_recall_of_the_best() -> None:
    """Of 60 rows in order, the two best are predicted to be the worst."""
    true = np.arange(60.0)
    predicted = true.copy()
    predicted[:2] += 100
    metrics = evaluate(FirstInput(), predicted[:, None], true)
    assert (metrics.top_k, metrics.top_recall.value) == (10, 0.8)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Absolute errors of a normal have the mean sqrt(2 / pi); 200 samples of 80 rows."""
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(200):
        errors = rng.normal(size=80)
        mae = evaluate(FirstInput(), errors[:, None], np.zeros(80), seed=seed).mae
        assert mae.low <= mae.value <= mae.high
        inside += mae.low <= np.sqrt(2 / np.pi) <= mae.high
    assert 165 <= inside <= 194  # 180 are expected; bootstrap intervals are a little narrow


def test_spearman_is_zero_where_there_is_no_order() -> None:
    regressor = FirstInput()
    assert evaluate(regressor, [[1.0], [1.0]], [1.0, 2.0]).spearman.value == 0.0
    assert evaluate(regressor, [[1.0], [2.0]], [1.0, 1.0]).spearman.value == 0.0
    assert evaluate(regressor, [[1.0]], [1.0]).spearman.value == 0.0


def test_nothing_to_evaluate_is_named() -> None:
    with pytest.raises(ValueError, match="no rows to evaluate"):
        evaluate(FirstInput(), np.empty((0, 3)), [])
    with pytest.raises(ValueError, match=r"losses\[0\] is nan"):
        evaluate(FirstInput(), [[1.0]], [np.nan])


def test_training_sizes_halve() -> None:
    assert training_sizes(2_800) == [175, 350, 700, 1_400, 2_800]
    assert training_sizes(44) == [11, 22, 44]
    assert training_sizes(12) == [12]


def test_learning_curve_compares_three_regressors_at_each_size() -> None:
    inputs, losses = make_swarm(260)
    train, held_out = split_held_out(260, share=0.25, seed=0)
    curve = learning_curve(inputs, losses, train, held_out, seed=0, sizes=[24, 195])
    assert curve.columns == ["regressor", "n_train", "mae_nats", "spearman"]
    assert curve["regressor"].to_list() == ["LightGBM", "SVR, linear", "SVR, RBF"] * 2
    assert curve["n_train"].to_list() == [24] * 3 + [195] * 3
    errors = curve["mae_nats"].to_list()
    assert all(many < few for few, many in zip(errors[:3], errors[3:], strict=True))
    whole = fit_regressor("lightgbm", inputs[train], losses[train], seed=0)
    assert errors[3] == evaluate(whole, inputs[held_out], losses[held_out]).mae.value


def test_learning_curve_never_trains_on_held_out_rows() -> None:
    inputs, losses = make_swarm(80)
    train, held_out = split_held_out(80, seed=0)
    spoiled = losses.copy()
    spoiled[held_out] += 100.0
    curve = learning_curve(inputs, spoiled, train, held_out, seed=0, sizes=[40])
    assert curve["mae_nats"].min() > 90.0  # type: ignore[operator]


def test_a_training_size_out_of_range_is_named() -> None:
    inputs, losses = make_swarm(60)
    train, held_out = split_held_out(60, seed=0)
    for size in (9, 53):
        with pytest.raises(ValueError, match=f"a training size is {size}; expected from 10 to"):
            learning_curve(inputs, losses, train, held_out, seed=0, sizes=[size])
