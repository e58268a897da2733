"""The event log of an instance in files, as runs over many partitions write it."""

import multiprocessing
import os
import sqlite3
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy.event import listen

from quadmix_assets.defs import partitions
from quadmix_assets.defs.event_log import OpenEventLog, open_event_log
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


def _run_of_toy(folder: Path, *, is_open: bool) -> dict[str, list[tuple[Any, ...]]]:
    """What a run over three partitions leaves in the files, but for times and ids of runs."""
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        instance.add_dynamic_partitions("shard", ["a", "b", "c"])
        tags = {
            "dagster/asset_partition_range_start": "a",
            "dagster/asset_partition_range_end": "c",
        }
        with open_event_log(instance) if is_open else nullcontext():
            assert isinstance(instance.event_log_storage, OpenEventLog) is is_open
            result = dg.materialize([toy], instance=instance, tags=tags)
        assert result.success
        (latest,) = instance.get_asset_records([TOY])
        entry = latest.asset_entry
        assert entry.last_run_id == result.run_id
        last = entry.last_materialization
        assert last is not None
        assert last.dagster_event is not None
        event = "SELECT dagster_event_type, step_key, asset_key, partition FROM event_logs"
        by_kind = "dagster_event_type, partition, id"
        tags_of = "SELECT event_id, asset_key, key, value FROM asset_event_tags"
        events = folder / "history" / "runs"
        return {
            # Of the planned ones the order is that of a set.
            "run": _rows(events / f"{result.run_id}.db", f"{event} ORDER BY {by_kind}"),
            "index": _rows(events / "index.db", f"{event} ORDER BY {by_kind}"),
            "tags": _rows(events / "index.db", f"{tags_of} ORDER BY event_id, key"),
            "last": [(last.dagster_event.partition,)],
        }


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_the_same_is_stored_as_by_dagster_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _run_of_toy(tmp_path / "open", is_open=True)
    # Steps open the log themselves.
    monkeypatch.setattr(partitions, "open_event_log", lambda _: nullcontext())
    expected = _run_of_toy(tmp_path / "dagster", is_open=False)
    assert [row[3] for row in expected["index"] if row[3]] == [*"abc", *"abc"]
    assert found == expected


def _commits_of_planning(folder: Path, keys: list[str]) -> int:
    """Transactions in the file of all runs when a run over `keys` is made, in an open log."""
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        instance.add_dynamic_partitions("shard", keys)
        graph = dg.Definitions([toy]).resolve_asset_graph()
        job = dg.define_asset_job("job", [toy]).resolve(asset_graph=graph)
        tags = {
            "dagster/asset_partition_range_start": keys[0],
            "dagster/asset_partition_range_end": keys[-1],
        }
        commits: list[object] = []
        with open_event_log(instance):
            storage = instance.event_log_storage
            assert isinstance(storage, OpenEventLog)
            with storage.index_connection() as connection:
                pass
            listen(connection, "commit", commits.append)
            instance.create_run_for_job(job, tags=tags, asset_selection=frozenset([TOY]))
    rows = _rows(
        folder / "history" / "runs" / "index.db",
        "SELECT partition FROM event_logs WHERE dagster_event_type = "
        "'ASSET_MATERIALIZATION_PLANNED' ORDER BY id",
    )
    assert sorted(rows) == [(key,) for key in keys]
    return len(commits)


def test_events_that_are_planned_together_are_stored_together(tmp_path: Path) -> None:
    few = _commits_of_planning(tmp_path / "few", ["a", "b"])
    many = _commits_of_planning(tmp_path / "many", [f"{number:02d}" for number in range(20)])
    assert many == few
