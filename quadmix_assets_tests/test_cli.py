import json
import signal
import socket
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from quadmix_assets.cli import main
from quadmix_assets.settings import PROFILE_VARIABLE
from quadmix_assets_tests.conftest import Project, write_profile
from quadmix_assets_tests.lakes import write_lines
from quadmix_assets_tests.processes import started, until
from quadmix_assets_tests.test_run_locks import HOLD


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `run` sets is gone after the test, and it never touches another instance."""
    monkeypatch.setenv(PROFILE_VARIABLE, "demo")
    monkeypatch.setenv("DAGSTER_HOME", "set, so that it is put back")
    monkeypatch.delenv("DAGSTER_HOME")


def files_profile(folder: Path, **corpus: Any) -> Path:
    write_lines(folder / "raw" / "one.jsonl", [{"text": "words", "topic": "a"}])
    write_lines(folder / "raw" / "two.jsonl", [{"text": "words", "topic": "b"}])
    write_lines(folder / "target.jsonl", [{"text": "words"}])
    return write_profile(
        folder,
        corpus={
            "source": "files",
            "raw": "raw",
            "carried_columns": {"topic": "string"},
            **corpus,
        },
        targets=[{"name": "planted", "path": "target.jsonl"}],
        features={"domains": {"kind": "column", "column": "topic", "names": ["a", "b"]}},
    )


@pytest.mark.parametrize("command", ["run", "check", "summary"])
def test_unknown_profile(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--profile", "nope", command]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "there is no such profile" in err
    assert "demo" in err
    assert len(err.splitlines()) == 1


def test_wrong_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = write_profile(tmp_path, parameters={"n": 0})
    assert main(["--profile", str(profile), "check"]) == 2
    err = capsys.readouterr().err
    assert "parameters.n" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("corpus", "expected"),
    [
        ({"text_column": "body"}, "no column 'body'; its columns are: text, topic"),
        ({"raw": "nowhere"}, "there is no such folder"),
        ({}, "targets[planted].path"),
    ],
)
def test_wrong_input_is_one_clear_error_before_any_work(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    corpus: dict[str, Any],
    expected: str,
) -> None:
    profile = files_profile(tmp_path, **corpus)
    if not corpus:
        (tmp_path / "target.jsonl").unlink()
    assert main(["--profile", str(profile), command]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err
    assert "Traceback" not in err
    assert len(err.splitlines()) == 2, "a heading and what is wrong"
    assert not (tmp_path / "data" / "lake").exists()


def test_check_counts_the_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = files_profile(tmp_path)
    assert main(["--profile", str(profile), "check"]) == 0
    out = capsys.readouterr().out
    assert f"shards      2 in {tmp_path / 'raw'}" in out
    assert out.endswith("all inputs are there\n")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["run", "check"])
def test_checkpoint_that_is_not_there_is_one_clear_error_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    features = {"criteria": [{"kind": "fineweb_edu"}], "inference": {"checkpoints": "models"}}
    profile = write_profile(tmp_path, features=features)
    assert main(["--profile", str(profile), command]) == 2
    err = capsys.readouterr().err
    assert f"features.criteria[fineweb_edu].model: {tmp_path / 'models'}" in err
    assert "is not there" in err
    assert not (tmp_path / "data").exists()


def test_check_of_a_generated_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--profile", str(write_profile(tmp_path)), "check"]) == 0
    assert "generated" in capsys.readouterr().out
    assert not (tmp_path / "data").exists()


def test_summary_before_any_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--profile", str(write_profile(tmp_path)), "summary"]) == 2
    assert "materialise the asset 'mixes/quadmix/mix_manifest'" in capsys.readouterr().err


def test_summary_tells_what_the_manifest_says(
    tiny: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--profile", str(tiny.profile), "summary"]) == 0
    out = capsys.readouterr().out
    path = next(line for line in out.splitlines() if line.startswith("manifest")).split()[-1]
    totals = json.loads(Path(path).read_text())["totals"]
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert rows["documents"] == [f"{totals[f'n_documents_{w}']:,}" for w in ("in", "out")]
    assert rows["tokens"] == [f"{totals[f'n_tokens_{w}']:,}" for w in ("in", "out")]


def test_summary_of_a_mix_that_is_not_there_names_those_that_are(
    tiny: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--profile", str(tiny.profile), "summary", "--mix", "best"]) == 2
    assert "there is no mix 'best'; the mixes of 'tiny' are: quadmix" in capsys.readouterr().err


def test_wrong_command_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["dance"])
    assert stop.value.code == 2
    assert "usage: quadmix" in capsys.readouterr().err


def test_instance_limits_scoring_as_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "p", features={"inference": {"concurrent_partitions": 3}})
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    assert main(["--profile", str(project.profile), "instance"]) == 0
    with dg.DagsterInstance.get() as instance:
        assert instance.event_log_storage.get_concurrency_info("scoring").slot_count == 3


def test_a_second_run_waits_for_the_first_and_can_be_interrupted(tmp_path: Path) -> None:
    profile = write_profile(tmp_path)
    lock = tmp_path / "home" / "quadmix_run.lock"
    log = tmp_path / "log"
    home = {"DAGSTER_HOME": str(lock.parent)}
    with started(["-c", HOLD, str(lock)], tmp_path / "first") as first:
        assert until(lock.exists)
        command = ["-m", "quadmix_assets.cli", "--profile", str(profile), "run"]
        with started(command, log, **home) as second:
            words = f"waiting for process {first.pid} (`-c {lock}`) since"
            assert until(lambda: words in log.read_text()), log.read_text()
            second.send_signal(signal.SIGTERM)
            assert second.wait(timeout=180) == 143
            assert "`quadmix run --resume` goes on" in log.read_text()
    assert not (tmp_path / "data" / "lake").exists()


def test_a_port_in_use_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        profile = str(write_profile(tmp_path))
        assert main(["--profile", profile, "ui", "--port", str(port)]) == 2
    told = capsys.readouterr().err
    assert f"127.0.0.1:{port} cannot be served" in told
    assert f"--port {port + 1}" in told
