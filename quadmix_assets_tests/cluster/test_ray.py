"""A project on two Ray nodes with Postgres and S3, some of whose processes are killed.

Everything is chosen by environment variables and `dagster.yaml`; the code is the same.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

from quadmix_assets.defs.discovery import register_shards
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    PROXY_METRICS,
    PROXY_READS,
    SCORED_SHARDS,
    mix_output,
)
from quadmix_assets.store import Store
from quadmix_assets_tests.cluster.ray_nodes import ray_nodes
from quadmix_assets_tests.conftest import Project, instance_in
from quadmix_assets_tests.kills import differences
from quadmix_assets_tests.s3 import BUCKET, s3_server

MIX = mix_output("quadmix", FINAL_MIX)
MADE_AGAIN = (SCORED_SHARDS, DOMAIN_LABELS, PROXY_METRICS, PROXY_READS, MIX)
_WEIGHTS = "proxy_weights"
_LOG = logging.getLogger(__name__)
_OF_S3 = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
_OF_THE_CLUSTER = (*_OF_S3, "RAY_API_SERVER_ADDRESS")


@dataclass
class Cluster:
    """Everything that a backfill needs.

    Attributes:
        instance: in Postgres.
        workspace: with the code of the project.
        jobs: a client of Ray's Jobs API.
        store: the lake on S3.
    """

    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext
    jobs: Any
    store: Store

    def backfill(self, *assets: str, meanwhile: Callable[[], None], seconds: float = 900.0) -> None:
        """Make all partitions of some assets, as the daemon does, and check that all were made."""
        location = self.workspace.create_request_context().code_locations[0]
        (repository,) = location.get_repositories().values()
        name = f"backfill-{len(self.instance.get_backfills())}"
        self.instance.add_backfill(
            PartitionBackfill.from_asset_partitions(
                backfill_id=name,
                asset_graph=repository.asset_graph,
                partition_names=None,
                asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
                backfill_timestamp=time.time(),
                tags={},
                dynamic_partitions_store=self.instance,
                all_partitions=True,
                title=None,
                description=None,
                run_config=None,
            )
        )
        end = time.monotonic() + seconds
        while (found := self.instance.get_backfill(name)) and found.status.value == "REQUESTED":
            assert time.monotonic() < end, self.words()
            self.workspace.refresh_workspace()
            errors = [
                *execute_backfill_iteration(self.workspace, _LOG),
                *execute_run_monitoring_iteration(self.workspace, _LOG),
            ]
            assert not any(errors), errors
            meanwhile()
            time.sleep(0.5)
        assert found is not None
        assert found.status.value == "COMPLETED_SUCCESS", self.words()

    def words(self) -> str:
        """What has become of the jobs, and what they have written."""
        return "\n\n".join(
            f"{job.submission_id} {job.status} {job.message}\n"
            f"{self.jobs.get_job_logs(job.submission_id)}"
            for job in self.jobs.list_jobs()
            if job.submission_id
        )

    def steps(self) -> list[str]:
        """The submission ids of the jobs that are steps of runs."""
        names = [str(job.submission_id) for job in self.jobs.list_jobs()]
        return [name for name in names if name.startswith("dagster-step")]

    def cpus_of_steps(self) -> set[float]:
        """How many CPUs the jobs have asked for that are steps of runs."""
        from ray.util.state import list_actors

        actors = list_actors(address=self.jobs.get_address(), detail=True)
        steps = [actor for actor in actors if "dagster-step" in (actor.name or "")]
        return {(actor.required_resources or {}).get("CPU", 0.0) for actor in steps}


@contextmanager
def cluster_of(project: Project, folder: Path, postgres_url: str) -> Iterator[Cluster]:
    """The project's lake on S3 without what is to be made again, and the machines to make it."""
    local = Path(str(project.store.root))
    # The nodes are there first: their environment does not name the server.
    with (
        ray_nodes(2, jobs_api=True) as nodes,
        s3_server(),
        pytest.MonkeyPatch.context() as patch,
    ):
        from ray.job_submission import JobSubmissionClient

        lake = f"s3://{BUCKET}/lake"
        for name, value in {
            # A run is the program `dagster` of the nodes.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "QUADMIX_PROFILE": str(project.profile),
            "QUADMIX_LAKE": lake,
            "QUADMIX_EXECUTION__ENGINE": "ray",
            "QUADMIX_EXECUTION__RAY__ENV_VARS": str(list(_OF_S3)).replace("'", '"'),
        }.items():
            patch.setenv(name, value)
        store = Store(project.settings.resolve(lake))
        for path in local.rglob("*"):
            name = path.relative_to(local).as_posix()
            if path.is_file() and not name.startswith((*MADE_AGAIN, _WEIGHTS)):
                store.root.fs.put_file(str(path), f"{BUCKET}/lake/{name}")
        address = f"http://{nodes.webui_url}"
        patch.setenv("RAY_API_SERVER_ADDRESS", address)
        _write_dagster_yaml(folder / "home", postgres_url, address)
        with (
            instance_in(folder / "home"),
            dg.DagsterInstance.get() as instance,
            create_test_daemon_workspace_context(
                ModuleTarget("quadmix_assets.definitions", None, None, "quadmix_assets"),
                instance,
            ) as workspace,
        ):
            register_shards(instance, project.settings, store)
            yield Cluster(instance, workspace, JobSubmissionClient(address), store)


