from pathlib import Path

import pytest

from quadmix_assets.settings import SettingsError, load_settings
from quadmix_assets_tests.conftest import write_profile

GPUS = {"engine": "ray", "ray": {"stacks": {"gpus": 1}}}
PROXIES = {"device": "cuda", "stack_size": 4}


def test_processes_are_the_default_and_know_no_tasks(tmp_path: Path) -> None:
    execution = load_settings(write_profile(tmp_path)).execution
    assert execution.engine == "processes"
    assert execution.stack_tasks is None
    assert execution.window_tasks is None


def test_tasks_ask_for_what_the_settings_say(tmp_path: Path) -> None:
    ray = {"stacks": {"cpus": 2, "memory_gb": 1.5}, "retries": 7, "env_vars": ["AN_ENDPOINT"]}
    profile = write_profile(tmp_path, execution={"engine": "ray", "ray": ray})
    execution = load_settings(profile).execution
    tasks = execution.stack_tasks
    assert tasks is not None
    assert (tasks.cpus, tasks.gpus, tasks.memory_bytes) == (2.0, 0.0, 1_500_000_000)
    assert (tasks.retries, tasks.env_vars) == (7, ("AN_ENDPOINT",))
    assert execution.window_tasks is None, "a shard is scored by its step, unless it is asked for"


def test_gpus_of_other_machines_need_what_this_one_cannot_find_out(tmp_path: Path) -> None:
    training = {"precision": "bfloat16"}
    profile = write_profile(tmp_path, execution=GPUS, proxies={**PROXIES, "training": training})
    assert load_settings(profile).execution.stack_tasks is not None
    for key in ("device", "stack_size", "training"):
        rest: dict[str, object] = {**PROXIES, "training": training}
        rest[key] = {"precision": "auto"} if key == "training" else "auto"
        with pytest.raises(SettingsError, match=rf"proxies\.{key}.*is 'auto'.*stacks\.gpus"):
            load_settings(write_profile(tmp_path, execution=GPUS, proxies=rest))
