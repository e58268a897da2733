"""Regressors and searches by name, with options, from the environment, and of one's own."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quadmix_assets.outputs import REGRESSOR
from quadmix_assets.search.fit import (
    fit_target_regressors,
    load_regressors,
    objective_predictor,
)
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.regressors.auto import AutoSettings
from quadmix_assets.search.regressors.ensemble import EnsembleSettings
from quadmix_assets.search.regressors.fitting import fit_regressor, regressor_settings
from quadmix_assets.search.regressors.lightgbm import LightGBMSettings
from quadmix_assets.search.regressors.registry import MEMBERS, REGRESSORS
from quadmix_assets.search.regressors.ridge import RidgeLogSettings
from quadmix_assets.search.strategies.cma_es import CmaEsSettings
from quadmix_assets.search.strategies.registry import STRATEGIES
from quadmix_assets.settings import SearchSettings, SettingsError, load_settings
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.search import nearest
from quadmix_assets_tests.search.test_fit import INPUTS, MAP, make_evidence, make_store
from quadmix_assets_tests.search.test_strategies import space


@pytest.fixture
def own_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody adds: one line for each, in the modules of the registries."""
    for registry in (MEMBERS, REGRESSORS):
        monkeypatch.setitem(registry.entries, "nearest", f"{nearest.__name__}:NearestSettings")
    monkeypatch.setitem(STRATEGIES.entries, "first", f"{nearest.__name__}:FirstSettings")


def test_a_kind_of_ones_own_is_fitted_stored_and_searched_with(
    own_kinds: None, tmp_path: Path
) -> None:
    wanted = {"kind": "nearest", "n_neighbours": 3}
    search = {
        "regressor": wanted,
        "compared": ["nearest", {"kind": "ensemble", "members": [wanted, "ridge_log"]}],
        "regressor_inputs": "theta",
        "strategy": "first",
    }
    targets = [{"name": "planted"}, {"name": "other"}]
    settings = load_settings(write_profile(tmp_path, targets=targets, search=search))
    store, evidence = make_store(settings), make_evidence()
    fits = fit_target_regressors(store, settings, evidence, MAP)
    rows = fits["planted"].rows("planted")
    assert [row["regressor"] for row in rows[:2]] == [
        "nearest proxies (n_neighbours 3)",
        "nearest proxies",
    ]
    assert rows[2]["regressor"] == (
        "ensemble of nearest proxies (n_neighbours 3), ridge on log-loss"
    )
    regressors = load_regressors(store, settings)
    expected = fits["planted"].regressor.predict(INPUTS)
    np.testing.assert_array_equal(regressors["planted"].predict(INPUTS), expected)
    assert store.read_json(store.path(REGRESSOR, "metrics.json"))["regressor"] == wanted

    objective = Objective("planted", "nats", {"planted": 1.0}, 0.0)
    predict = objective_predictor(objective, regressors, MAP)
    found = settings.search.strategy.search(predict, space(), n_points=1, top=1, seed=0)
    assert found.strategy == "first"
    assert found.predicted == predict(space().draw(1, seed=0)).mean[0]


def test_a_name_stands_for_a_kind_and_a_mapping_for_its_options() -> None:
    values: dict[str, Any] = {
        "regressor": {"kind": "lightgbm", "n_leaves": 8},
        "compared": ["ridge_log", {"kind": "ensemble", "members": ["ridge_log"]}],
        "strategy": {"kind": "cma_es", "caution": 0.5},
    }
    search = SearchSettings(**values)
    assert search.regressor == LightGBMSettings(n_leaves=8)
    assert search.regressor.title == "LightGBM (n_leaves 8)"
    assert SearchSettings(regressor="ensemble").regressor.title == "ensemble"  # type: ignore[arg-type]
    assert search.compared == (
        RidgeLogSettings(),
        EnsembleSettings(members=(RidgeLogSettings(),)),
    )
    assert search.strategy == CmaEsSettings(caution=0.5)
    assert SearchSettings(**search.model_dump(mode="json")) == search
    assert SearchSettings().regressor == AutoSettings()
    with pytest.raises(ValueError, match="no regressor is named 'forest'; there are: lightgbm"):
        regressor_settings("forest")


def test_an_ensemble_needs_a_member_that_can_be_fitted() -> None:
    ensemble = EnsembleSettings(members=(RidgeLogSettings(),))
    with pytest.raises(ValueError, match="no member of the ensemble of ridge on log-loss can be"):
        fit_regressor(ensemble, INPUTS, np.linspace(-1, 1, len(INPUTS)), seed=0)


def test_the_environment_overrides_kinds_and_their_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = write_profile(tmp_path, search={"regressor": {"kind": "lightgbm", "n_leaves": 8}})
    monkeypatch.setenv("QUADMIX_SEARCH__REGRESSOR", "ridge_log")
    monkeypatch.setenv("QUADMIX_SEARCH__COMPARED", '["svr_rbf", {"kind": "lightgbm"}]')
    monkeypatch.setenv("QUADMIX_SEARCH__STRATEGY", "cma_es")
    search = load_settings(profile).search
    assert (search.regressor.kind, search.strategy.kind) == ("ridge_log", "cma_es")
    assert [other.kind for other in search.compared] == ["svr_rbf", "lightgbm"]
    monkeypatch.delenv("QUADMIX_SEARCH__REGRESSOR")
    monkeypatch.setenv("QUADMIX_SEARCH__REGRESSOR__KIND", "lightgbm")
    monkeypatch.setenv("QUADMIX_SEARCH__REGRESSOR__N_LEAVES", "6")
    assert load_settings(profile).search.regressor == LightGBMSettings(n_leaves=6)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"regressor": "forest"}, "there is no regressor of that kind; there are: lightgbm, svr_l"),
        ({"strategy": "hill"}, "there is no search strategy of that kind; there are: random_top"),
        ({"regressor": {"kind": "lightgbm", "leaves": 3}}, "search.regressor.lightgbm.leaves"),
        (
            {"regressor": {"kind": "ensemble", "members": ["ensemble"]}},
            "there is no regressor of that kind; there are: lightgbm",
        ),
        ({"compared": ["svr_rbf", 3]}, r"search.compared\[1\]: expected the name of a regressor"),
    ],
)
def test_wrong_kinds_and_options_are_named(
    search: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(write_profile(tmp_path, search=search))


def test_settings_are_read_without_what_only_fitting_needs() -> None:
    """Every process reads settings, few fit anything."""
    code = (
        "import sys; from quadmix_assets.settings import load_settings; load_settings('demo');"
        "print([m for m in ('lightgbm', 'sklearn', 'cma', 'torch') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
