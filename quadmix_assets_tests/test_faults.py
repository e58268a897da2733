"""Errors of the system and of storage in one line; commands and partitions fail with it."""

import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.cli import main
from quadmix_assets.faults import fault_text, is_fault, may_pass, naming
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import Project, write_profile
from quadmix_assets_tests.injected_faults import ERRNOS, OPERATIONS, Faults, injected

FRAME = pl.DataFrame({"a": list(range(5_000))})


@pytest.mark.parametrize("name", [*ERRNOS, "EMFILE", "ESTALE", "ETIMEDOUT", "ENOTTY"])
def test_every_error_names_path_meaning_and_remedy(name: str) -> None:
    number = getattr(errno, name)
    text = fault_text(OSError(number, os.strerror(number), "/lake/a.parquet"))
    assert text.startswith("/lake/a.parquet: ")
    assert os.strerror(number) in text
    assert "quadmix run --resume" in text
    assert "\n" not in text


def test_two_paths_and_many_lines_are_one_line() -> None:
    error = OSError(errno.EXDEV, "Invalid\ncross-device link", "/a", None, "/b")
    assert fault_text(error).startswith("/a -> /b: ")
    assert "\n" not in fault_text(error)


def test_which_errors_may_pass() -> None:
    assert not may_pass(OSError(errno.ENOSPC, "full"))
    assert not may_pass(PermissionError(errno.EACCES, "no"))
    assert may_pass(OSError(errno.EIO, "broken"))
    assert may_pass(ConnectionResetError("gone"))
    assert may_pass(TimeoutError())
    assert not may_pass(MissingOutputError("made of words"))


def test_errors_with_words_of_their_own_keep_them() -> None:
    assert fault_text(MissingOutputError("materialise this first")) == "materialise this first"


def test_what_is_no_fault_of_the_system() -> None:
    assert not is_fault(ValueError("a bug"))
    assert not is_fault(KeyboardInterrupt())
    assert is_fault(sqlite3.OperationalError("database or disk is full"))
    assert "DAGSTER_HOME" in fault_text(sqlite3.OperationalError("database or disk is full"))


def test_a_path_is_added_where_there_is_none() -> None:
    with pytest.raises(OSError) as raised, naming("/lake/x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.filename == "/lake/x"
    with pytest.raises(OSError) as raised, naming("/lake/x"):
        raise OSError(errno.EIO, "broken", "/elsewhere")
    assert raised.value.filename == "/elsewhere"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", list(ERRNOS))
def test_a_store_under_faults_names_the_path_and_stays_whole(
    tmp_path: Path, operation: str, name: str
) -> None:
    store = Store(UPath(tmp_path / "lake"))
    path = store.table_path("asset")
    store.write_table(path, FRAME)
    with injected(Faults(operation, ERRNOS[name], tmp_path / "lake")) as faults:
        for attempt in (
            lambda: store.write_table(path, FRAME.reverse()),
            lambda: store.write_json(store.path("asset", "a.json"), [1]),
            lambda: store.read_table(path),
            lambda: store.fingerprint(store.root / "asset"),
        ):
            try:
                attempt()
            except Exception as error:
                assert is_fault(error), error
                assert str(tmp_path) in fault_text(error)
    found = store.read_table(path)
    assert found.equals(FRAME) or found.equals(FRAME.reverse())
    if operation in ("open", "write", "fsync", "rename"):
        assert faults.hits
        assert found.equals(FRAME)


@pytest.mark.parametrize("name", ["EIO", "ENETDOWN"])
def test_a_command_says_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    profile = write_profile(tmp_path)
    store = Project(tmp_path).store
    store.write_table(store.table_path("raw_shards", "a"), FRAME)
    with injected(Faults("listdir", ERRNOS[name], Path(str(store.root)))) as faults:
        assert main(["--profile", str(profile), "sql", "SELECT 1"]) == 2
    assert faults.hits
    said = capsys.readouterr().err.strip()
    assert said.startswith(str(store.root)) and "\n" not in said
    assert os.strerror(ERRNOS[name]) in said


def test_a_step_says_one_line_and_tries_again_what_may_pass() -> None:
    from quadmix_assets.defs.faults import faults_in_words

    left = [OSError(errno.EIO, "Input/output error", "/lake/a")]

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    @faults_in_words
    def passes(context: dg.AssetExecutionContext) -> None:
        if left:
            raise left.pop()

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    @faults_in_words
    def full() -> Any:
        raise OSError(errno.ENOSPC, "No space left on device", "/lake/b")

    @dg.asset
    @faults_in_words
    def generating() -> Any:
        yield dg.AssetObservation("x")
        raise OSError(errno.EROFS, "Read-only file system", "/lake/c")

    instance = dg.DagsterInstance.ephemeral()
    result = dg.materialize([passes, full, generating], instance=instance, raise_on_error=False)
    retried = {event.step_key for event in result.all_events if event.is_step_up_for_retry}
    assert retried == {"passes"}
    failures = {}
    for event in result.filter_events(lambda event: event.is_step_failure):
        data = event.step_failure_data.user_failure_data
        failures[event.step_key] = str(data and data.description)
    assert failures.keys() == {"full", "generating"}
    assert failures["full"].startswith("/lake/b: the disk is full")
    assert failures["generating"].startswith("/lake/c: the file system is read")


def test_every_step_of_the_graph_says_such_lines(tmp_path: Path) -> None:
    definitions = Project(tmp_path).definitions()
    graph = definitions.resolve_implicit_global_asset_job_def()
    for node in graph.nodes:
        compute = node.definition.compute_fn.decorated_fn  # type: ignore[attr-defined]
        assert hasattr(compute, "__wrapped__"), node.name


@pytest.mark.parametrize("name", ["EACCES", "EIO"])
def test_a_folder_of_the_lake_that_cannot_be_listed_is_not_empty(tmp_path: Path, name: str) -> None:
    store = Store(UPath(tmp_path / "lake"))
    for part in ("a", "b"):
        store.write_table(store.path("asset", f"{part}/x.parquet"), FRAME)
    before = store.fingerprint(store.root / "asset")
    with (
        injected(Faults("listdir", ERRNOS[name], tmp_path / "lake" / "asset" / "b")),
        pytest.raises(OSError, match=os.strerror(ERRNOS[name])),
    ):
        store.fingerprint(store.root / "asset")
    assert store.fingerprint(store.root / "asset") == before


def test_missing_credentials_are_no_fault_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs", reason="s3fs is not installed (extra `s3`)")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Exception, match="credentials") as caught:
        Store(UPath("s3://pool/lake", skip_instance_cache=True)).read_table(
            UPath("s3://pool/lake/x.parquet", skip_instance_cache=True)
        )
    assert is_fault(caught.value) and not may_pass(caught.value)
    assert "no credentials" in fault_text(caught.value)
    assert "AWS_ACCESS_KEY_ID" in fault_text(caught.value)
