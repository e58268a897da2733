"""`quadmix report`: where the page is, and what has changed since it was made."""

import webbrowser
from pathlib import Path

import pytest
import yaml

from quadmix_assets.cli import main
from quadmix_assets.page.report import report_path
from quadmix_assets_tests.conftest import Project


def report(project: Project, *arguments: str) -> int:
    return main(["--profile", str(project.profile), "report", *arguments])


def test_a_page_that_is_not_made_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(Project(tmp_path), "--no-open") == 2
    assert "report.html is not there: materialise the asset 'report'" in capsys.readouterr().err


def test_the_page_is_opened_or_only_named(
    tiny: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def opens(uri: str) -> bool:
        opened.append(uri)
        return True

    monkeypatch.setattr(webbrowser, "open", opens)
    assert report(tiny, "--no-open") == 0
    assert not opened
    path = Path(capsys.readouterr().out.strip())
    assert path == Path(str(report_path(tiny.store)))
    assert report(tiny) == 0
    assert opened == [path.resolve().as_uri()]
    assert capsys.readouterr().err == ""


def test_without_a_browser_the_file_is_named(
    tiny: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    assert report(tiny) == 0
    assert "no browser here" in capsys.readouterr().err


def test_an_old_page_is_said(
    tiny: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tiny.copy(tmp_path / "copy")
    profile = yaml.safe_load(project.profile.read_text())
    profile |= {"mixes": [{"method": "quadmix", "name": "another"}], "production": None}
    project.profile.write_text(yaml.safe_dump(profile))
    assert report(project, "--no-open") == 0
    assert "was made before quadmix changed: materialise" in capsys.readouterr().err
