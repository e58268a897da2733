"""theta* as it is stored: what is written is read again, unless it belongs to other settings."""

from pathlib import Path
from typing import Any

import pytest

from quadmix_assets.outputs import VERIFICATION
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.store import MissingOutputError
from quadmix_assets_tests.conftest import Project


@pytest.mark.parametrize("key", ["criteria", "domains"])
def test_optimum_of_other_criteria_or_domains_is_refused(
    tiny: Project, tmp_path: Path, key: str
) -> None:
    project = tiny.copy(tmp_path / "copy")
    path = project.store.path(VERIFICATION, "planted.json")
    optimum: dict[str, Any] = project.store.read_json(path)
    optimum[key] = optimum[key][::-1]
    project.store.write_json(path, optimum)
    with pytest.raises(ValueError, match=f"was made for the {key}"):
        read_optimum(project.store, project.settings, "planted")


def test_an_objective_that_was_not_searched_is_named(tiny: Project) -> None:
    with pytest.raises(MissingOutputError, match=f"{VERIFICATION}/nothing"):
        read_optimum(tiny.store, tiny.settings, "nothing")
