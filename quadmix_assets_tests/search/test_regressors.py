import json
from pathlib import Path
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
import pytest
from scipy.stats import spearmanr

from quadmix_assets.sampling import feature_names
from quadmix_assets.search import LightGBMRegressor, evaluate, fit_lightgbm, fit_svr
from quadmix_assets.search.regressors import standard_fits
from quadmix_assets_tests.search.swarm import make_swarm

REGMIX = Path(__file__).parents[3] / "shared" / "corpus" / "regmix"


@pytest.mark.parametrize(("n", "least_spearman"), [(48, 0.6), (400, 0.9)])
def test_learns_a_loss_that_follows_from_the_mix(n: int, least_spearman: float) -> None:
    features, losses = make_swarm(n + 200)
    metrics = evaluate(fit_lightgbm(features[:n], losses[:n], seed=0), features[n:], losses[n:])
    assert metrics.spearman > least_spearman
    assert metrics.mae < 0.75 * metrics.constant_mae


@pytest.mark.corpus
def test_orders_the_published_proxies_of_regmix() -> None:
    """512 measured mixtures to fit, 256 others to judge."""
    if not REGMIX.is_dir():
        pytest.skip(f"the published losses of RegMix's proxies are not at {REGMIX}")

    def read(name: str) -> np.ndarray:
        return np.genfromtxt(REGMIX / name, delimiter=",", skip_header=1)[:, 1:]

    header = (REGMIX / "train_pile_loss_1m.csv").read_text().splitlines()[0].split(",")[1:]
    target = header.index("metric/the_pile_pile_cc_val_loss")
    regressor = fit_lightgbm(
        read("train_mixture_1m.csv"), read("train_pile_loss_1m.csv")[:, target], seed=0
    )
    true = read("test_pile_loss_1m.csv")[:, target]
    predicted = regressor.predict(read("test_mixture_1m.csv"))
    assert spearmanr(predicted, true).statistic > 0.97


def test_noise_alone_gives_about_a_constant() -> None:
    features, _ = make_swarm(160)
    losses = np.random.default_rng(0).normal(5.0, 0.1, 160)
    metrics = evaluate(fit_lightgbm(features[:80], losses[:80], seed=0), features[80:], losses[80:])
    assert metrics.mae < 1.15 * metrics.constant_mae


def test_equal_losses_are_predicted_as_they_are() -> None:
    features, _ = make_swarm(30)
    regressor = fit_lightgbm(features, np.full(30, 3.5), seed=0)
    np.testing.assert_allclose(regressor.predict(features), 3.5, rtol=1e-6)
    np.testing.assert_array_equal(regressor.feature_importance(), 0.0)


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_threads() -> None:
    features, losses = make_swarm(150)
    first = fit_lightgbm(features, losses, seed=3, n_threads=1)
    again = fit_lightgbm(features, losses, seed=3, n_threads=1)
    threads = fit_lightgbm(features, losses, seed=3, n_threads=2)
    other = fit_lightgbm(features, losses, seed=4, n_threads=1)
    assert again.to_text() == first.to_text()
    np.testing.assert_array_equal(threads.predict(features), first.predict(features))
    assert (other.predict(features) != first.predict(features)).any()


def test_rounds_are_chosen_from_the_training_rows_alone() -> None:
    """More rounds than the limit are never used, fewer where they do no good."""
    features, losses = make_swarm(100)
    limited = fit_lightgbm(features, losses, seed=0, max_rounds=20)
    assert limited.n_rounds == 20
    noise = np.random.default_rng(1).normal(size=100)
    assert fit_lightgbm(features, noise, seed=0).n_rounds < 200
    assert fit_lightgbm(features, losses, seed=0).n_rounds > 200


def test_losses_of_a_tiny_spread_are_learned_as_well() -> None:
    features, losses = make_swarm(200)
    narrow = 8.0 + 1e-3 * losses
    metrics = evaluate(
        fit_lightgbm(features[:150], narrow[:150], seed=0), features[150:], narrow[150:]
    )
    assert metrics.spearman > 0.7


def test_importance_finds_the_features_that_matter() -> None:
    features, _ = make_swarm(300)
    names = feature_names(["a", "b"], ["law", "food", "news", "unknown"])
    losses = 4.0 - features[:, names.index("omega[news]")]
    importance = fit_lightgbm(features, losses, seed=0).feature_importance()
    assert importance.shape == (len(names),)
    assert importance.sum() == pytest.approx(1.0)
    assert names[int(np.argmax(importance))] == "omega[news]"
    assert importance.max() > 0.9


def test_a_stored_regressor_predicts_the_same_numbers() -> None:
    features, losses = make_swarm(60)
    regressor = fit_lightgbm(features, losses, seed=0)
    text = regressor.to_text()
    stored = LightGBMRegressor.from_text(text)
    np.testing.assert_array_equal(stored.predict(features), regressor.predict(features))
    np.testing.assert_array_equal(stored.feature_importance(), regressor.feature_importance())
    assert stored.to_text() == text
    assert (stored.training_mean, stored.n_train) == (losses.mean(), 60)
    plain = lgb.Booster(model_str=json.loads(text)["lightgbm"])
    np.testing.assert_array_equal(plain.predict(features), regressor.predict(features))


@pytest.mark.parametrize("text", ["", "{}", '{"lightgbm": 3}', '{"lightgbm": "tree"}'])
def test_a_text_of_no_regressor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected the JSON that LightGBMRegressor\.to_text"):
        LightGBMRegressor.from_text(text)


@pytest.mark.parametrize("kind", ["linear", "rbf"])
def test_support_vectors_learn_despite_the_narrow_losses(kind: Literal["linear", "rbf"]) -> None:
    features, losses = make_swarm(300)
    metrics = evaluate(fit_svr(kind, features[:200], losses[:200]), features[200:], losses[200:])
    assert metrics.spearman > 0.7
    assert metrics.mae < metrics.constant_mae


def test_the_linear_kernel_recovers_a_line() -> None:
    features, _ = make_swarm(200)
    losses = features @ np.linspace(-0.1, 0.1, features.shape[1])
    regressor = fit_svr("linear", features[:150], losses[:150])
    metrics = evaluate(regressor, features[150:], losses[150:])
    assert metrics.spearman > 0.99


@pytest.mark.parametrize("fit", standard_fits(seed=2**63).values())
def test_wrong_input_is_named(fit: Any) -> None:
    features, losses = make_swarm(20)
    with pytest.raises(ValueError, match="9 rows to fit a regressor to; expected at least 10"):
        fit(features[:9], losses[:9])
    with pytest.raises(ValueError, match=r"features has shape \(20, 24\); expected \(19, any\)"):
        fit(features, losses[:19])
    broken = losses.copy()
    broken[7] = np.nan
    with pytest.raises(ValueError, match=r"losses\[7\] is nan"):
        fit(features, broken)
    regressor = fit(features, losses)
    with pytest.raises(ValueError, match=r"features has shape \(20, 23\); expected \(any, 24\)"):
        regressor.predict(features[:, 1:])
    assert regressor.predict(features[:0]).shape == (0,)


def test_an_unknown_kernel_is_named() -> None:
    with pytest.raises(ValueError, match="kind is 'poly'; expected 'linear' or 'rbf'"):
        fit_svr("poly", *make_swarm(20))  # type: ignore[arg-type]
