"""Tasks that shipped profiles take from the hub, against the harness's own files of tasks."""

from functools import cache
from pathlib import Path
from typing import Any

import lm_eval
import pytest
import yaml

from quadmix_assets.comparison.measures import TASK_ACCURACY, measures_of
from quadmix_assets.evidence.results import results_frame
from quadmix_assets.settings import TaskSettings, load_settings
from quadmix_assets.settings.load import PROFILES_FOLDER

FOLDER = Path(lm_eval.__file__).with_name("tasks")
Entry = dict[str, Any]


class Loader(yaml.SafeLoader):
    """Reads files of tasks, whose functions have tags."""


Loader.add_constructor("!function", lambda _, node: str(node.value))


@cache
def entries(start: str) -> tuple[Entry, ...]:
    """All tasks and groups in the folders of the harness whose names begin like that."""
    found = []
    for path in sorted(FOLDER.glob(f"{start}*/**/*.yaml")):
        entry = yaml.load(path.read_text(), Loader)
        if isinstance(entry, dict):
            base = entry.get("include")
            common = yaml.load((path.parent / base).read_text(), Loader) if base else {}
            found.append({**common, **entry})
    return tuple(found)


def tasks_of(name: str, start: str) -> list[Entry]:
    """The tasks behind the name of a task, a group or a tag."""
    own = [entry for entry in entries(start) if entry.get("task") == name]
    groups = [entry for entry in entries(start) if entry.get("group") == name]
    tagged = [entry for entry in entries(start) if name in tags_of(entry)]
    return [
        *own,
        *(part for group in groups for each in group["task"] for part in tasks_of(each, start)),
        *(part for entry in tagged for part in tasks_of(entry["task"], start)),
    ]


def tags_of(entry: Entry) -> list[str]:
    tags = entry.get("tag") or []
    return [tags] if isinstance(tags, str) else tags


def profile_tasks() -> list[tuple[str, TaskSettings]]:
    return [
        (path.stem, task)
        for path in sorted(PROFILES_FOLDER.glob("*.yaml"))
        for task in load_settings(path).evidence.tasks
    ]


FROM_THE_HUB = sorted({task.name for _, task in profile_tasks() if task.path is None})


def test_a_profile_asks_tasks_of_the_hub() -> None:
    assert "arc_easy" in FROM_THE_HUB and "mmlu" in FROM_THE_HUB


@pytest.mark.parametrize("name", FROM_THE_HUB)
def test_tasks_from_the_hub_are_there_with_a_metric_that_is_compared(name: str) -> None:
    parts = tasks_of(name, name.split("_")[0])
    assert parts, f"lm-evaluation-harness has no task {name}"
    settings = load_settings(PROFILES_FOLDER / "paper.yaml")
    rows = [{"set": name, "kind": "task"} for name in FROM_THE_HUB]
    measures = measures_of(settings, results_frame(rows))
    (compared,) = [each for each in measures if each.name == TASK_ACCURACY]
    for part in parts:
        metrics = {metric["metric"] for metric in part["metric_list"]}
        assert metrics & set(compared.metrics), f"{part['task']}: {metrics}"
        # Of these two kinds the choices or the written answer are read.
        assert part["output_type"] in ("multiple_choice", "generate_until")


def test_a_task_with_a_file_is_one_that_the_project_asks() -> None:
    local = Path(__file__).parents[3] / "quadmix_assets" / "evidence" / "tasks" / "local"
    ours = {path.stem for path in local.glob("*.yaml")}
    for profile, task in profile_tasks():
        if task.path is not None:
            assert task.name in ours, f"{profile}: {task.name}"
    assert not tasks_of("svamp", "svamp"), "the harness has it now: compare the prompts"
