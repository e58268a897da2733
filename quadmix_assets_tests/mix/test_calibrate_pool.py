from pathlib import Path

import numpy as np
import pytest

from quadmix_assets.mix.calibrate_pool import (
    calibrate_pool,
    calibration_drift,
    read_calibration,
    read_chosen,
)
from quadmix_assets.outputs import RANK_CALIBRATION, SCORED_SHARDS
from quadmix_assets.store import MissingOutputError
from quadmix_assets_tests.conftest import Project

SHARDS = ["shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst"]


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


def test_theta_star_and_ranks_are_read_back_as_they_were_made(project: Project) -> None:
    made = calibrate_pool(project.store, SHARDS, project.settings)
    theta, calibration = read_calibration(project.store, project.settings)
    assert theta.omega.tobytes() == made.theta.omega.tobytes()
    assert calibration.to_frame().equals(made.calibration.to_frame())
    assert made.n_documents == project.settings.corpus.planted.n_documents


def test_a_budget_scales_omega_alone(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    free = calibrate_pool(project.store, SHARDS, project.settings)
    budget = int(free.expected_tokens.sum() / 2)
    monkeypatch.setenv("QUADMIX_SEARCH__CONSTRAINTS__MIX_TOKENS", str(budget))
    bound = calibrate_pool(project.store, SHARDS, project.settings)
    assert bound.expected_tokens.sum() == pytest.approx(budget, rel=1e-2)
    assert (bound.theta.omega < free.theta.omega).any()
    np.testing.assert_array_equal(bound.theta.alpha, free.theta.alpha)


def test_budget_of_a_launch_overrules_that_of_the_settings(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = calibrate_pool(project.store, SHARDS, project.settings)
    assert (free.objective, free.mix_tokens) == ("planted", None)
    budget = int(free.expected_tokens.sum() / 2)
    monkeypatch.setenv("QUADMIX_SEARCH__CONSTRAINTS__MIX_TOKENS", str(2 * budget))
    bound = calibrate_pool(project.store, SHARDS, project.settings, mix_tokens=budget)
    assert bound.expected_tokens.sum() == pytest.approx(budget, rel=1e-2)
    chosen = read_chosen(project.store)
    assert (chosen["objective"], chosen["mix_tokens"]) == ("planted", budget)
    assert chosen["prediction"]["unit"] == "nats"


def test_ranks_of_the_calibrated_pool_have_not_drifted(project: Project) -> None:
    distance = calibration_drift(project.store, SHARDS, project.settings)
    assert set(distance) <= set(project.settings.domain_names)
    assert max(distance.values()) < 1e-9


def test_a_pool_that_lost_its_best_documents_has_drifted(project: Project) -> None:
    store = project.store
    path = store.table_path(SCORED_SHARDS, SHARDS[0])
    scored = store.read_table(path)
    worse = scored.with_columns(importance=scored["importance"] - 100.0)
    store.write_table(path, worse, store.summary(path))
    distance = calibration_drift(store, SHARDS, project.settings)
    assert max(distance.values()) > 0.05


def test_missing_parts_are_named(project: Project) -> None:
    project.store.table_path(RANK_CALIBRATION).unlink()
    with pytest.raises(MissingOutputError, match=RANK_CALIBRATION):
        read_calibration(project.store, project.settings)


def test_theta_in_the_shape_of_an_earlier_version_is_refused(project: Project) -> None:
    path = project.store.path(RANK_CALIBRATION, "theta.json")
    stored = project.store.read_json(path)
    project.store.write_json(path, {**stored.pop("theta"), **stored})
    with pytest.raises(MissingOutputError, match="materialise the asset 'rank_calibration' again"):
        read_calibration(project.store, project.settings)
