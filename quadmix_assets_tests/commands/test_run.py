"""What `quadmix run` prints when not all mixes were made; `test_whole_graph` runs it."""

from pathlib import Path

from quadmix_assets.commands.mixes import mixes_text
from quadmix_assets.commands.run import unfinished_text
from quadmix_assets.mix.manifest import manifest_path
from quadmix_assets.mix.report import FailedCheck, failed_checks_text, summary_text
from quadmix_assets_tests.conftest import Project

FAILED = [FailedCheck("mixes/large/selection_rule", "fits", "ERROR", "too large")]


def test_what_is_finished_is_printed_with_what_failed(tiny: Project) -> None:
    text = unfinished_text(tiny.settings, tiny.store, FAILED)
    summary = summary_text(tiny.settings, tiny.store, FAILED)
    assert mixes_text(tiny.settings, tiny.store) in text
    assert text.endswith(summary)


def test_a_production_that_is_not_made_has_no_summary(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    project.store.delete(manifest_path(project.store, project.settings.production_mix.name))
    text = unfinished_text(project.settings, project.store, FAILED)
    assert "mix         " not in text
    assert text.endswith(failed_checks_text(FAILED))


def test_before_any_mix_only_failed_checks_are_printed(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert unfinished_text(project.settings, project.store, FAILED) == failed_checks_text(FAILED)
