from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

from quadmix_assets.defs.partitions import SHARDS, for_each_partition, shards_with

KEYS = ["c", "a", "d", "b"]
worked: list[str] = []


def work(key: str) -> Mapping[str, Any]:
    worked.append(key)
    if key == "b":
        raise ValueError("b is broken\nin two lines")
    if key == "d":
        raise KeyError("a mistake in the code")
    return {"length": len(key), "name": key}


@dg.asset(partitions_def=SHARDS, backfill_policy=dg.BackfillPolicy.single_run(), code_version="7")
def toy(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    return for_each_partition(
        context,
        work,
        version=lambda key: f"content of {key}",
        expected_errors=(ValueError, FileNotFoundError),
    )


@dg.asset
def gathered(context: dg.AssetExecutionContext) -> list[str]:
    return shards_with(context, "toy")


@pytest.fixture
def instance() -> dg.DagsterInstance:
    worked.clear()
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("shard", KEYS)
    return instance


def materialize(instance: dg.DagsterInstance, start: str, end: str) -> dg.ExecuteInProcessResult:
    tags = {
        "dagster/asset_partition_range_start": start,
        "dagster/asset_partition_range_end": end,
    }
    return dg.materialize([toy], instance=instance, tags=tags, raise_on_error=False)


def metadata_of(instance: dg.DagsterInstance) -> dict[str, dict[str, Any]]:
    records = instance.fetch_materializations(dg.AssetKey("toy"), limit=100).records
    found = {}
    for record in records:
        assert record.asset_materialization is not None
        values = record.asset_materialization.metadata
        found[str(record.partition_key)] = {
            key: values[key].value for key in ("name", "length") if key in values
        }
    assert len(found) == len(records), "no partition twice"
    return found


def test_every_partition_is_recorded_with_its_own_metadata(instance: dg.DagsterInstance) -> None:
    assert materialize(instance, "c", "a").success
    assert metadata_of(instance) == {key: {"name": key, "length": 1} for key in "ca"}
    assert worked == ["a", "c"]


def test_every_partition_has_the_version_of_its_own_content(instance: dg.DagsterInstance) -> None:
    assert materialize(instance, "c", "a").success
    records = instance.fetch_materializations(dg.AssetKey("toy"), limit=10).records
    versions = {}
    for record in records:
        assert record.asset_materialization is not None
        tags = record.asset_materialization.tags or {}
        versions[record.partition_key] = tags["dagster/data_version"]
        assert tags["dagster/code_version"] == "7"
    assert versions == {key: f"content of {key}" for key in "ac"}


def test_what_is_finished_is_on_record_when_a_later_partition_stops_the_step(
    instance: dg.DagsterInstance,
) -> None:
    instance.delete_dynamic_partition("shard", "b")
    result = materialize(instance, "c", "d")
    assert not result.success
    assert worked == ["a", "c", "d"]
    assert metadata_of(instance) == {key: {"name": key, "length": 1} for key in "ac"}


def test_a_failing_partition_fails_alone(instance: dg.DagsterInstance) -> None:
    instance.delete_dynamic_partition("shard", "d")
    result = materialize(instance, "c", "b")
    assert not result.success
    assert worked == ["a", "b", "c"], "the others go on"
    assert instance.get_materialized_partitions(dg.AssetKey("toy")) == {"a", "c"}
    assert metadata_of(instance) == {key: {"name": key, "length": 1} for key in "ac"}
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert data.description is not None
    assert data.description.startswith("1 of 3 partitions failed:")
    assert "- b: b is broken" in data.description
    status = instance.get_status_by_partition(dg.AssetKey("toy"), ["a", "b", "c"], SHARDS)
    assert status is not None
    found = [str(status[key]).rpartition(".")[2] for key in "abc"]
    assert found == ["MATERIALIZED", "FAILED", "MATERIALIZED"]


def test_one_partition_alone(instance: dg.DagsterInstance) -> None:
    good = dg.materialize([toy], instance=instance, partition_key="a")
    assert good.success
    bad = dg.materialize([toy], instance=instance, partition_key="b", raise_on_error=False)
    assert not bad.success
    assert instance.get_materialized_partitions(dg.AssetKey("toy")) == {"a"}
    assert metadata_of(instance) == {"a": {"name": "a", "length": 1}}


def test_a_mistake_in_the_code_is_not_taken_for_a_bad_shard(instance: dg.DagsterInstance) -> None:
    with pytest.raises(KeyError, match="a mistake"):
        dg.materialize([toy], instance=instance, partition_key="d")


def test_gathering_takes_the_shards_that_are_there_in_their_order(
    instance: dg.DagsterInstance,
) -> None:
    result = dg.materialize([gathered], instance=instance, raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert "no shard of 'toy' is materialised" in str(data.description)
    materialize(instance, "c", "a")
    result = dg.materialize([gathered], instance=instance)
    assert result.output_for_node("gathered") == ["a", "c"]
    instance.delete_dynamic_partition("shard", "c")
    result = dg.materialize([gathered], instance=instance)
    assert result.output_for_node("gathered") == ["a"], "a shard that was deleted is left out"
