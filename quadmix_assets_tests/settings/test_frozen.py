import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quadmix_assets.settings import FROZEN_VARIABLE, SettingsError, frozen_settings, load_settings
from quadmix_assets_tests.conftest import write_profile

PROGRAM = """
import sys
from quadmix_assets.settings import frozen_settings
settings = frozen_settings(sys.argv[1])
print(settings.seed, settings.root, settings.profile)
"""


def edit(profile: Path, seed: int) -> None:
    """Change the seed behind the back of the process, as an editor does."""
    text = profile.read_text()
    before = load_settings(profile).seed
    profile.write_text(text.replace(f"seed: {before}\n", f"seed: {seed}\n"))
    assert load_settings(profile).seed == seed


def in_a_child(profile: Path | str, *, cwd: Path | None = None, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(profile)],
        env=os.environ | environment,
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


def test_equal_those_of_the_file(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, seed=3)
    expected = load_settings(profile).model_dump()
    assert frozen_settings(profile).model_dump() == expected
    assert frozen_settings(profile).model_dump() == expected


def test_a_process_keeps_what_it_read_first(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, seed=3)
    assert frozen_settings(profile).seed == 3
    edit(profile, 4)
    assert frozen_settings(profile).seed == 3
    profile.unlink()
    assert frozen_settings(profile).seed == 3


def test_children_work_with_the_settings_of_their_parent(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, seed=3)
    frozen_settings(profile)
    edit(profile, 4)
    assert in_a_child(profile) == ["3", str(tmp_path), "tiny"]


def test_a_process_without_such_a_parent_reads_the_file(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, seed=3)
    frozen_settings(profile)
    edit(profile, 4)
    del os.environ[FROZEN_VARIABLE]
    assert in_a_child(profile)[0] == "4"


def test_another_profile_is_read_from_its_file(tmp_path: Path) -> None:
    first = write_profile(tmp_path / "first", seed=3)
    second = write_profile(tmp_path / "second", seed=5)
    assert frozen_settings(first).seed == 3
    assert frozen_settings(second).seed == 5
    edit(second, 6)
    assert frozen_settings(second).seed == 6
    assert frozen_settings(first).seed == 3
    assert in_a_child(second)[0] == "6"


def test_relative_paths_start_where_they_did_in_the_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_profile(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    assert frozen_settings("tiny.yaml").root == tmp_path / "project"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert in_a_child("tiny.yaml", cwd=elsewhere)[1] == str(tmp_path / "project")


def test_the_profile_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMIX_PROFILE", str(write_profile(tmp_path, seed=3)))
    assert frozen_settings().seed == 3
    assert frozen_settings().profile == "tiny"


def test_single_keys_can_be_overridden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = write_profile(tmp_path, seed=3)
    monkeypatch.setenv("QUADMIX_SEED", "9")
    assert frozen_settings(profile).seed == 9
    assert in_a_child(profile, QUADMIX_SEED="10")[0] == "10"


def test_settings_that_cannot_be_used_are_not_kept(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, seed=-1)
    with pytest.raises(SettingsError, match="seed"):
        frozen_settings(profile)
    assert FROZEN_VARIABLE not in os.environ
    profile.write_text(profile.read_text().replace("seed: -1", "seed: 1"))
    assert frozen_settings(profile).seed == 1


def test_errors_of_kept_text_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = write_profile(tmp_path, seed=3)
    frozen_settings(profile)
    monkeypatch.setenv("QUADMIX_SEED", "many")
    with pytest.raises(SettingsError, match=str(profile)):
        frozen_settings(profile)


def test_the_text_is_kept_as_it_is(tmp_path: Path) -> None:
    profile = write_profile(tmp_path)
    profile.write_text(profile.read_text() + "# Größe, 大きさ\n", encoding="utf-8")
    frozen_settings(profile)
    assert json.loads(os.environ[FROZEN_VARIABLE])["text"] == profile.read_text(encoding="utf-8")
    assert in_a_child(profile)[2] == "tiny"
