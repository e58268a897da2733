import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from quadmix_assets.settings.execution import RaySettings
from quadmix_assets_tests.conftest import definitions_of, write_profile

TAG = "dagster-ray/config"


def tags_of(definitions: dg.Definitions, asset: str) -> dict[str, float]:
    definition = definitions.resolve_assets_def(asset)
    tags = definition.op.tags if definition.op.tags else {}
    found: dict[str, float] = json.loads(tags.get(TAG, "{}"))
    return found


def test_every_job_has_this_executor_and_steps_ask_for_what_the_settings_say(
    tmp_path: Path,
) -> None:
    ray = {
        "scoring": {"gpus": 0.5, "memory_gb": 3},
        "training": {"cpus": 0.0},
        "windows_per_task": 4,
    }
    definitions = definitions_of(write_profile(tmp_path, execution={"engine": "ray", "ray": ray}))
    jobs = definitions.get_repository_def().get_all_jobs()
    assert {job.executor_def.name for job in jobs} == {"steps_on_ray"}
    asked = {"num_cpus": 1.0, "num_gpus": 0.5, "memory": 3_000_000_000}
    assert tags_of(definitions, "scored_shards") == asked
    assert tags_of(definitions, "domain_labels") == asked
    assert tags_of(definitions, "proxy_metrics") == {"num_cpus": 0.0, "num_gpus": 0.0}
    assert tags_of(definitions, "score_report") == {}, "the executor adds what `steps` says"


@pytest.mark.parametrize(
    ("status", "healthy"),
    [("PENDING", True), ("RUNNING", True), ("SUCCEEDED", True), ("STOPPED", False)],
)
def test_a_step_whose_job_somebody_has_stopped_is_lost(
    tmp_path: Path, status: str, healthy: bool
) -> None:
    submission = pytest.importorskip("ray.job_submission")
    definitions_of(write_profile(tmp_path, execution={"engine": "ray"}))
    executor = importlib.import_module("quadmix_assets.defs.ray_executor")
    client = SimpleNamespace(get_job_status=lambda name: submission.JobStatus(status))
    step = SimpleNamespace(run_id="run", step_keys_to_execute=["step"], known_state=None)
    steps = executor._Steps(client, RaySettings())
    found = steps.check_step_health(SimpleNamespace(execute_step_args=step))
    assert found.is_healthy == healthy
