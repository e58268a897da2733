"""The package as its users install it: a wheel, in an environment without a checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from quadmix_assets.settings.load import PACKAGE
from quadmix_assets_tests.conftest import TINY

# The demo, made as small as the other tests' graph.
OVERRIDES = {
    f"QUADMIX_{section.upper()}": json.dumps(values)
    for section, values in TINY.items()
    if values is not None
}


class Installed:
    """An environment with the wheel, and an empty folder to work in."""

    def __init__(self, folder: Path) -> None:
        self._environment = folder / "environment"
        self.folder = folder / "work"
        self.folder.mkdir()
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
        subprocess.run([*pip, *build, str(PACKAGE.parent)], check=True)
        venv.create(self._environment, with_pip=False)
        (wheel,) = folder.glob("*.whl")
        python = str(self._environment / "bin" / "python")
        install = ["--python", python, "install", "--no-deps", "--no-index", str(wheel)]
        subprocess.run([*pip, *install], check=True)
        # What the package needs comes from the environment of the tests, but for the package: the
        # .pth file of an editable install is not read from a folder that is itself in a .pth file.
        (self.site_packages / "tests.pth").write_text(sysconfig.get_path("purelib"))

    @property
    def site_packages(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self._environment / "lib" / version / "site-packages"

    def run(self, command: str, *arguments: str, **variables: str) -> str:
        """What a command of the environment prints, run in the empty folder."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("QUADMIX_", "DAGSTER_", "PYTHON"))
        }
        result = subprocess.run(
            [str(self._environment / "bin" / command), *arguments],
            cwd=self.folder,
            env={**inherited, "DAGSTER_DISABLE_TELEMETRY": "1", **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr[-5_000:]
        return result.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("wheel"))


@pytest.mark.slow
def test_code_is_that_of_the_wheel(installed: Installed) -> None:
    where = "import quadmix_assets; print(quadmix_assets.__file__)"
    assert Path(installed.run("python", "-c", where)).is_relative_to(installed.site_packages)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["demo", "laptop", "evidence", "paper"])
def test_profiles_are_there_and_their_paths_start_in_the_working_directory(
    installed: Installed, profile: str
) -> None:
    program = f"from quadmix_assets.settings import load_settings; s = load_settings({profile!r})"
    place = installed.run("python", "-c", f"{program}; print(s.resolve(s.lake))")
    assert Path(place.strip()) == installed.folder / "data" / "lake" / profile


@pytest.mark.slow
def test_demo_runs_from_an_empty_folder(installed: Installed) -> None:
    before = sorted(installed.site_packages.rglob("*.yaml"))
    assert "generated" in installed.run("quadmix", "--profile", "demo", "check")
    printed = installed.run("quadmix", "--profile", "demo", "run", **OVERRIDES)
    manifest = (
        installed.folder / "data" / "lake" / "demo" / "mixes/quadmix/mix_manifest/mix_manifest.json"
    )
    assert str(manifest) in printed
    assert json.loads(manifest.read_text())["totals"]["n_documents_in"] == 900
    assert installed.run("quadmix", "--profile", "demo", "summary", **OVERRIDES) in printed
    home = installed.run("quadmix", "--profile", "demo", "instance").strip()
    assert Path(home) == installed.folder / "data" / "dagster" / "demo"
    assert [path.name for path in installed.folder.iterdir()] == ["data"]
    assert sorted(installed.site_packages.rglob("*.yaml")) == before


@pytest.mark.slow
def test_ui_finds_the_definitions(installed: Installed) -> None:
    workspace = installed.site_packages / "quadmix_assets" / "workspace.yaml"
    validate = ("-m", "dagster", "definitions", "validate", "--workspace", str(workspace))
    installed.run("python", *validate, QUADMIX_PROFILE="demo")
