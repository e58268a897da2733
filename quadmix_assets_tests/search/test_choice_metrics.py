import numpy as np
import pytest
from scipy.stats import spearmanr

from quadmix_assets.search.choice_metrics import (
    NEAR_OPTIMUM,
    choice_metrics,
    optimism,
    out_of_fold,
    regret,
    table_of_choice,
)
from quadmix_assets.search.regressors.fitting import fit_regressor, regressor_settings
from quadmix_assets_tests.search.swarm import make_swarm

PREDICTED = np.array([0.5, 0.1, 0.3, 0.2, 0.4, 0.9])
TRUE = np.array([0.7, 0.4, 0.2, 0.6, 0.3, 0.1])


def test_regret_is_what_the_best_of_the_chosen_costs() -> None:
    assert regret(PREDICTED, TRUE, 1) == pytest.approx(0.4 - 0.1)
    assert regret(PREDICTED, TRUE, 3) == pytest.approx(0.2 - 0.1)
    assert regret(PREDICTED, TRUE, 6) == 0.0
    assert regret(PREDICTED, TRUE, 99) == 0.0


def test_optimism_is_negative_where_too_much_was_promised() -> None:
    assert optimism(PREDICTED, TRUE, 1) == pytest.approx(0.1 - 0.4)
    assert optimism(PREDICTED, TRUE, 2) == pytest.approx((0.1 - 0.4 + 0.2 - 0.6) / 2)


def test_rounds_are_judged_by_themselves_and_the_optimum_by_the_best_quarter() -> None:
    """Two rounds that differ in their mean: over both the order is good, within each it is none."""
    rng = np.random.default_rng(0)
    rounds = np.repeat([0, 1], 200)
    true = np.where(rounds == 0, 5.0, 4.0) + 0.1 * rng.normal(size=400)
    predicted = np.where(rounds == 0, 5.0, 4.0) + 0.1 * rng.normal(size=400)
    found = choice_metrics(predicted, true, rounds)
    assert list(found) == ["round 0", "round 1", NEAR_OPTIMUM]
    assert spearmanr(predicted, true).statistic > 0.7
    for measures in found.values():
        assert abs(measures["spearman"].value) < 0.2
    near = np.argsort(predicted)[:100]
    assert found[NEAR_OPTIMUM]["mae"].value == pytest.approx(
        np.abs(predicted[near] - true[near]).mean()
    )
    expected = regret(predicted[near], true[near], 5)
    assert found[NEAR_OPTIMUM]["regret_at_5"].value == pytest.approx(expected)
    assert found[NEAR_OPTIMUM]["optimism_of_5"].value < -0.1, "the best of what was only noise"
    table = table_of_choice({"bmk": found}, "nats")
    assert table["part"].to_list() == list(found)
    assert table.columns[2:4] == ["mae_nats", "spearman"]
    assert table["spearman"][0] == str(found["round 0"]["spearman"])


def test_parts_of_a_few_rows_are_left_out() -> None:
    found = choice_metrics(np.arange(11.0), np.arange(11.0), np.repeat([0, 1], [8, 3]))
    assert list(found) == ["round 0", NEAR_OPTIMUM]


def test_no_row_is_predicted_by_a_regressor_that_has_seen_it() -> None:
    inputs, losses = make_swarm(60)
    ridge = regressor_settings("ridge_log")
    found = out_of_fold(ridge, inputs, inputs, losses, seed=3, n_threads=1)
    assert found is not None
    for row in (0, 17, 59):
        changed = losses.copy()
        changed[row] += 0.5
        again = out_of_fold(ridge, inputs, inputs, changed, seed=3, n_threads=1)
        assert again is not None
        assert again[row] == found[row]
        assert (again != found).sum() >= 40
    assert spearmanr(found, losses).statistic > 0.3


def test_regressors_learn_from_one_kind_of_inputs_and_are_asked_about_another() -> None:
    inputs, losses = make_swarm(40)
    ridge = regressor_settings("ridge_log")
    asked = inputs + 0.01
    found = out_of_fold(ridge, inputs, asked, losses, seed=1, n_threads=1)
    same = out_of_fold(ridge, inputs, inputs, losses, seed=1, n_threads=1)
    assert found is not None and same is not None
    assert (found != same).all()


def test_too_few_rows_for_folds_give_no_predictions() -> None:
    inputs, losses = make_swarm(12)
    ridge = regressor_settings("ridge_log")
    assert out_of_fold(ridge, inputs, inputs, losses, seed=0, n_threads=1) is None
    fit_regressor(ridge, inputs, losses, seed=0)
    inputs, losses = make_swarm(13)
    assert out_of_fold(ridge, inputs, inputs, losses, seed=0, n_threads=1) is not None
