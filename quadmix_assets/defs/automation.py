"""Sensors and conditions: new and changed shards are detected and processed automatically."""

import json
import time

import dagster as dg

from quadmix_assets.corpus.discovery import InputShard
from quadmix_assets.corpus.inputs import discover_inputs
from quadmix_assets.defs.partitions import SHARDS
from quadmix_assets.defs.resources import (
    AUTOMATION_ENABLED,
    DISCOVERY_SECONDS,
    ProjectResource,
)
from quadmix_assets.store import is_local

INPUT_FILES = dg.AssetKey("input_files")
# A file that was written to just now may not be complete yet.
SETTLE_SECONDS = 5.0


def observation(shard: InputShard) -> dg.AssetObservation:
    """The event that reports the present version of an input file."""
    return dg.AssetObservation(
        asset_key=INPUT_FILES,
        partition=shard.key,
        metadata={"path": str(shard.path)},
        tags={"dagster/data_version": shard.fingerprint},
    )


def _is_settled(shard: InputShard) -> bool:
    if not is_local(shard.path):
        return True  # An object appears when its upload is complete.
    return time.time() - shard.path.stat().st_mtime >= SETTLE_SECONDS


_STATUS = dg.DefaultSensorStatus.RUNNING if AUTOMATION_ENABLED else dg.DefaultSensorStatus.STOPPED


@dg.sensor(
    minimum_interval_seconds=DISCOVERY_SECONDS,
    default_status=_STATUS,
    description="Registers new input files as shards, and reports changed ones.",
)
def discover_shards(
    context: dg.SensorEvaluationContext, project: ProjectResource
) -> dg.SensorResult | dg.SkipReason:
    """Register new input files and report changed ones.

    The cursor holds the fingerprint that each file had at the last evaluation.
    """
    discovery = discover_inputs(project.settings, project.store)
    seen: dict[str, str] = json.loads(context.cursor or "{}")
    registered = set(context.instance.get_dynamic_partitions("shard"))
    changed = [
        shard
        for shard in discovery.shards
        if (seen.get(shard.key) != shard.fingerprint or shard.key not in registered)
        and _is_settled(shard)
    ]
    if not changed:
        present = {shard.key for shard in discovery.shards}
        removed = sorted(set(seen) - present)
        return dg.SkipReason(
            f"{len(present)} input files, none new or changed"
            + (f"; no longer there: {', '.join(removed[:5])}" if removed else "")
            + (f"; ignored: {', '.join(discovery.ignored[:5])}" if discovery.ignored else "")
        )
    new = [shard.key for shard in changed if shard.key not in registered]
    context.log.info(f"{len(new)} new and {len(changed) - len(new)} changed input files")
    return dg.SensorResult(
        dynamic_partitions_requests=[SHARDS.build_add_request(new)] if new else [],
        asset_events=[observation(shard) for shard in changed],
        cursor=json.dumps({**seen, **{shard.key: shard.fingerprint for shard in changed}}),
    )
