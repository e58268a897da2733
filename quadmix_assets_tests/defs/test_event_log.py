"""The event log of an instance in files, written through connections that stay open."""

import multiprocessing
import os
import sqlite3
from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets.defs.event_log import open_event_log
from quadmix_assets.defs.partitions import SHARDS, for_each_partition

TOY = dg.AssetKey("toy")


def report(instance: dg.DagsterInstance, partition: str) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(TOY, partition=partition))


def recorded(folder: Path) -> set[str]:
    """By another instance on the same files."""
    with dg.DagsterInstance.local_temp(str(folder)) as other:
        return other.get_materialized_partitions(TOY)


def test_others_see_each_event_at_once_and_write_beside_it(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        with open_event_log(instance):
            report(instance, "a")
            assert recorded(tmp_path) == {"a"}
            with dg.DagsterInstance.local_temp(str(tmp_path)) as other:
                report(other, "b")
            report(instance, "c")
            assert instance.get_materialized_partitions(TOY) == {"a", "b", "c"}
        report(instance, "d")
    assert recorded(tmp_path) == {"a", "b", "c", "d"}


def test_a_block_in_a_block_leaves_the_outer_one_open(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        with pytest.raises(KeyError), open_event_log(instance):
            with open_event_log(instance):
                report(instance, "a")
            report(instance, "b")
            raise KeyError
        report(instance, "c")
        assert instance.get_materialized_partitions(TOY) == {"a", "b", "c"}


def test_fewer_files_are_opened_than_events_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    plain = sqlite3.dbapi2.connect

    def counted(database: str, *arguments: object, **options: object) -> sqlite3.Connection:
        opened.append(database)
        return plain(database, *arguments, **options)  # type: ignore[call-overload]

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        report(instance, "first")
        monkeypatch.setattr(sqlite3.dbapi2, "connect", counted)
        report(instance, "second")
        of_one = len(opened)
        opened.clear()
        with open_event_log(instance):
            for number in range(50):
                report(instance, str(number))
    assert of_one > 1, "else there is nothing to save"
    assert len(opened) < 10


def _write_and_die(folder: Path) -> None:
    with dg.DagsterInstance.local_temp(str(folder)) as instance, open_event_log(instance):
        report(instance, "a")
        report(instance, "b")
        os._exit(1)


def test_what_is_written_survives_a_killed_process(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)):
        pass
    process = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(tmp_path,))
    process.start()
    process.join()
    assert recorded(tmp_path) == {"a", "b"}


@dg.asset(partitions_def=SHARDS, backfill_policy=dg.BackfillPolicy.single_run())
def toy(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    return for_each_partition(
        context,
        lambda key: {"name": key},
        version=lambda key: f"content of {key}",
        once=lambda key: {"example": f"rows of {key}"},
    )


def test_a_step_says_once_what_all_its_partitions_have_in_common(tmp_path: Path) -> None:
    keys = ["a", "b", "c"]
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("shard", keys)
        tags = {
            "dagster/asset_partition_range_start": "a",
            "dagster/asset_partition_range_end": "c",
        }
        assert dg.materialize([toy], instance=instance, tags=tags).success
        latest = instance.get_latest_materialization_event(TOY)
        records = instance.fetch_materializations(TOY, limit=10).records
    assert latest is not None and latest.asset_materialization is not None
    assert latest.asset_materialization.metadata["example"].value == "rows of c"
    named = [each.partition_key for each in records]
    assert sorted(map(str, named)) == keys
    holding = [
        each.partition_key
        for each in records
        if each.asset_materialization and "example" in each.asset_materialization.metadata
    ]
    assert holding == ["c"]
