"""Finds the runs that made what a mix was made from, and lets their pages lead back to it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from quadmix_assets.mix.links import Link

# On every run that made a part of a mix: the manifest that named it first.
MANIFEST_TAG = "quadmix/mix_manifest"
_EVENTS_AT_ONCE = 500
# How far back the materialisation of a version is looked for.
_MOST_REMADE = 50


def gather_links(
    instance: dg.DagsterInstance,
    assets: Sequence[str],
    partitions: Mapping[str, Collection[str]],
    known: Mapping[tuple[str, str | None], Link],
    versions: Mapping[str, str],
) -> list[Link]:
    """The materialisation of every asset and partition that a mix was made from.

    It is the last one, or of an asset that was made again since the last one with the version that
    the mix was made from.

    Args:
        instance: whose log is read.
        assets: that the mix was made from, in order.
        partitions: by partitioned asset, those that the mix was made from; other assets count as
            unpartitioned.
        known: links found earlier; only events that are not among them are read, so that a new
            shard costs its own.
        versions: by unpartitioned asset, the version that the mix was made from, where it is known.
    """
    links: list[Link] = []
    for asset in assets:
        key = dg.AssetKey.from_user_string(asset)
        if asset not in partitions:
            records = instance.fetch_materializations(key, limit=_MOST_REMADE).records
            made = [_link(asset, record) for record in records]
            of_mix = [link for link in made if link.version == versions.get(asset)]
            links += (of_mix or made)[:1]
            continue
        latest = instance.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(partitions[asset])
        )
        kept = {
            part: link
            for part, event in latest.items()
            if (link := known.get((asset, part))) is not None and link.event == event
        }
        unread = [event for part, event in latest.items() if part not in kept]
        read = [_link(asset, record) for record in _records(instance, key, unread)]
        links += sorted([*kept.values(), *read], key=lambda link: link.partition or "")
    return links


def tag_runs(
    instance: dg.DagsterInstance,
    links: Collection[Link],
    known: Mapping[tuple[str, str | None], Link],
    manifest_fingerprint: str,
) -> None:
    """Tag the runs of new links with the manifest: a click on the tag lists all runs of a mix."""
    before = {link.run_id for link in known.values()}
    for run_id in sorted({link.run_id for link in links} - before - {""}):
        if instance.has_run(run_id):
            instance.add_run_tags(run_id, {MANIFEST_TAG: manifest_fingerprint})


def _records(
    instance: dg.DagsterInstance, key: dg.AssetKey, events: list[int]
) -> Iterator[dg.EventLogRecord]:
    for first in range(0, len(events), _EVENTS_AT_ONCE):
        part = events[first : first + _EVENTS_AT_ONCE]
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=part)
        yield from instance.fetch_materializations(wanted, limit=len(part)).records


def _link(asset: str, record: dg.EventLogRecord) -> Link:
    time, made = datetime.fromtimestamp(record.timestamp, UTC), record.asset_materialization
    return Link(
        asset=asset,
        partition=record.partition_key,
        event=record.storage_id,
        run_id=record.run_id,
        time=time.isoformat(timespec="seconds"),
        version=((made.tags if made is not None else None) or {}).get(DATA_VERSION_TAG, ""),
    )
