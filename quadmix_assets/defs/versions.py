"""The data versions that the instance has on record."""

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG


def latest_versions(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partitions: Sequence[str] | None = None
) -> Mapping[str | None, str]:
    """The latest data version per partition; of an asset without partitions under the key None.

    Args:
        instance: with the event log.
        asset: whose versions: those of its materialisations or, as for external assets, of its
            observations.
        partitions: which partitions; None for an asset without partitions.
    """
    if partitions is None:
        for fetch in (instance.fetch_materializations, instance.fetch_observations):
            for record in fetch(asset, limit=1).records:
                version = (record.event_log_entry.tags or {}).get(DATA_VERSION_TAG)
                return {None: version} if version else {}
        return {}
    for kind in (
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        dg.DagsterEventType.ASSET_OBSERVATION,
    ):
        found = instance.event_log_storage.get_latest_tags_by_partition(
            asset, kind, [DATA_VERSION_TAG], asset_partitions=list(partitions)
        )
        if found:
            return {partition: tags[DATA_VERSION_TAG] for partition, tags in found.items()}
    return {}
