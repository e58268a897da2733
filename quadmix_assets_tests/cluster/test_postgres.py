"""Dagster's instance on a real Postgres: whose it is, who works on it, and what comes out of it."""

import os
import shutil
import signal
from pathlib import Path

import dagster as dg
import pytest
from dagster_postgres import PostgresRunStorage

from quadmix_assets.cli import main
from quadmix_assets.healing import executor_of, heal
from quadmix_assets.outputs import DOMAIN_LABELS, FINAL_MIX, SCORED_SHARDS, mix_output
from quadmix_assets.postgres import POSTGRES_VARIABLE, database_lock
from quadmix_assets.settings import PROFILE_VARIABLE
from quadmix_assets_tests.cluster.postgres import PASSWORD
from quadmix_assets_tests.conftest import Project, write_profile
from quadmix_assets_tests.kills import differences, new_project, outputs_of
from quadmix_assets_tests.processes import kill_group, started, until
from quadmix_assets_tests.test_healing import HOLD, POOL, claims, start_run, status
from quadmix_assets_tests.ui.pool import write_pool
from quadmix_assets_tests.ui.server import served

_BACKFILL = """
mutation Backfill($assets: [AssetKeyInput!]!, $shards: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $assets, partitionNames: $shards}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_OF_SHARDS = (SCORED_SHARDS, DOMAIN_LABELS, mix_output("quadmix", FINAL_MIX))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    """The database is that of the instance; what commands set is gone after the test."""
    monkeypatch.setenv(POSTGRES_VARIABLE, postgres_url)
    monkeypatch.setenv(PROFILE_VARIABLE, "demo")
    monkeypatch.setenv("DAGSTER_HOME", "set, so that it is put back")
    monkeypatch.delenv("DAGSTER_HOME")


def test_the_instance_is_in_the_database_alone(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, features={"inference": {"concurrent_partitions": 3}})
    assert main(["--profile", str(profile), "instance"]) == 0
    home = Path(os.environ["DAGSTER_HOME"])
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.run_storage, PostgresRunStorage)
        assert instance.event_log_storage.get_concurrency_info("scoring").slot_count == 3
    files = [path for path in home.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix == ".db"]
    assert not [path for path in files if PASSWORD in path.read_text(errors="replace")]


def test_a_database_belongs_to_one_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = write_profile(tmp_path)
    other = profile.with_name("other.yaml")
    other.write_text(profile.read_text())
    assert main(["--profile", str(profile), "instance"]) == 0
    assert main(["--profile", str(profile), "instance"]) == 0
    monkeypatch.delenv("DAGSTER_HOME")
    capsys.readouterr()
    assert main(["--profile", str(other), "instance"]) == 2
    told = capsys.readouterr().err
    assert "belongs to the profile 'tiny', and this is 'other'" in told
    assert PASSWORD not in told


def test_a_run_waits_for_the_one_of_another_machine(postgres_url: str, tmp_path: Path) -> None:
    profile = write_profile(tmp_path)
    command = ["-m", "quadmix_assets.cli", "--profile", str(profile), "run"]
    log = tmp_path / "log"
    with database_lock(postgres_url) as lock:
        assert lock.holder() is None
        assert lock.try_to_hold()
        with started(command, log) as second:
            words = f"process {os.getpid()} on "
            assert until(lambda: words in log.read_text()), log.read_text()
            assert "waiting for" in log.read_text()
            second.send_signal(signal.SIGTERM)
            assert second.wait(timeout=180) == 143
    assert PASSWORD not in log.read_text()
    with database_lock(postgres_url) as lock:
        assert lock.holder() is None, "it ended with its connection"


def test_runs_whose_process_is_gone_are_ended(tmp_path: Path) -> None:
    assert main(["--profile", str(write_profile(tmp_path)), "instance"]) == 0
    with dg.DagsterInstance.get() as instance:
        instance.event_log_storage.set_concurrency_slots(POOL, 1)
        run_id = start_run(instance)
        with started(["-c", HOLD, run_id], tmp_path / "held") as process:
            assert until(lambda: executor_of(instance, run_id))
            assert heal(instance, retry=False) == []
            kill_group(process)
        assert "ended without a word" in heal(instance, retry=False)[0]
        assert status(instance, run_id) == "FAILURE"
        assert claims(instance, start_run(instance, pool=None))


@pytest.mark.slow
def test_a_killed_run_gives_what_sqlite_gives(tiny: Project, tmp_path: Path) -> None:
    project = new_project(tmp_path)
    killed = project.start(f"kill rename 1 after {SCORED_SHARDS}/")
    assert killed.status == -9, killed.log
    last = project.start(None)
    assert last.status == 0, last.log
    assert differences(outputs_of(Path(str(tiny.store.root))), project.outputs()) == []
    assert project.left_over() == []
    assert not list(project.instance.rglob("*.db"))


@pytest.mark.slow
def test_a_backfill_of_shards_gives_the_same_bytes(tmp_path: Path) -> None:
    """By webserver, daemon and runs in processes of their own, after a run of one process."""
    pool = write_pool(tmp_path, discovery_seconds=600)
    pool.quadmix("run")
    before = outputs_of(pool.lake())
    for asset in _OF_SHARDS:
        shutil.rmtree(pool.lake(asset))
    assert differences(before, outputs_of(pool.lake()))
    with served(pool.profile) as server:
        answer = server.query(
            _BACKFILL,
            assets=[{"path": asset.split("/")} for asset in _OF_SHARDS],
            shards=sorted(path.name for path in pool.raw.iterdir()),
        )["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        ended = server.wait_for_backfill(answer["backfillId"], seconds=600)
        assert ended["status"] == "COMPLETED_SUCCESS", ended
        assert server.failed_runs() == []
    assert differences(before, outputs_of(pool.lake())) == []
    assert not list(pool.instance.rglob("*.db"))