def _write_dagster_yaml(home: Path, postgres_url: str, address: str) -> None:
    home.mkdir()
    ours = [name for name in os.environ if name.startswith("QUADMIX_")]
    launcher = {"address": address, "env_vars": ["PATH", "PYTHONPATH", *_OF_THE_CLUSTER, *ours]}
    config = {
        "telemetry": {"enabled": False},
        "storage": {"postgres": {"postgres_url": postgres_url}},
        "run_launcher": {
            "module": "dagster_ray",
            "class": "RayRunLauncher",
            "config": {"ray": launcher},
        },
        # Runs start when they are requested: nobody takes them from a queue here.
        "run_coordinator": {
            "module": "dagster._core.run_coordinator",
            "class": "DefaultRunCoordinator",
        },
        "run_monitoring": {"enabled": True, "max_resume_run_attempts": 3},
        "concurrency": {"pools": {"granularity": "op", "default_limit": 1}},
    }
    (home / "dagster.yaml").write_text(yaml.safe_dump(config))


def kill_job(name: str) -> bool:
    """Kill the processes of a job whose first program runs; whether there were any."""
    found = False
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            job = json.loads(process.environ().get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}"))
            if job.get("metadata", {}).get("job_submission_id") == name:
                process.kill()
                found = True
    return found


@pytest.mark.slow
def test_a_cluster_that_loses_processes_makes_the_same_bytes(
    tiny: Project, tmp_path: Path, postgres_url: str
) -> None:
    local = Path(str(tiny.store.root))
    with cluster_of(tiny, tmp_path, postgres_url) as cluster:
        steps: list[str] = []

        def kill_a_step() -> None:
            for name in cluster.steps() if not steps else ():
                if not steps and kill_job(name):
                    steps.append(name)

        cluster.backfill(SCORED_SHARDS, DOMAIN_LABELS, meanwhile=kill_a_step)
        again = [name for name in cluster.steps() if name.startswith(steps[0])]
        assert len(again) == 2, "the step whose job was killed was submitted once more"

        workers: list[int] = []

        def kill_a_worker() -> None:
            for process in psutil.process_iter(["cmdline"]):
                training = any("ray::_train" in part for part in process.info["cmdline"] or ())
                if training and not workers:
                    process.kill()
                    workers.append(process.pid)

        cluster.backfill(PROXY_METRICS, meanwhile=kill_a_worker)
        assert workers

        lost: list[str] = []

        def kill_a_run_and_its_step() -> None:
            running = [name for name in cluster.steps() if name not in before]
            if running and not lost and kill_job(running[0]):
                run = cluster.jobs.get_job_info(running[0]).metadata["dagster/run-id"]
                assert kill_job(f"dagster-run-{run}")
                lost.append(run)

        before = set(cluster.steps())
        cluster.backfill(MIX, meanwhile=kill_a_run_and_its_step)
        assert cluster.instance.count_resume_run_attempts(lost[0]) == 1
        assert cluster.cpus_of_steps() == {0.0, 1.0}
        runs = cluster.instance.get_runs()
        assert {run.status.value for run in runs} == {"SUCCESS"}

        fs, root = cluster.store.root.fs, f"{BUCKET}/lake"
        found = {}
        for asset in MADE_AGAIN:
            for path in fs.find(f"{root}/{asset}"):
                if not path.endswith(".card"):
                    found[path.removeprefix(f"{root}/")] = fs.cat_file(path)
    expected = {
        path.relative_to(local).as_posix(): path.read_bytes()
        for asset in MADE_AGAIN
        for path in (local / asset).rglob("*")
        if path.is_file() and path.suffix != ".card"
    }
    hashes = [
        {name: str(hash(content)) for name, content in side.items()} for side in (expected, found)
    ]
    assert differences(*hashes) == []
