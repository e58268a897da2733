from pathlib import Path

from quadmix_assets.mix.model import load_mix_model
from quadmix_assets.outputs import VERIFICATION
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets_tests.conftest import Project


def test_mix_is_made_with_the_theta_of_the_calibration(tiny: Project, tmp_path: Path) -> None:
    """A new search changes nothing before rank_calibration freezes it."""
    project = tiny.copy(tmp_path / "copy")
    store, settings = project.store, project.settings
    before = load_mix_model(store, settings)
    path = store.path(VERIFICATION, "planted.json")
    optimum = store.read_json(path)
    optimum["theta"]["omega"] = [0.123] * len(settings.domain_names)
    store.write_json(path, optimum)
    theta, prediction = read_optimum(store, settings, "planted")
    assert set(theta.omega) == {0.123}
    assert prediction == optimum["prediction"]
    after = load_mix_model(store, settings)
    assert after.theta.omega.tobytes() == before.theta.omega.tobytes()
    assert after.fingerprints == before.fingerprints
