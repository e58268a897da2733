"""Automation without a daemon: what the conditions ask for, tick by tick."""

import datetime
import functools
import importlib
import json
import os
import time
import unittest.mock
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from quadmix_assets.corpus.inputs import raw_folder
from quadmix_assets.outputs import per_shard
from quadmix_assets_tests.conftest import Project, instance_in

PER_SHARD = per_shard(["quadmix"])
GATHERING = {"score_report", "mixes/quadmix/mix_manifest", "mix_comparison", "report", "catalog"}


class Automation:
    """The daemon's part, played by hand: look for files, evaluate conditions, run what they ask."""

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        self.project = project
        self.instance = instance
        self.definitions = project.definitions()
        self.discovery = importlib.import_module("quadmix_assets.defs.discovery")
        self.project_resource = importlib.import_module("quadmix_assets.defs.resources")
        self.now = datetime.datetime(2026, 1, 1, 0, 0, 30)
        self.cursor = None
        self.sensor_cursor: str | None = None

    def look(self) -> list[str]:
        """Evaluate the sensor of input files; the shards whose versions it reports."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.sensor_cursor,
            resources={
                "project": self.project_resource.ProjectResource(profile=str(self.project.profile))
            },
        )
        result = self.discovery.discover_shards(context)
        if isinstance(result, dg.SkipReason):
            return []
        for request in result.dynamic_partitions_requests or []:
            keys = list(request.partition_keys)
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions("shard", keys)
            else:
                for key in keys:
                    self.instance.delete_dynamic_partition("shard", key)
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        self.sensor_cursor = result.cursor
        return sorted(str(event.partition) for event in result.asset_events if event.partition)

    def tick(self) -> dict[str, set[str]]:
        """Evaluate all conditions a minute later; requested partitions by asset or check."""
        self.now += datetime.timedelta(minutes=1)
        # No partition is added while conditions are evaluated, which ask for them 700 times a tick:
        # the daemon reads them once too.
        registered = functools.cache(self.instance.get_dynamic_partitions)
        with unittest.mock.patch.object(self.instance, "get_dynamic_partitions", registered):
            result = dg.evaluate_automation_conditions(
                self.definitions, self.instance, evaluation_time=self.now, cursor=self.cursor
            )
        self.cursor = result.cursor  # type: ignore[assignment]
        requested: dict[str, set[str]] = {}
        for evaluation in result.results:
            if evaluation.true_subset.is_empty:
                continue
            key = evaluation.key
            if isinstance(key, dg.AssetKey):
                partitions = result.get_requested_partitions(key)
                requested[key.to_user_string()] = {str(p) for p in partitions if p is not None}
            else:
                requested[key.to_user_string()] = set()
        return requested

    def execute(self, assets: list[str], partitions: set[str], registered: list[str]) -> bool:
        """Run assets for the partitions, as one run over a range."""
        keys = [key for key in registered if key in partitions]
        job = self.definitions.resolve_implicit_global_asset_job_def()
        tags = {}
        if keys:
            tags = {
                "dagster/asset_partition_range_start": keys[0],
                "dagster/asset_partition_range_end": keys[-1],
            }
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
            partition_key=keys[0] if len(keys) == 1 else None,
            tags=tags if len(keys) > 1 else {},
            raise_on_error=False,
        ).success

    def check(self, names: set[str]) -> None:
        """Run asset checks, "asset:check", without their assets."""
        keys = [
            dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), check)
            for asset, check in (name.split(":") for name in names)
        ]
        dg.materialize(
            self.definitions.resolve_asset_graph().assets_defs,
            selection=dg.AssetSelection.checks(*keys),
            instance=self.instance,
            raise_on_error=False,
        )

    def settle(self, ticks: int = 12) -> list[tuple[tuple[str, ...], frozenset[str]]]:
        """Tick and run what is asked until nothing is; the runs, as assets and partitions.

        Assets that are asked for at one tick with the same partitions make one run, as in the
        daemon; proxy batches one run each.
        """
        runs = []
        for _ in range(ticks):
            requested = self.tick()
            assets = {name: parts for name, parts in requested.items() if ":" not in name}
            for parts, together in _by_partitions(assets):
                batches = [parts]
                registered = list(self.instance.get_dynamic_partitions("shard"))
                if parts and not parts <= set(registered):
                    registered = sorted(parts)
                    batches = [frozenset({key}) for key in registered]
                for batch in batches:
                    self.execute(together, set(batch), registered)
                    runs.append((tuple(together), batch))
            checks = {name for name in requested if ":" in name}
            if checks:
                self.check(checks)
            if not requested:
                break
        return runs


def _by_partitions(
    requested: Mapping[str, set[str]],
) -> Iterator[tuple[frozenset[str], list[str]]]:
    for parts in sorted({frozenset(found) for found in requested.values()}, key=sorted):
        yield parts, sorted(asset for asset, found in requested.items() if found == parts)


@pytest.fixture
def automated(tiny: Project, tmp_path: Path) -> Iterator[Automation]:
    """A project whose graph has been materialised, and automation that has seen all of it."""
    project = tiny.copy(tmp_path / "copy")
    with project.instance() as instance:
        automatic = Automation(project, instance)
        automatic.look()
        automatic.tick()
        yield automatic


def drop_file(project: Project, name: str, word: str, *, seconds_ago: int = 60) -> None:
    folder = Path(str(raw_folder(project.settings, project.store)))
    rows = [
        {"id": f"{word}-{n}", "text": f"The {word} number {n} is a document about a {word}. " * 5}
        for n in range(20)
    ]
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stamp = time.time() - seconds_ago
    os.utime(path, (stamp, stamp))


def counts(instance: dg.DagsterInstance) -> dict[str, int]:
    """How often every asset has been materialised, by partition."""
    found: Counter[str] = Counter()
    for asset in instance.all_asset_keys():
        for record in instance.fetch_materializations(asset, limit=1_000).records:
            found[f"{asset.to_user_string()}/{record.partition_key}"] += 1
    return dict(found)


@pytest.mark.slow
def test_a_new_shard_takes_two_runs_and_concerns_nothing_else(automated: Automation) -> None:
    project, instance = automated.project, automated.instance
    assert automated.settle() == [], "nothing is new"
    before = counts(instance)

    drop_file(project, "new.jsonl", "lighthouse")
    assert automated.look() == ["new.jsonl"]
    runs = automated.settle()
    assert len(runs) == 2, runs
    shard, whole = runs
    assert shard == (tuple(sorted(PER_SHARD)), frozenset({"new.jsonl"}))
    assert set(whole[0]) == GATHERING
    after = counts(instance)
    changed = {key for key in after if after[key] != before.get(key, 0)}
    assert changed - {"input_listing/None"} == {
        *(f"{asset}/None" for asset in GATHERING),
        *(f"{asset}/new.jsonl" for asset in PER_SHARD),
    }
    manifest = project.store.read_json(
        project.store.path("mixes/quadmix/mix_manifest", "mix_manifest.json")
    )
    assert manifest["shards"]["new.jsonl"]["counts"]["n_documents_in"] == 20
    assert manifest["stale_shards"] == {}

    drop_file(project, "new.jsonl", "telescope", seconds_ago=30)
    assert automated.look() == ["new.jsonl"]
    shard, whole = automated.settle()
    assert shard == (tuple(sorted(PER_SHARD)), frozenset({"new.jsonl"}))
    assert set(whole[0]) == GATHERING
    scored = project.store.read_table(project.store.table_path("scored_shards", "new.jsonl"))
    assert all(scored["id"].str.starts_with("telescope"))
    assert automated.look() == []
    assert automated.settle() == []


@pytest.mark.slow
def test_broken_file_is_set_aside_and_not_tried_for_ever(automated: Automation) -> None:
    project = automated.project
    folder = Path(str(raw_folder(project.settings, project.store)))
    drop_file(project, "good.jsonl", "harbour")
    (folder / "broken.jsonl.gz").write_bytes(b"this is no gzip")
    os.utime(folder / "broken.jsonl.gz", (time.time() - 60, time.time() - 60))
    assert automated.look() == ["broken.jsonl.gz", "good.jsonl"]
    automated.settle()
    mixed = project.store.read_table(
        project.store.table_path("mixes/quadmix/final_mix", "broken.jsonl.gz")
    )
    assert mixed.is_empty()
    for asset in PER_SHARD:
        key = dg.AssetKey.from_user_string(asset)
        done = automated.instance.get_materialized_partitions(key)
        assert {"good.jsonl", "broken.jsonl.gz"} <= done, asset
    assert automated.look() == []
    assert automated.settle() == []


def test_half_written_file_waits(automated: Automation) -> None:
    drop_file(automated.project, "fresh.jsonl", "anchor", seconds_ago=0)
    assert automated.look() == []
    drop_file(automated.project, "fresh.jsonl", "anchor", seconds_ago=60)
    assert automated.look() == ["fresh.jsonl"]


@pytest.mark.slow
def test_everything_is_built_in_order_without_a_click(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with project.instance() as instance:
        automatic = Automation(project, instance)
        automatic.discovery.register_shards(instance, project.settings, project.store)
        runs = []
        while found := automatic.settle(ticks=1):
            runs += found
            automatic.look()
        made = counts(instance)
    twice = {name for name, n in made.items() if n != 1}
    assert twice <= {"input_listing/None"}, "nothing is made twice"
    graph = automatic.definitions.resolve_asset_graph()
    names = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert names == {name.rpartition("/")[0] for name in made} - {"overview", "input_listing"}
    assert len(runs) <= 22, runs


TICKS: list[dict[str, set[str]]] = []


def test_a_tick_in_the_middle_of_a_run_splits_nothing(tmp_path: Path) -> None:
    """Three hundred shards; the automation looks while half of them are recorded."""
    partitions = importlib.import_module("quadmix_assets.defs.partitions")
    conditions = importlib.import_module("quadmix_assets.defs.conditions")
    policy = dg.BackfillPolicy.single_run()
    keys = [f"shard-{number:04d}" for number in range(300)]

    class Seen(Automation):
        def __init__(self, instance: dg.DagsterInstance) -> None:
            self.instance = instance
            self.now = datetime.datetime(2026, 1, 1, 0, 0, 30)
            self.cursor = None

    @dg.asset(code_version="1")
    def model() -> None: ...

    def made(context: dg.AssetExecutionContext) -> Any:
        def work(key: str) -> Mapping[str, Any]:
            if key.endswith("50"):
                TICKS.append(seen.tick())
            return {}

        return partitions.for_each_partition(context, work, version=str)

    @dg.asset(
        partitions_def=partitions.SHARDS,
        backfill_policy=policy,
        automation_condition=conditions.SHARD,
        code_version="1",
    )
    def raw(context: dg.AssetExecutionContext) -> Any:
        return made(context)

    @dg.asset(
        partitions_def=partitions.SHARDS,
        backfill_policy=policy,
        automation_condition=conditions.SHARD,
        code_version="1",
        deps=[raw, model],
    )
    def scored(context: dg.AssetExecutionContext) -> Any:
        return made(context)

    @dg.asset(automation_condition=conditions.GATHER, code_version="1", deps=[scored])
    def manifest() -> None: ...

    with instance_in(tmp_path), dg.DagsterInstance.get() as instance:
        seen = Seen(instance)
        seen.definitions = dg.Definitions([model, raw, scored, manifest])
        instance.add_dynamic_partitions("shard", keys)
        TICKS.clear()
        assert seen.tick() == {"raw": set(keys)}
        assert seen.execute(["raw"], set(keys), keys)
        assert len(TICKS) == 3
        assert not any(TICKS), "a run is under way, and the model is not there"
        assert seen.execute(["model"], set(), keys)
        assert seen.tick() == {"scored": set(keys)}, "all at once"
        TICKS.clear()
        assert seen.execute(["scored"], set(keys), keys)
        assert not any("scored" in tick for tick in TICKS)
        assert seen.tick() == {"manifest": set()}
