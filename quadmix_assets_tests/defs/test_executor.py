import os
import re
import signal
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets.defs.executor import steps_in_processes
from quadmix_assets.healing import heal
from quadmix_assets_tests.conftest import definitions_of, instance_in, write_profile
from quadmix_assets_tests.processes import cpu_seconds, lives, started, until


@dg.op
def look_around(context: dg.OpExecutionContext) -> None:
    prepared = "quadmix_assets.defs.mixes" in sys.modules
    context.log_event(
        dg.AssetObservation("seen", metadata={"process": os.getpid(), "prepared": prepared})
    )


@dg.job(executor_def=steps_in_processes)
def looks() -> None:
    look_around.alias("first")()
    look_around.alias("second")()


def test_steps_are_processes_of_their_own_that_need_no_imports(tmp_path: Path) -> None:
    with instance_in(tmp_path), dg.DagsterInstance.get() as instance:
        result = dg.execute_job(
            dg.reconstructable(looks),
            instance,
            run_config={"execution": {"config": {"max_concurrent": 1}}},
        )
        assert result.success
        seen = [
            record.asset_observation.metadata
            for record in instance.fetch_observations(dg.AssetKey("seen"), limit=2).records
            if record.asset_observation is not None
        ]
    processes = {metadata["process"].value for metadata in seen}
    assert len(processes | {os.getpid()}) == 3
    assert all(metadata["prepared"].value for metadata in seen)


def test_steps_end_with_the_process_of_their_run(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    log = tmp_path / "log"
    toy = ["-m", "quadmix_assets_tests.toy_steps"]
    with started(toy, log, DAGSTER_HOME=str(tmp_path / "home")) as process:
        assert until(lambda: "slow is" in log.read_text()), log.read_text()
        (found,) = re.findall(r"slow is (\d+) of (\d+)", log.read_text())
        pids = [int(pid) for pid in found]
        assert all(lives(pid) for pid in pids)
        # The process alone, as the system does that is out of memory.
        process.kill()
        process.wait()
        assert until(lambda: not any(lives(pid) for pid in pids), 60)
    with instance_in(tmp_path / "home"), dg.DagsterInstance.get() as instance:
        heal(instance, retry=False)
        assert [run.status.value for run in instance.get_runs()] == ["FAILURE"]


def test_a_run_that_waits_for_a_slot_uses_no_processor(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    pools = "concurrency: {pools: {granularity: op, default_limit: 1}}\n"
    (home / "dagster.yaml").write_text(f"telemetry: {{enabled: false}}\n{pools}")
    first, second = tmp_path / "first", tmp_path / "second"
    toy = ["-m", "quadmix_assets_tests.toy_steps"]
    with started(toy, first, DAGSTER_HOME=str(home)):
        assert until(lambda: "slow is" in first.read_text()), first.read_text()
        with started(toy, second, DAGSTER_HOME=str(home)) as waiting:
            assert until(lambda: "blocked by limit" in second.read_text()), second.read_text()
            before = cpu_seconds(waiting.pid)
            time.sleep(4.0)
            assert cpu_seconds(waiting.pid) - before < 1.0


@pytest.mark.parametrize("step", ["slow", "stuck"])
def test_terminate_ends_a_step_that_could_be_retried(tmp_path: Path, step: str) -> None:
    """As the UI does it: the run is marked, and its process interrupted."""
    (tmp_path / "home").mkdir()
    log = tmp_path / "log"
    toy = ["-m", "quadmix_assets_tests.toy_steps", step]
    with started(toy, log, DAGSTER_HOME=str(tmp_path / "home")) as process:
        assert until(lambda: f"{step} is" in log.read_text()), log.read_text()
        with instance_in(tmp_path / "home"), dg.DagsterInstance.get() as instance:
            (run,) = instance.get_runs()
            instance.report_run_canceling(run)
            process.send_signal(signal.SIGINT)
            # The aim is 10, of the 600 of the step; the machine may be busy.
            process.wait(timeout=90)
            assert [run.status.value for run in instance.get_runs()] == ["CANCELED"]
    assert len(re.findall(rf"{step} is \d+", log.read_text())) == 1


def test_every_job_has_this_executor(tmp_path: Path) -> None:
    repository = definitions_of(write_profile(tmp_path)).get_repository_def()
    assert {job.executor_def.name for job in repository.get_all_jobs()} == {steps_in_processes.name}
