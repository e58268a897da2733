"""Group `report`: the first page of a project, kept current without runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from quadmix_assets.defs.failed_checks import failed_checks
from quadmix_assets.defs.metadata import Cost, figure
from quadmix_assets.defs.resources import OWNERS, SETTINGS, ProjectResource
from quadmix_assets.hashing import hash_bytes
from quadmix_assets.mix.plots import plot_domain_shares
from quadmix_assets.outputs import (
    FINAL_MIX,
    MIX_MANIFEST,
    OPTIMAL_PARAMS,
    OPTIMUM_CHECK,
    PROXY_METRICS,
    RAW_SHARDS,
    SCORE_REPORT,
    VERIFICATION,
    mix_output,
)
from quadmix_assets.proxies.swarm_progress import swarm_progress
from quadmix_assets.report.next_steps import next_steps
from quadmix_assets.report.overview import Made, Overview, read_overview
from quadmix_assets.report.overview_page import overview_sections
from quadmix_assets.report.settings_of import changed_since_made
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

OVERVIEW = dg.AssetKey("overview")

overview = dg.AssetSpec(
    OVERVIEW,
    group_name="report",
    kinds={"markdown"},
    owners=OWNERS,
    deps=[
        RAW_SHARDS,
        SCORE_REPORT,
        PROXY_METRICS,
        OPTIMAL_PARAMS,
        VERIFICATION,
        OPTIMUM_CHECK,
        *(
            dg.AssetKey.from_user_string(mix_output(mix, what))
            for mix in SETTINGS.mix_names
            for what in (FINAL_MIX, MIX_MANIFEST)
        ),
    ],
    description=f"The first page of profile `{SETTINGS.profile}`: pool, mixes, swarm, what was "
    "left out, what to click next.\n\n"
    "The sensor `watch_overview` writes it when something has changed, without a run; it cannot be "
    "materialised. The page is below, under *Metadata*.",
)


@dg.sensor(
    minimum_interval_seconds=SETTINGS.automation.overview_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes the overview when assets, checks, shards or settings have changed. It "
    "starts no runs.",
)
def watch_overview(
    context: dg.SensorEvaluationContext, project: ProjectResource
) -> dg.SensorResult | dg.SkipReason:
    """Report the overview anew if anything that it shows has changed."""
    if context.repository_def is None:
        return dg.SkipReason("the code location is not loaded")
    graph, settings = context.repository_def.asset_graph, project.settings
    state = _state(context.instance, graph, settings)
    if state == context.cursor:
        return dg.SkipReason("nothing has changed")
    event = _materialization(context.instance, graph, settings, project.store)
    return dg.SensorResult(asset_events=[event], cursor=state)


def report_overview(
    instance: dg.DagsterInstance, graph: AssetGraph, settings: Settings, store: Store
) -> None:
    """Write the overview as it is now."""
    instance.report_runless_asset_event(_materialization(instance, graph, settings, store))


def _state(instance: dg.DagsterInstance, graph: AssetGraph, settings: Settings) -> str:
    """A hash of the latest events of all assets and checks, the shards, and the settings."""
    keys = sorted(graph.materializable_asset_keys)
    entries = [record.asset_entry for record in instance.get_asset_records(keys)]
    latest = {
        entry.asset_key.to_user_string(): entry.last_materialization_storage_id for entry in entries
    }
    checks = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        sorted(graph.asset_check_keys)
    )
    seen = (
        sorted(latest.items()),
        sorted((str(key), record.id, record.status.value) for key, record in checks.items()),
        sorted(instance.get_dynamic_partitions("shard")),
        settings.model_dump_json(),
    )
    return hash_bytes(repr(seen).encode())


def _materialization(
    instance: dg.DagsterInstance, graph: AssetGraph, settings: Settings, store: Store
) -> dg.AssetMaterialization:
    cost = Cost()
    seen = read_overview(
        store,
        settings,
        sorted(instance.get_dynamic_partitions("shard")),
        swarm=swarm_progress(store, settings),
        made=_made(instance, graph),
        failed_checks=failed_checks(instance, graph),
        changed_settings=changed_since_made(store, settings),
    )
    return dg.AssetMaterialization(
        OVERVIEW,
        metadata={
            **{title: _shown(content) for title, content in overview_sections(seen).items()},
            **_plot(store, seen),
            **_numbers(seen),
            **cost.metadata(),
        },
        description=next_steps(seen)[0],
    )


def _shown(content: str | pl.DataFrame) -> dg.MetadataValue:
    if isinstance(content, str):
        return dg.MetadataValue.md(content)
    return dg.MetadataValue.table(
        [dg.TableRecord(row) for row in content.iter_rows(named=True)],
        dg.TableSchema(
            [
                dg.TableColumn(name, "float" if dtype.is_numeric() else "string")
                for name, dtype in content.schema.items()
            ]
        ),
    )


def _plot(store: Store, seen: Overview) -> dict[str, Any]:
    if not seen.production.n_tokens:
        return {}
    shares = {
        name: seen.domains[name].to_numpy() / max(int(seen.domains[name].sum()), 1)
        for name in ("n_tokens_pool", "n_tokens_mix")
    }
    plot = plot_domain_shares(
        seen.domains["domain"].to_list(), *shares.values(), mix=seen.production.name
    )
    return {"shares": figure(store, OVERVIEW.to_user_string(), "shares", plot)}


def _numbers(seen: Overview) -> Mapping[str, int]:
    """What the UI draws over time."""
    mix = seen.production
    return {
        "n_shards": seen.pool.n_shards,
        "n_set_aside": len(seen.pool.set_aside),
        "n_documents": seen.pool.n_documents,
        "n_tokens": seen.n_tokens,
        "n_quarantined": sum(seen.pool.quarantined.values()),
        "n_failed_checks": len(seen.failed_checks),
        "n_documents_mix": mix.n_documents,
        "n_tokens_mix": mix.n_tokens,
    }


def _made(instance: dg.DagsterInstance, graph: AssetGraph) -> Sequence[Made]:
    """Per asset how much of it is there, parents first."""
    keys = [key for key in graph.toposorted_asset_keys if key in graph.materializable_asset_keys]
    done = {
        record.asset_entry.asset_key
        for record in instance.get_asset_records(keys)
        if record.asset_entry.last_materialization_storage_id is not None
    }
    found = []
    for key in keys:
        partitions = graph.get(key).partitions_def
        if partitions is None:
            found.append(Made(key.to_user_string(), int(key in done), 1, is_partitioned=False))
            continue
        registered = set(partitions.get_partition_keys(dynamic_partitions_store=instance))
        made = instance.get_materialized_partitions(key) & registered
        name = key.to_user_string()
        found.append(Made(name, len(made), len(registered), is_partitioned=True))
    return found
