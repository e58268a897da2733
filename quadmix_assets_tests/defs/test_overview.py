"""The overview's events: written when something has changed, and only then."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets.defs.overview import OVERVIEW, overview, report_overview, watch_overview
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import put_raw

SHARDS = dg.DynamicPartitionsDefinition(name="shard")


@dg.asset(partitions_def=SHARDS, key="raw_shards")
def shards() -> None:
    """Stands for the assets with partitions."""


@dg.asset(key="tokenizer", deps=[shards])
def pinned() -> None:
    """Stands for the assets without."""


@dg.asset_check(asset=pinned, name="is_large_enough")
def large_enough() -> dg.AssetCheckResult:
    """Fails."""
    return dg.AssetCheckResult(passed=False, description="too small: take more text")


GRAPH = dg.Definitions(
    assets=[overview, shards, pinned], asset_checks=[large_enough], sensors=[watch_overview]
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("shard", ["one", "two"])
        yield instance


def tick(
    instance: dg.DagsterInstance, project: Project, cursor: str | None
) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(
        instance=instance,
        repository_def=GRAPH.get_repository_def(),
        cursor=cursor,
        resources={"project": ProjectResource(profile=str(project.profile))},
    )
    result = watch_overview(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def page_of(event: object) -> str:
    """All sections in one text."""
    assert isinstance(event, dg.AssetMaterialization)
    parts = []
    for title, value in event.metadata.items():
        if isinstance(value, dg.TableMetadataValue):
            parts += [str(record.data) for record in value.records]
        else:
            parts.append(f"{title}: {value.value}")
    return "\n".join(parts)


def test_the_sensor_writes_what_has_changed_and_starts_no_run(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    project = Project(tmp_path)
    first = tick(instance, project, None)
    assert isinstance(first, dg.SensorResult) and not first.run_requests
    (event,) = first.asset_events
    assert event.asset_key == OVERVIEW
    assert "*Materialize all*" in page_of(event)
    assert isinstance(tick(instance, project, first.cursor), dg.SkipReason)

    put_raw(project.store, "one", [{"id": "a", "text": "Text."}])
    assert dg.materialize([shards], instance=instance, partition_key="one").success
    assert GRAPH.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, asset_selection=[pinned.key]
    )
    second = tick(instance, project, first.cursor)
    assert isinstance(second, dg.SensorResult)
    (event,) = second.asset_events
    page = page_of(event)
    assert str({"asset": "raw_shards", "made": 1, "of": 2}) in page
    assert "too small: take more text" in page
    assert event.metadata["n_failed_checks"].value == 1
    assert event.metadata["n_documents"].value == 1
    assert event.description and "is_large_enough" in event.description

    instance.delete_dynamic_partition("shard", "two")
    assert isinstance(tick(instance, project, second.cursor), dg.SensorResult)


def test_a_run_can_write_the_overview_itself(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    project = Project(tmp_path)
    graph = GRAPH.resolve_asset_graph()
    report_overview(instance, graph, project.settings, project.store)
    event = instance.get_latest_materialization_event(OVERVIEW)
    assert event is not None and event.asset_materialization is not None
    assert "what to do next: 1. " in page_of(event.asset_materialization)


def test_overview_is_no_step_of_the_graph() -> None:
    assert OVERVIEW not in GRAPH.resolve_asset_graph().materializable_asset_keys
    assert watch_overview.default_status == dg.DefaultSensorStatus.RUNNING
