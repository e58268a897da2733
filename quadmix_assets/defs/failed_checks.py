"""Reads from the instance which checks failed when they were made last."""

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from quadmix_assets.mix.report import FailedCheck


def failed_checks(instance: dg.DagsterInstance, graph: AssetGraph) -> list[FailedCheck]:
    """The checks of the asset graph whose last execution failed.

    A check of an unpartitioned asset that another run has materialised since is left out: it speaks
    of what is no longer there.
    """
    keys = sorted(graph.asset_check_keys)
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    found = []
    for key in keys:
        record = latest.get(key)
        evaluation = None
        if record is not None and record.event is not None:
            evaluation = record.event.asset_check_evaluation
        if record is None or evaluation is None or evaluation.passed:
            continue
        asset = graph.get(key.asset_key)
        made_later = _made_later(instance, key.asset_key, record.run_id, record.create_timestamp)
        if made_later and not asset.is_partitioned:
            continue
        found.append(
            FailedCheck(
                asset=key.asset_key.to_user_string(),
                name=key.name,
                severity=evaluation.severity.value,
                description=evaluation.description or "",
            )
        )
    return found


def _made_later(
    instance: dg.DagsterInstance, asset: dg.AssetKey, run_id: str, timestamp: float
) -> bool:
    """Whether a run other than `run_id` has materialised an asset after a time."""
    records = instance.fetch_materializations(asset, limit=1).records
    return bool(records) and records[0].run_id != run_id and records[0].timestamp > timestamp
