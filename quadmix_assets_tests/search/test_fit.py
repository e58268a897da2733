from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from quadmix_assets.outputs import PROXY_POOL, REGRESSOR
from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.sampling import sample_parameters
from quadmix_assets.search.fit import (
    TargetFit,
    fit_target_regressors,
    load_regressors,
    objective_predictor,
    read_metrics,
)
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.regressor_inputs import ThetaInputs
from quadmix_assets.search.regressors.fitting import fit_regressor
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.search.swarm import N_CRITERIA, N_DOMAINS, OMEGA_MAX, make_swarm
from quadmix_assets_tests.seed import SEED

INPUTS, LOSSES = make_swarm(80)
THETAS = sample_parameters(80, N_CRITERIA, N_DOMAINS, seed=SEED, omega_max=OMEGA_MAX)
MAP = ThetaInputs(["a", "b"], ["law", "food", "news", "unknown"], scaled=False)


def make_settings(folder: Path, **search: Any) -> Settings:
    return load_settings(
        write_profile(
            folder,
            targets=[{"name": "planted"}, {"name": "other"}],
            search={
                "held_out_share": 0.2,
                "regressor": "ridge_log",
                "compared": ["svr_linear", "svr_rbf"],
                "regressor_inputs": "theta",
                **search,
            },
        )
    )


def make_store(settings: Settings) -> Store:
    """A lake with something in the place of a proxy pool."""
    store = Store(settings.resolve(settings.lake))
    store.write_json(store.path(PROXY_POOL, "tokens.json"), "a pool")
    return store


def make_evidence(n: int = 80, failed: tuple[int, ...] = ()) -> Evidence:
    """`planted` has the losses of the swarm, `other` their mirror image."""
    rows = [
        (k, target, None if k in failed else loss, "failed" if k in failed else "trained")
        for k in range(n)
        for target, loss in (("other", 9.0 - LOSSES[k]), ("planted", LOSSES[k]))
    ]
    metrics = pl.DataFrame(rows, schema=["theta_id", "target", "loss_nats", "status"], orient="row")
    numbers = np.array([k for k in range(n) if k not in failed])
    rounds = np.zeros(len(numbers), int)
    return Evidence(metrics, numbers, rounds, THETAS[numbers], len(failed), 0)


def fit(store: Store, settings: Settings, evidence: Evidence) -> dict[str, TargetFit]:
    return fit_target_regressors(store, settings, evidence, MAP)


def test_errors_are_those_of_rows_that_were_not_learnt_from(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    store = make_store(settings)
    fits = fit(store, settings, make_evidence())
    assert list(fits) == ["planted", "other"]
    for target, losses in (("planted", LOSSES), ("other", 9.0 - LOSSES)):
        found = fits[target]
        assert sorted([*found.train, *found.held_out]) == list(range(80))
        assert len(found.held_out) == 16
        np.testing.assert_array_equal(found.losses, losses)
        alone = fit_regressor(
            "ridge_log",
            INPUTS[found.train],
            losses[found.train],
            seed=derive_seed(settings.seed, f"regressor:{target}") % 2**31,
        )
        np.testing.assert_array_equal(found.predicted, alone.predict(INPUTS[found.held_out]))
        off = np.abs(found.predicted - losses[found.held_out])
        assert found.metrics.mae.value == pytest.approx(off.mean())
        constant = np.abs(losses[found.train].mean() - losses[found.held_out])
        assert found.metrics.constant_mae == pytest.approx(constant.mean())
        assert found.metrics.mae.value < found.metrics.constant_mae
        rows = found.rows(target)
        names = ["ridge on log-loss", "SVR, linear", "SVR, RBF"]
        assert [row["regressor"] for row in rows] == names
        assert {row["held_out"] for row in rows} == {16}
    np.testing.assert_array_equal(fits["planted"].held_out, fits["other"].held_out)
    stored = read_metrics(store)
    assert stored == {target: asdict(found.metrics) for target, found in fits.items()}


def test_the_search_uses_a_regressor_of_all_rows_and_the_same_bytes_come_again(
    tmp_path: Path,
) -> None:
    settings = make_settings(tmp_path)
    store = make_store(settings)
    fits = fit(store, settings, make_evidence())
    before = store.fingerprint(store.root / REGRESSOR)
    regressors = load_regressors(store, settings)
    for target, found in fits.items():
        expected = found.regressor.predict(INPUTS)
        np.testing.assert_array_equal(regressors[target].predict(INPUTS), expected)
        seed = derive_seed(settings.seed, f"regressor:{target}") % 2**31
        whole = fit_regressor("ridge_log", INPUTS, found.losses, seed=seed)
        np.testing.assert_array_equal(whole.predict(INPUTS), expected)
    fit(store, settings, make_evidence())
    assert store.fingerprint(store.root / REGRESSOR) == before


def test_predictor_of_an_objective_is_the_objective_of_the_predictions(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, regressor="gaussian_process", compared=[])
    fits = fit(make_store(settings), settings, make_evidence())
    regressors = {target: found.regressor for target, found in fits.items()}
    objective = Objective("both", "nats", {"planted": 0.75, "other": 0.25}, 0.0)
    found = objective_predictor(objective, regressors, MAP)(THETAS[:7])
    parts = {t: r.predict(INPUTS[:7]) for t, r in regressors.items()}
    np.testing.assert_allclose(found.mean, 0.75 * parts["planted"] + 0.25 * parts["other"])
    standard_deviations = {t: r.standard_deviation(INPUTS[:7]) for t, r in regressors.items()}
    expected = 0.75 * standard_deviations["planted"] + 0.25 * standard_deviations["other"]
    np.testing.assert_allclose(found.standard_deviation, expected)


def test_failed_proxies_are_not_learnt_from(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    fits = fit(make_store(settings), settings, make_evidence(failed=(0, 41)))
    kept = [k for k in range(80) if k not in (0, 41)]
    np.testing.assert_array_equal(fits["planted"].losses, LOSSES[kept])
    assert len(fits["planted"].train) + len(fits["planted"].held_out) == 78


def test_too_few_proxies_are_an_error(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    store = make_store(settings)
    for n in (1, 3):
        with pytest.raises(ValueError, match="rows"):
            fit(store, settings, make_evidence(n))
    with pytest.raises(MissingOutputError, match=REGRESSOR):
        load_regressors(store, settings)


@pytest.mark.parametrize("change", ["regressor_inputs", "proxy_pool"])
def test_regressors_of_other_inputs_or_another_pool_are_refused(
    tmp_path: Path, change: str
) -> None:
    settings = make_settings(tmp_path)
    store = make_store(settings)
    fit(store, settings, make_evidence())
    if change == "regressor_inputs":
        settings = make_settings(tmp_path, regressor_inputs="mixture")
    else:
        store.write_json(store.path(PROXY_POOL, "tokens.json"), "another pool")
    with pytest.raises(MissingOutputError, match=f"fitted with other {change} than there are now"):
        load_regressors(store, settings)
