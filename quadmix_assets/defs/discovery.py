"""Which input files there are: the sensor that registers, reports and removes shards."""

import time
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus

from quadmix_assets.corpus.arrivals import (
    Arrivals,
    Known,
    Memory,
    in_words,
    look,
    to_try_again,
    too_many_are_gone,
)
from quadmix_assets.corpus.discovery import Discovery, InputShard, shard_key
from quadmix_assets.corpus.document_ids import (
    accepted_checksums,
    set_aside_since,
    shards_set_aside,
)
from quadmix_assets.corpus.inputs import discover_inputs
from quadmix_assets.corpus.planted import shard_name
from quadmix_assets.corpus.remove import remove_shards
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.partitions import SHARDS, UNFINISHED, shard_keys
from quadmix_assets.defs.resources import (
    AUTOMATION_ENABLED,
    DISCOVERY_SECONDS,
    OWNERS,
    ProjectResource,
)
from quadmix_assets.defs.shard_checks import check_shards, evaluations
from quadmix_assets.defs.versions import latest_versions
from quadmix_assets.hashing import hash_bytes
from quadmix_assets.outputs import files_of_a_shard, is_per_shard
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

GROUP = "corpus"
INPUT_FILES = dg.AssetKey("input_files")
INPUT_LISTING = dg.AssetKey("input_listing")
DELETED = "deleted"
"""The version of an input file that is gone."""

_SHARD = "shard"
_DATA_VERSION = "dagster/data_version"
_STATUS = dg.DefaultSensorStatus.RUNNING if AUTOMATION_ENABLED else dg.DefaultSensorStatus.STOPPED

input_listing = dg.AssetSpec(
    INPUT_LISTING,
    group_name=GROUP,
    kinds={"file"},
    owners=OWNERS,
    description="Which shards are in the pool: those registered, without those set aside.\n\n"
    "A shard that comes, goes, or is set aside changes its data version, and what is made of the "
    "whole pool, such as the manifest of the mix, becomes unsynced. It is reported by "
    "`discover_shards` and by every run on `raw_shards`; there is nothing to materialise.",
)


