"""`quadmix ui` and what it has started, killed at several places."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets.healing import executor_of
from quadmix_assets.outputs import RAW_SHARDS
from quadmix_assets_tests.conftest import instance_in
from quadmix_assets_tests.kills import UNKIND
from quadmix_assets_tests.processes import kill_group, lives, session_of, started, until
from quadmix_assets_tests.test_healing import HOLD, start_run
from quadmix_assets_tests.ui.pool import Pool, write_pool
from quadmix_assets_tests.ui.server import free_port

pytestmark = pytest.mark.slow


class Ui:
    """A served UI."""

    def __init__(self, pool: Pool, pid: int, url: str) -> None:
        self.pool, self.pid, self.url = pool, pid, url

    @property
    def dagster_dev(self) -> int:
        """The process that is `dagster dev`."""
        (found,) = (
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/stat")
            if path.read_text().rpartition(")")[2].split()[1] == str(self.pid)
        )
        return found

    def answers(self) -> bool:
        """Whether the webserver is there."""
        try:
            with urllib.request.urlopen(f"{self.url}/server_info", timeout=10):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False


@contextmanager
def served(pool: Pool, mark: Path) -> Iterator[Ui]:
    """The command, whose first step stalls that writes a raw shard."""
    port = free_port()
    log = pool.folder / "server.log"
    command = ["-m", "quadmix_assets.cli", "--profile", str(pool.profile), "ui"]
    path = os.pathsep.join([str(UNKIND), os.environ.get("PYTHONPATH", "")])
    stall = f"stall rename 1 before {os.sep}{RAW_SHARDS}{os.sep}"
    with started(
        [*command, "--port", str(port)], log, PYTHONPATH=path, UNKIND=stall, UNKIND_MARK=str(mark)
    ) as process:
        ui = Ui(pool, process.pid, f"http://127.0.0.1:{port}")
        assert until(ui.answers, 300), log.read_text()
        session = ui.dagster_dev
        try:
            yield ui
        finally:
            for pid in session_of(session):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def instance_of(pool: Pool) -> Iterator[dg.DagsterInstance]:
    with instance_in(pool.instance), dg.DagsterInstance.get() as instance:
        yield instance


@pytest.mark.usefixtures("no_home")
def test_nothing_goes_on_or_hangs_when_a_part_is_killed(tmp_path: Path) -> None:
    pool, mark = write_pool(tmp_path), tmp_path / "stalled"
    with served(pool, mark) as ui, instance_of(pool) as instance:
        # The process of a run: its step ends too, and the run is launched once more.
        assert until(mark.exists, 300), (tmp_path / "server.log").read_text()
        step = int(mark.read_text())
        (run,) = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        worker = executor_of(instance, run.run_id)
        assert worker is not None
        assert worker.pid in session_of(ui.dagster_dev)
        os.kill(worker.pid, signal.SIGKILL)
        assert until(lambda: not lives(step), 60)
        assert until(lambda: instance.get_run_by_id(run.run_id).is_finished, 180)  # type: ignore[union-attr]
        key = dg.AssetKey(RAW_SHARDS)
        assert until(lambda: len(instance.get_materialized_partitions(key)) == 3, 300)
        # A run of the command line on the same instance, with a slot of a pool.
        storage = instance.event_log_storage
        storage.set_concurrency_slots("training", 1)
        other = start_run(instance, pool="training")
        with started(["-c", HOLD, other], tmp_path / "log", DAGSTER_HOME=str(pool.instance)) as it:
            assert until(lambda: executor_of(instance, other))
            kill_group(it)
        assert until(lambda: not storage.get_concurrency_info("training").claimed_slots, 180)
        assert instance.get_run_by_id(other).status.value == "FAILURE"  # type: ignore[union-attr]
        # The command itself.
        session = ui.dagster_dev
        assert len(session_of(session)) > 3
        os.kill(ui.pid, signal.SIGKILL)
        assert until(lambda: not session_of(session), 90)
    mark.unlink()
    with served(pool, mark) as ui:
        session = ui.dagster_dev
        os.kill(session, signal.SIGKILL)
        assert until(lambda: not session_of(session), 90)
        assert until(lambda: not lives(ui.pid), 60)


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command uses the profile's own instance."""
    monkeypatch.setenv("DAGSTER_HOME", "set, so that it is put back")
    monkeypatch.delenv("DAGSTER_HOME")
