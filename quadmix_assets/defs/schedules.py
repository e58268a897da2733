"""Schedules; each is a switch of the Automation page."""

from collections.abc import Iterator

import dagster as dg

from quadmix_assets.defs.jobs import (
    refit_and_search,
    score_new_shards,
    tidy_instance,
)
from quadmix_assets.defs.partitions import SHARDS, UNFINISHED
from quadmix_assets.defs.resources import SETTINGS, SHARD_ASSETS
from quadmix_assets.partition_ranges import neighbours, range_tags
from quadmix_assets.staleness import Staleness


@dg.schedule(
    cron_schedule=SETTINGS.automation.backfill_cron,
    job=score_new_shards,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Requests missing and changed shards of `score_new_shards`, at most "
    f"{SETTINGS.automation.shards_per_tick} per tick, and none while such runs are under way. A "
    "shard that failed is left out until its file changes. For pools that are too large to be "
    "followed at once; otherwise switch on `follow_shards` instead.",
)
def backfill_shards(
    context: dg.ScheduleEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request some of the missing and changed shards."""
    instance = context.instance
    unfinished = dg.RunsFilter(job_name=score_new_shards.name, statuses=UNFINISHED)
    if instance.get_runs_count(unfinished):
        yield dg.SkipReason("runs of score_new_shards are under way")
        return
    graph = context.repository_def.asset_graph
    keys = instance.get_dynamic_partitions("shard")
    staleness = Staleness(instance, graph, {})
    stale: set[str] = set()
    for asset in SHARD_ASSETS:
        failed = instance.get_status_by_partition(dg.AssetKey(asset), keys, SHARDS) or {}
        for_good = {key for key, status in failed.items() if status and status.value == "FAILED"}
        stale |= staleness.stale_partitions(asset, keys) - for_good
    chosen = set(sorted(stale)[: SETTINGS.automation.shards_per_tick])
    if not chosen:
        yield dg.SkipReason(f"all of {len(keys)} shards are up to date")
        return
    for stretch in neighbours(keys, chosen):
        yield dg.RunRequest(
            run_key=None,
            tags=range_tags(stretch),
        )


search_again = dg.ScheduleDefinition(
    name="search_again",
    cron_schedule=SETTINGS.automation.search_cron,
    job=refit_and_search,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Fits and searches again, so that theta* follows the proxies that were trained "
    "since. The mix stays as it is until somebody runs `make_mixes`.",
)

tidy_up = dg.ScheduleDefinition(
    name="tidy_up",
    cron_schedule="30 4 * * *",
    job=tidy_instance,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Deletes old evaluations of the automation once a day, so that an instance that "
    "only waits does not grow.",
)
