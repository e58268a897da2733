from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadmix_assets.outputs import REGRESSOR
from quadmix_assets.proxies.batches import Evidence
from quadmix_assets.search.fit import fit_target_regressors, load_predictors
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.search.swarm import make_swarm

FEATURES, LOSSES = make_swarm(80)


def make_settings(folder: Path) -> Settings:
    return load_settings(
        write_profile(
            folder,
            targets=[{"name": "planted"}, {"name": "other"}],
            search={"held_out_share": 0.2},
        )
    )


def make_evidence(n: int = 80, failed: tuple[int, ...] = ()) -> Evidence:
    """`planted` has the losses of the swarm, `other` their mirror image."""
    rows = [
        (k, target, None if k in failed else loss, "failed" if k in failed else "trained")
        for k in range(n)
        for target, loss in (("other", 9.0 - LOSSES[k]), ("planted", LOSSES[k]))
    ]
    metrics = pl.DataFrame(rows, schema=["theta", "target", "loss_nats", "status"], orient="row")
    numbers = np.array([k for k in range(n) if k not in failed])
    return Evidence(metrics, numbers, FEATURES[numbers], len(failed), 0)


def test_errors_are_those_of_rows_that_were_not_learnt_from(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    store = Store(settings.resolve(settings.lake))
    fits = fit_target_regressors(store, settings, make_evidence())
    assert list(fits) == ["planted", "other"]
    for target, losses in (("planted", LOSSES), ("other", 9.0 - LOSSES)):
        fit = fits[target]
        assert sorted([*fit.train, *fit.held_out]) == list(range(80))
        assert len(fit.held_out) == 16
        np.testing.assert_array_equal(fit.losses, losses)
        np.testing.assert_array_equal(fit.predicted, fit.regressor.predict(FEATURES[fit.held_out]))
        off = np.abs(fit.predicted - losses[fit.held_out])
        assert fit.metrics.mae == pytest.approx(off.mean())
        constant = np.abs(losses[fit.train].mean() - losses[fit.held_out])
        assert fit.metrics.constant_mae == pytest.approx(constant.mean())
        assert fit.metrics.mae < fit.metrics.constant_mae
        assert [row["regressor"] for row in fit.rows(target)] == [
            "LightGBM", "SVR, linear", "SVR, RBF",
        ]  # fmt: skip
        assert {row["n"] for row in fit.rows(target)} == {16}
    np.testing.assert_array_equal(fits["planted"].held_out, fits["other"].held_out)
    stored = store.read_json(store.path(REGRESSOR, "metrics.json"))
    assert stored == {target: asdict(fit.metrics) for target, fit in fits.items()}


def test_stored_predictors_predict_the_same_and_the_same_bytes_come_again(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    store = Store(settings.resolve(settings.lake))
    fits = fit_target_regressors(store, settings, make_evidence())
    before = store.fingerprint(store.root / REGRESSOR)
    predictors = load_predictors(store, settings)
    for target, fit in fits.items():
        np.testing.assert_array_equal(predictors[target](FEATURES), fit.regressor.predict(FEATURES))
    fit_target_regressors(store, settings, make_evidence())
    assert store.fingerprint(store.root / REGRESSOR) == before


def test_failed_proxies_are_not_learnt_from(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    store = Store(settings.resolve(settings.lake))
    fits = fit_target_regressors(store, settings, make_evidence(failed=(0, 41)))
    kept = [k for k in range(80) if k not in (0, 41)]
    np.testing.assert_array_equal(fits["planted"].losses, LOSSES[kept])
    assert len(fits["planted"].train) + len(fits["planted"].held_out) == 78


def test_too_few_proxies_are_an_error(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    store = Store(settings.resolve(settings.lake))
    for n in (1, 3):
        with pytest.raises(ValueError, match="rows"):
            fit_target_regressors(store, settings, make_evidence(n))
    with pytest.raises(MissingOutputError, match=REGRESSOR):
        load_predictors(store, settings)
