from pathlib import Path
from typing import Any

import pytest

from quadmix_assets.mix.model import load_mix_model, read_calibration, read_optimum
from quadmix_assets.outputs import OPTIMAL_PARAMS, RANK_CALIBRATION
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


@pytest.mark.parametrize("key", ["criteria", "domains"])
def test_optimum_of_other_criteria_or_domains_is_refused(
    tiny: Project, tmp_path: Path, key: str
) -> None:
    project = tiny.copy(tmp_path / "copy")
    path = project.store.path(OPTIMAL_PARAMS, "planted.json")
    optimum: dict[str, Any] = project.store.read_json(path)
    optimum[key] = optimum[key][::-1]
    project.store.write_json(path, optimum)
    with pytest.raises(ValueError, match=f"searched for the {key}"):
        read_optimum(project.store, project.settings, "planted")


def test_missing_parts_are_named(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    with pytest.raises(MissingOutputError, match=OPTIMAL_PARAMS):
        read_optimum(project.store, project.settings, "nothing")
    project.store.table_path(RANK_CALIBRATION).unlink()
    with pytest.raises(MissingOutputError, match=RANK_CALIBRATION):
        read_calibration(project.store, project.settings)
