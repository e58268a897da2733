"""What is missing or stale, by Dagster's rule: another code version, or other inputs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    SKIP_PARTITION_DATA_VERSION_DEPENDENCY_THRESHOLD,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from quadmix_assets.defs.versions import latest_versions
from quadmix_assets.lake_files import FILES_KEY, files_gone, partitions_gone
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

# Event records that one query asks for; SQLite limits the number of its variables.
_RECORDS_PER_QUERY = 500


class Staleness:
    """Compares what the instance has on record of assets with their definitions and inputs.

    The UI shows the same as "Unsynced". Here it is computed for many partitions at once, and also
    for assets with 100 or more upstream partitions, whose changes the UI does not look for.
    """

    def __init__(
        self,
        instance: dg.DagsterInstance,
        graph: AssetGraph,
        is_current: Mapping[str, Callable[[], bool]],
        lake: tuple[Store, Settings] | None = None,
    ) -> None:
        """Prepare the comparison.

        Args:
            instance: with the event log.
            graph: the assets.
            is_current: of assets that are compared by their content instead of their inputs,
                whether they are current: those that gather a growing pool, but are pinned.
            lake: with its settings; what was made and is gone from it counts as missing. None
                looks at the records alone.
        """
        self._instance = instance
        self._graph = graph
        self._is_current = is_current
        self._lake = lake

    def is_stale(self, asset: str) -> bool:
        """Whether an asset without partitions is missing or stale."""
        key = dg.AssetKey.from_user_string(asset)
        records = self._instance.fetch_materializations(key, limit=1).records
        if not records:
            return True
        tags = records[0].event_log_entry.tags or {}
        if tags.get(CODE_VERSION_TAG) != self._graph.get(key).code_version:
            return True
        if self._lake is not None:
            made = records[0].asset_materialization
            files = made.metadata.get(FILES_KEY) if made is not None else None
            # A record from before files were recorded says nothing of them.
            names = files.data if isinstance(files, dg.JsonMetadataValue) else None
            if files_gone(self._lake[0], names or ()):
                return True
        if asset in self._is_current:
            return not self._is_current[asset]()
        return any(
            self._has_changed(tags, parent, self._graph.get(parent).partitions_def)
            for parent in self._graph.get(key).parent_keys
        )

    def stale_partitions(self, asset: str, partitions: Sequence[str]) -> set[str]:
        """Those of an asset's partitions that are missing or stale."""
        key = dg.AssetKey.from_user_string(asset)
        node = self._graph.get(key)
        current = {
            parent: latest_versions(
                self._instance,
                parent,
                partitions if self._graph.get(parent).is_partitioned else None,
            )
            for parent in node.parent_keys
        }
        fresh = set()
        for partition, tags in self._latest_tags(key, partitions):
            same = tags.get(CODE_VERSION_TAG) == node.code_version
            for parent, versions in current.items():
                recorded = tags.get(get_input_data_version_tag(parent))
                now = versions.get(partition, versions.get(None, "INITIAL"))
                # Steps of one partition that Dagster records hold the hash of the parent's version.
                same = same and recorded in (now, _combined([now]))
            if same:
                fresh.add(partition)
        if self._lake is not None:
            fresh -= partitions_gone(*self._lake, asset, sorted(fresh))
        return set(partitions) - fresh

    def _has_changed(
        self,
        tags: Mapping[str, str],
        parent: dg.AssetKey,
        partitions: dg.PartitionsDefinition | None,
    ) -> bool:
        recorded = tags.get(get_input_data_version_tag(parent))
        if partitions is None:
            return recorded != latest_versions(self._instance, parent).get(None, "INITIAL")
        keys = sorted(partitions.get_partition_keys(dynamic_partitions_store=self._instance))
        if len(keys) < SKIP_PARTITION_DATA_VERSION_DEPENDENCY_THRESHOLD:
            versions = latest_versions(self._instance, parent, keys)
            return recorded != _combined([versions[key] for key in keys if key in versions])
        pointer = tags.get(get_input_event_pointer_tag(parent), "NULL")
        last = self._instance.get_latest_storage_id_by_partition(
            parent, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        return not pointer.isdigit() or max(last.values(), default=0) > int(pointer)

    def _latest_tags(
        self, asset: dg.AssetKey, partitions: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[str, str]]]:
        """The tags of the latest materialisation of each partition that has one."""
        last = self._instance.get_latest_storage_id_by_partition(
            asset, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        ids = [last[partition] for partition in partitions if partition in last]
        for first in range(0, len(ids), _RECORDS_PER_QUERY):
            part = ids[first : first + _RECORDS_PER_QUERY]
            found = self._instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=asset, storage_ids=part), limit=len(part)
            )
            for record in found.records:
                yield str(record.partition_key), record.event_log_entry.tags or {}


def _combined(versions: Sequence[str]) -> str:
    """The data version that Dagster records for several partitions of a parent."""
    return sha256("".join(versions).encode()).hexdigest()
