from pathlib import Path

import pytest

from quadmix_assets.mix.model import load_mix_model, read_calibration
from quadmix_assets.outputs import OPTIMAL_PARAMS, RANK_CALIBRATION
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.store import MissingOutputError
from quadmix_assets_tests.conftest import Project


def test_mix_is_made_with_the_theta_of_the_calibration(tiny: Project, tmp_path: Path) -> None:
    """A new search changes nothing before rank_calibration takes it over."""
    project = tiny.copy(tmp_path / "copy")
    store, settings = project.store, project.settings
    before = load_mix_model(store, settings)
    path = store.path(OPTIMAL_PARAMS, "planted.json")
    optimum = store.read_json(path)
    optimum["theta"]["omega"] = [0.123] * len(settings.domain_names)
    store.write_json(path, optimum)
    theta, prediction = read_optimum(store, settings, "planted")
    assert set(theta.omega) == {0.123}
    assert prediction == optimum["prediction"]
    after = load_mix_model(store, settings)
    assert after.theta.omega.tobytes() == before.theta.omega.tobytes()
    assert after.fingerprints == before.fingerprints


def test_missing_parts_are_named(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    project.store.table_path(RANK_CALIBRATION).unlink()
    with pytest.raises(MissingOutputError, match=RANK_CALIBRATION):
        read_calibration(project.store, project.settings)


def test_theta_in_the_shape_of_an_earlier_version_is_refused(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    path = project.store.path(RANK_CALIBRATION, "theta.json")
    stored = project.store.read_json(path)
    project.store.write_json(path, {**stored.pop("theta"), **stored})
    with pytest.raises(MissingOutputError, match="materialise the asset 'rank_calibration' again"):
        read_calibration(project.store, project.settings)
