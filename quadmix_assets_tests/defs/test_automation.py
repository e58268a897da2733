"""Automation without a daemon: what the sensor and the conditions ask for, tick by tick."""

import datetime
import functools
import json
import os
import time
import unittest.mock
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets.corpus.inputs import raw_folder
from quadmix_assets.definitions import defs as load_definitions
from quadmix_assets.defs import automation
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets_tests.conftest import Project

PER_SHARD_ASSETS = {"raw_shards", "scored_shards", "domain_labels", "final_mix"}
GATHERING_ASSETS = {"score_report", "mix_manifest"}


class Automation:
    """The daemon's part, played by hand: look for files, evaluate conditions, run what they ask."""

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        self.project = project
        self.instance = instance
        self.definitions = load_definitions()
        self.run_config = {"resources": {"project": {"config": {"profile": str(project.profile)}}}}
        self.now = datetime.datetime(2026, 1, 1, 0, 0, 30)
        self.cursor = None
        self.sensor_cursor: str | None = None

    def look(self) -> list[str]:
        """Evaluate the sensor; the shards that it reports."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.sensor_cursor,
            resources={"project": ProjectResource(profile=str(self.project.profile))},
        )
        result = automation.discover_shards(context)
        if isinstance(result, dg.SkipReason):
            return []
        assert isinstance(result, dg.SensorResult)
        for request in result.dynamic_partitions_requests or []:
            self.instance.add_dynamic_partitions("shard", list(request.partition_keys))
        for event in result.asset_events:
            assert isinstance(event, dg.AssetObservation)
            self.instance.report_runless_asset_event(event)
        self.sensor_cursor = result.cursor
        return [str(event.partition) for event in result.asset_events]

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

    def execute(self, assets: list[str], partitions: set[str]) -> bool:
        """Run assets for the partitions, as one run over a range."""
        registered = [k for k in self.instance.get_dynamic_partitions("shard") if k in partitions]
        job = self.definitions.resolve_implicit_global_asset_job_def()
        tags = {}
        if registered:
            tags = {
                "dagster/asset_partition_range_start": registered[0],
                "dagster/asset_partition_range_end": registered[-1],
            }
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset) for asset in assets],
            run_config=self.run_config,
            tags=tags,
            raise_on_error=False,
        ).success

    def check(self, names: set[str]) -> None:
        """Run asset checks, "asset:check", without their assets."""
        keys = [
            dg.AssetCheckKey(dg.AssetKey(asset), check)
            for asset, check in (name.split(":") for name in names)
        ]
        dg.materialize(
            self.definitions.resolve_asset_graph().assets_defs,
            selection=dg.AssetSelection.checks(*keys),
            run_config=self.run_config,
            instance=self.instance,
            raise_on_error=False,
        )

    def settle(self) -> list[tuple[str, set[str]]]:
        """Tick and run what is asked until nothing is; what was run, in order."""
        done = []
        for _ in range(12):
            requested = self.tick()
            per_shard = {a: p for a, p in requested.items() if a in PER_SHARD_ASSETS}
            gathering = sorted(GATHERING_ASSETS & set(requested))
            checks = {name for name in requested if ":" in name}
            if per_shard:
                partitions = set.union(*per_shard.values())
                assert all(p == partitions for p in per_shard.values()), per_shard
                self.execute(sorted(per_shard), partitions)
                done += [(asset, partitions) for asset in sorted(per_shard)]
            if gathering:
                assert self.execute(gathering, set())
                done += [(asset, set()) for asset in gathering]
            if checks:
                self.check(checks)
            if not requested:
                break
        return done


@pytest.fixture
def automated(
    tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Automation]:
    """A project whose graph has been materialised, and automation that has seen all of it."""
    monkeypatch.setattr(automation, "SETTLE_SECONDS", 0.0)
    project = tiny.copy(tmp_path / "copy")
    with project.instance() as instance:
        automatic = Automation(project, instance)
        automatic.look()
        automatic.tick()
        yield automatic


def drop_file(project: Project, name: str, word: str) -> None:
    folder = Path(str(raw_folder(project.settings, project.store)))
    rows = [
        {"id": f"{word}-{n}", "text": f"The {word} number {n} is a document about a {word}. " * 5}
        for n in range(20)
    ]
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stamp = time.time() - 60
    os.utime(path, (stamp, stamp))


def counts(instance: dg.DagsterInstance) -> dict[str, int]:
    """How often every asset has been materialised, by partition."""
    found: Counter[str] = Counter()
    for asset in instance.all_asset_keys():
        for record in instance.fetch_materializations(asset, limit=1_000).records:
            found[f"{asset.to_user_string()}/{record.partition_key}"] += 1
    return dict(found)


@pytest.mark.slow
def test_only_new_and_changed_shards_are_worked_off(automated: Automation) -> None:
    project, instance = automated.project, automated.instance
    assert automated.settle() == [], "nothing is new"
    before = counts(instance)

    drop_file(project, "new.jsonl", "lighthouse")
    assert automated.look() == ["new.jsonl"]
    done = automated.settle()
    assert {asset for asset, _ in done} == PER_SHARD_ASSETS | GATHERING_ASSETS
    assert all(partitions <= {"new.jsonl"} for _, partitions in done)
    after = counts(instance)
    assert {key for key in after if after[key] != before.get(key, 0)} == {
        *(f"{asset}/None" for asset in GATHERING_ASSETS),
        *(f"{asset}/new.jsonl" for asset in PER_SHARD_ASSETS),
    }
    manifest = project.store.read_json(project.store.path("mix_manifest", "mix_manifest.json"))
    assert manifest["shards"]["new.jsonl"]["counts"]["n_documents_in"] == 20
    assert manifest["stale_shards"] == {}

    drop_file(project, "new.jsonl", "telescope")
    (path,) = (s for s in project.store.root.glob("planted_corpus/raw/new.jsonl"))
    os.utime(str(path), (time.time() - 30, time.time() - 30))
    assert automated.look() == ["new.jsonl"]
    done = automated.settle()
    assert {asset for asset, _ in done} == PER_SHARD_ASSETS | GATHERING_ASSETS
    scored = project.store.read_table(project.store.table_path("scored_shards", "new.jsonl"))
    assert all(scored["id"].str.starts_with("telescope"))
    assert automated.look() == []
    assert automated.settle() == []


@pytest.mark.slow
def test_broken_file_fails_alone_and_is_not_tried_for_ever(automated: Automation) -> None:
    folder = Path(str(raw_folder(automated.project.settings, automated.project.store)))
    drop_file(automated.project, "good.jsonl", "harbour")
    (folder / "broken.jsonl.gz").write_bytes(b"this is no gzip")
    os.utime(folder / "broken.jsonl.gz", (time.time() - 60, time.time() - 60))
    assert automated.look() == ["broken.jsonl.gz", "good.jsonl"]
    automated.settle()
    for asset in PER_SHARD_ASSETS:
        done = automated.instance.get_materialized_partitions(dg.AssetKey(asset))
        assert "good.jsonl" in done, asset
        assert "broken.jsonl.gz" not in done, asset
    assert automated.settle() == []


def test_half_written_file_waits(automated: Automation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automation, "SETTLE_SECONDS", 30.0)
    drop_file(automated.project, "fresh.jsonl", "anchor")
    folder = Path(str(raw_folder(automated.project.settings, automated.project.store)))
    os.utime(folder / "fresh.jsonl")
    assert automated.look() == []
    os.utime(folder / "fresh.jsonl", (time.time() - 60, time.time() - 60))
    assert automated.look() == ["fresh.jsonl"]
