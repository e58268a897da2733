"""Which database of Dagster's instance the environment names."""

from pathlib import Path

import pytest
import yaml

from quadmix_assets.cli import main
from quadmix_assets.postgres import POSTGRES_VARIABLE, STORAGE_YAML, postgres_url
from quadmix_assets.settings import SettingsError, load_settings
from quadmix_assets_tests.conftest import write_profile

URL = "postgresql+psycopg2://user:very-secret@localhost:5432/quadmix"


def test_without_the_variable_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(POSTGRES_VARIABLE, raising=False)
    assert postgres_url() is None
    monkeypatch.setenv(POSTGRES_VARIABLE, "")
    assert postgres_url() is None


def test_the_variable_is_the_url_and_no_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(POSTGRES_VARIABLE, URL)
    assert postgres_url() == URL
    assert "very-secret" not in load_settings(write_profile(tmp_path)).model_dump_json()


def test_what_dagster_reads_names_the_variable() -> None:
    storage = yaml.safe_load(STORAGE_YAML)["storage"]
    assert storage == {"postgres": {"postgres_url": {"env": POSTGRES_VARIABLE}}}


@pytest.mark.parametrize(
    "url", [URL.replace("+psycopg2", ""), URL.replace("+psycopg2", "+psycopg"), "sqlite:///x", "x"]
)
def test_other_urls_are_refused_without_showing_the_password(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(POSTGRES_VARIABLE, url)
    with pytest.raises(SettingsError, match="expected postgresql\\+psycopg2://") as refused:
        postgres_url()
    assert POSTGRES_VARIABLE in str(refused.value)
    assert "very-secret" not in str(refused.value)


def test_a_server_that_is_down_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Set, so that what the command sets is put back.
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_HOME")
    monkeypatch.setenv("QUADMIX_PROFILE", "demo")
    # Nothing can listen on this port.
    monkeypatch.setenv(POSTGRES_VARIABLE, URL.replace(":5432", ":1"))
    assert main(["--profile", str(write_profile(tmp_path)), "run"]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert "the Postgres database of Dagster's instance cannot be used" in told
    assert "Connection refused" in told
    assert POSTGRES_VARIABLE in told
    assert "very-secret" not in told