@dg.multi_observable_source_asset(
    specs=[
        dg.AssetSpec(
            INPUT_FILES,
            group_name=GROUP,
            kinds={"file"},
            owners=OWNERS,
            partitions_def=SHARDS,
            description="The files in the raw folder at the sensor's last evaluation.\n\n"
            "A file's data version is its fingerprint: a rewritten file is processed again. Click "
            "*Observe* to look at the files now instead of at the sensor's next evaluation.",
        )
    ]
)
@faults_in_words
def input_files(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> Iterator[dg.ObserveResult]:
    """Report the fingerprints of the files that are there now."""
    registered = frozenset(shard_keys(context))
    for event in present_files(context.instance, project.settings, project.store, registered):
        if event.partition in registered:
            context.log_event(event)
    yield dg.ObserveResult(asset_key=INPUT_FILES)


@dg.sensor(
    minimum_interval_seconds=DISCOVERY_SECONDS,
    default_status=_STATUS,
    description="Registers new input files as shards, reports changed ones, removes shards whose "
    "files are gone, and has shards that were set aside tried again when the cause is gone.",
)
def discover_shards(
    context: dg.SensorEvaluationContext, project: ProjectResource
) -> dg.SensorResult | dg.SkipReason:
    """Compare the raw folder with the registered shards; the cursor is the memory of the look."""
    settings, store, instance = project.settings, project.store, context.instance
    registered = frozenset(instance.get_dynamic_partitions(_SHARD))
    try:
        discovery = discover_inputs(settings, store)
    except FileNotFoundError as error:
        return dg.SkipReason(_no_folder(settings, error, len(registered)))
    except (OSError, ValueError) as error:
        return dg.SkipReason(f"the input files cannot be listed: {error}")
    versions = _reported(instance, registered | {shard.key for shard in discovery.shards})
    arrivals = look(
        discovery,
        Known(
            registered,
            versions,
            _try_again(store, discovery, versions),
            planted_keys(settings),
        ),
        Memory.of_text(context.cursor),
        now=time.time(),
        settle_seconds=_settle_seconds(settings),
    )
    gone, kept = _to_remove(instance, settings, arrivals, len(registered))
    if gone:
        remove_shards(store, gone, files_of_a_shard(settings.mix_names))
    shards = {shard.key: shard for shard in discovery.shards}
    events = [observation(shards[key], version) for key, version in arrivals.versions.items()]
    events += [_observation(key, DELETED, {}) for key in gone]
    pool = (registered | set(arrivals.new)) - set(gone)
    listing = listing_event(instance, store, pool)
    # No run follows from a file that goes, so what the checks say is brought up to date here.
    checks = evaluations(check_shards(store, settings, pool)) if gone else []
    words = "; ".join(
        [
            in_words(arrivals, discovery),
            *([f"{len(gone)} removed from the pool: {', '.join(gone[:5])}"] if gone else []),
            *([kept] if kept else []),
        ]
    )
    context.log.info(words)
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if arrivals.new:
        requests.append(SHARDS.build_add_request(arrivals.new))
    if gone:
        requests.append(SHARDS.build_delete_request(gone))
    return dg.SensorResult(
        skip_reason=words,
        dynamic_partitions_requests=requests,
        asset_events=[*events, *([listing] if listing else []), *checks],
        cursor=arrivals.memory.as_text(),
    )


def register_shards(instance: dg.DagsterInstance, settings: Settings, store: Store) -> None:
    """Register all files that are there, report their versions, and remove nothing.

    The shards of a planted corpus follow from its settings, so that they are registered before it
    has been made. A folder that cannot be listed counts as empty: the sensor and raw_shards say so.
    """
    registered = frozenset(instance.get_dynamic_partitions(_SHARD))
    keys = planted_keys(settings) | {shard.key for shard in _present(settings, store).shards}
    new = sorted(keys - registered)
    if new:
        instance.add_dynamic_partitions(_SHARD, new)
    for event in present_files(instance, settings, store, registered):
        instance.report_runless_asset_event(event)
    listing = listing_event(instance, store, registered | keys)
    if listing is not None:
        instance.report_runless_asset_event(listing)


def present_files(
    instance: dg.DagsterInstance,
    settings: Settings,
    store: Store,
    registered: AbstractSet[str],
) -> list[dg.AssetObservation]:
    """The events that report the files that are there, where their version is not on record.

    Args:
        instance: with the versions on record.
        settings: with the place of the files.
        store: the lake.
        registered: the shards of before. A file of another shard gets a new version even if it was
            known once.
    """
    discovery = _present(settings, store)
    versions = _reported(instance, {shard.key for shard in discovery.shards})
    arrivals = look(
        discovery, Known(registered, versions), Memory(), now=time.time(), settle_seconds=0.0
    )
    shards = {shard.key: shard for shard in discovery.shards}
    return [observation(shards[key], version) for key, version in arrivals.versions.items()]


def observation(shard: InputShard, version: str | None = None) -> dg.AssetObservation:
    """The event that reports the present version of an input file: its fingerprint by default."""
    return _observation(shard.key, version or shard.fingerprint, {"path": str(shard.path)})


def listing_event(
    instance: dg.DagsterInstance, store: Store, registered: AbstractSet[str]
) -> dg.AssetMaterialization | None:
    """The event that reports which shards are in the pool; None if that is on record.

    Of an external asset without a function that observes it, Dagster's staleness and conditions
    know the materialisations alone.
    """
    usable = sorted(registered - shards_set_aside(store).keys())
    version = hash_bytes("\n".join(usable).encode())
    on_record = latest_versions(instance, INPUT_LISTING).get(None)
    if version == on_record:
        return None
    return dg.AssetMaterialization(
        INPUT_LISTING,
        metadata={"n_shards": len(usable), "n_set_aside": len(registered) - len(usable)},
        tags={_DATA_VERSION: version},
    )


def planted_keys(settings: Settings) -> frozenset[str]:
    """The shards of the planted corpus, which are known before it is made; none of own files."""
    if settings.corpus.source != "planted":
        return frozenset()
    return frozenset(shard_key(shard_name(n)) for n in range(settings.corpus.planted.n_shards))


def why_kept(settings: Settings, n_gone: int, n_registered: int) -> str | None:
    """Why shards whose files are gone stay as they are; None if they may leave the pool."""
    if settings.corpus.source == "planted":
        return None  # The corpus was made again with other sizes.
    limit = settings.automation.max_removed_share
    return too_many_are_gone(n_gone, n_registered, limit)


def _present(settings: Settings, store: Store) -> Discovery:
    """The files that are there; none if the folder cannot be listed."""
    try:
        return discover_inputs(settings, store)
    except (OSError, ValueError):
        return Discovery([], [])


def _reported(instance: dg.DagsterInstance, keys: AbstractSet[str]) -> dict[str, str]:
    """The version of each of these files that was reported last."""
    if not keys:
        return {}
    found = latest_versions(instance, INPUT_FILES, sorted(keys))
    return {key: version for key, version in found.items() if key is not None}


def _try_again(store: Store, discovery: Discovery, versions: Mapping[str, str]) -> dict[str, str]:
    set_aside = shards_set_aside(store)
    if not set_aside:
        return {}
    holders = {key for reason in set_aside.values() for key in reason.because_of}
    return to_try_again(
        set_aside,
        set_aside_since(store, set_aside),
        accepted_checksums(store, holders),
        {shard.key: shard for shard in discovery.shards},
        versions,
        now=time.time(),
    )


def _settle_seconds(settings: Settings) -> float:
    automation = settings.automation
    return 0.0 if automation.done_marker is not None else automation.settle_seconds


def _to_remove(
    instance: dg.DagsterInstance, settings: Settings, arrivals: Arrivals, n_registered: int
) -> tuple[list[str], str | None]:
    """The shards to remove now, or why none is removed although files are gone."""
    if not arrivals.gone:
        return [], None
    kept = why_kept(settings, len(arrivals.memory.gone), n_registered)
    if kept:
        return [], kept
    busy = _busy(instance)
    if busy:
        return [], f"{len(arrivals.gone)} shards whose files are gone are removed later: {busy}"
    return arrivals.gone, None


def _busy(instance: dg.DagsterInstance) -> str | None:
    """What works on shards now: removing a shard under a backfill would make it fail."""
    backfills = instance.get_backfills(status=BulkActionStatus.REQUESTED, limit=1)
    if backfills:
        return f"the backfill {backfills[0].backfill_id} is in progress"
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)):
        chosen = run.asset_selection
        if chosen is None or any(is_per_shard(key.to_user_string()) for key in chosen):
            return f"the run {run.run_id} works on shards"
    return None


def _no_folder(settings: Settings, error: FileNotFoundError, n_registered: int) -> str:
    if settings.corpus.source == "planted":
        return "the planted corpus is not there yet: materialise planted_corpus (or everything)"
    kept = f" The {n_registered} registered shards stay as they are." if n_registered else ""
    return f"{error}{kept}"


def _observation(key: str, version: str, metadata: Mapping[str, str]) -> dg.AssetObservation:
    return dg.AssetObservation(
        asset_key=INPUT_FILES,
        partition=key,
        metadata=dict(metadata),
        tags={_DATA_VERSION: version},
    )
