"""`quadmix mixes`: one line per mix, in the order of the settings."""

import re
from pathlib import Path

import pytest
import yaml

from quadmix_assets.cli import main
from quadmix_assets.commands.mixes import mixes_text
from quadmix_assets.mix.manifest import read_manifest
from quadmix_assets.mix.versions import keep_version, list_versions
from quadmix_assets_tests.conftest import Project


def cells(text: str) -> list[list[str]]:
    """The columns of each line, which two spaces or more lie between."""
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def test_mixes_are_listed_with_sizes_versions_and_what_they_lack(
    tiny: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tiny.copy(tmp_path / "copy")
    profile = yaml.safe_load(project.profile.read_text())
    new = {"method": "quadmix", "name": "a_new_one", "follow": True}
    mixes = profile.get("mixes", [{"method": "quadmix"}])
    profile |= {"mixes": [new, *mixes], "production": "quadmix"}
    project.profile.write_text(yaml.safe_dump(profile))
    keep_version(project.store, "quadmix")
    head, rule, first, *others = cells(mixes_text(project.settings, project.store))
    assert head == [
        "mix",
        "method",
        "documents",
        "tokens",
        "epochs",
        "versions",
        "state",
    ]
    assert set("".join(rule)) == {"-"}
    assert first == ["a_new_one", "quadmix", "0", "followed; not made"]
    totals = read_manifest(project.store, "quadmix")["totals"]
    epochs = totals["n_tokens_out"] / totals["n_tokens_in"]
    assert [
        "quadmix",
        "quadmix",
        f"{totals['n_documents_out']:,}",
        f"{totals['n_tokens_out']:,}",
        f"{epochs:.2f}",
        str(len(list_versions(project.store, "quadmix"))),
        "in production; complete",
    ] in others
    assert main(["--profile", str(project.profile), "mixes"]) == 0
    assert cells(capsys.readouterr().out)[2] == first


def test_before_anything_is_made_the_mixes_are_listed(tmp_path: Path) -> None:
    project = Project(tmp_path)
    states = [line[-1] for line in cells(mixes_text(project.settings, project.store))[2:]]
    assert states[0] == "in production; not made"
    assert len(states) == len(project.settings.mixes)
