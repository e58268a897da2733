"""The data versions that the instance has on record."""

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG


def latest_versions(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    *,
    observed: bool,
    partitions: Sequence[str] | None = None,
) -> Mapping[str | None, str]:
    """The latest data version per partition; of an asset without partitions under the key None.

    Args:
        instance: with the event log.
        asset: whose versions.
        observed: whether they come from observations, as those of external assets do, rather than
            from materialisations.
        partitions: which partitions; None for an asset without partitions.
    """
    if partitions is None:
        fetch = instance.fetch_observations if observed else instance.fetch_materializations
        records = fetch(asset, limit=1).records
        tags = (records[0].event_log_entry.tags or {}) if records else {}
        return {None: tags[DATA_VERSION_TAG]} if DATA_VERSION_TAG in tags else {}
    kind = (
        dg.DagsterEventType.ASSET_OBSERVATION
        if observed
        else dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    found = instance.event_log_storage.get_latest_tags_by_partition(
        asset, kind, [DATA_VERSION_TAG], asset_partitions=list(partitions)
    )
    return {partition: tags[DATA_VERSION_TAG] for partition, tags in found.items()}
