"""The two kinds of partitions, and how one step makes and records many of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from quadmix_assets.defs.event_log import open_event_log
from quadmix_assets.defs.resources import SETTINGS
from quadmix_assets.defs.versions import latest_versions
from quadmix_assets.faults import fault_text, is_fault
from quadmix_assets.in_order import in_order
from quadmix_assets.proxies.parameter_sets import first_batches
from quadmix_assets.store import DamagedOutputError
from quadmix_assets.training.progress import duration

SHARDS = dg.DynamicPartitionsDefinition(name="shard")
PROXY_BATCHES = dg.StaticPartitionsDefinition(first_batches(SETTINGS))
# Between two lines of the log about how far a step is.
_SECONDS_BETWEEN_LINES = 2.0
# Runs that work on partitions now, or will.
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def shard_keys(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[str]:
    """All registered shards, sorted, so that the order of registration does not matter."""
    return sorted(context.instance.get_dynamic_partitions("shard"))


def shards_with(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, asset: str
) -> list[str]:
    """The registered shards of which `asset` is materialised, in order.

    Raises:
        dg.Failure: there are none.
    """
    done = context.instance.get_materialized_partitions(dg.AssetKey.from_user_string(asset))
    keys = [key for key in shard_keys(context) if key in done]
    if not keys:
        raise dg.Failure(
            f"no shard of {asset!r} is materialised: materialise its partitions first "
            "(Assets > Materialize all, or wait for the automation)",
            allow_retries=False,
        )
    return keys


class Recorder:
    """Records each partition of a step as soon as it is made, with a version of its own.

    Dagster records all partitions of a step at its end, under one data version, and none if the
    step fails. Here a partition's data version is that of its content, so that a partition that is
    made again with equal bytes makes nothing downstream stale, and what is finished stays finished
    when the step is killed.
    """

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context
        step = context.get_step_execution_context()
        graph_node = step.job_def.asset_layer.get(context.asset_key)
        self._tags = {
            CODE_VERSION_TAG: graph_node.code_version or context.run_id,
            DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
        }
        self._parent_versions: dict[dg.AssetKey, Mapping[str | None, str]] = {}
        for parent in sorted(graph_node.parent_keys):
            info = step.maybe_fetch_and_get_input_asset_version_info(parent)
            pointer = str(info.storage_id) if info else NULL_EVENT_POINTER
            self._tags[get_input_event_pointer_tag(parent)] = pointer
            is_partitioned = step.job_def.asset_layer.get(parent).is_partitioned
            partitions = list(context.partition_keys) if is_partitioned else None
            self._parent_versions[parent] = latest_versions(context.instance, parent, partitions)

    def record(self, partition: str, metadata: Mapping[str, Any], version: str) -> None:
        """Record that a partition has been made.

        Args:
            partition: its key.
            metadata: what the UI shows of it.
            version: a fingerprint of its content.
        """
        tags = {**self._tags, DATA_VERSION_TAG: version}
        for parent, versions in self._parent_versions.items():
            of_parent = versions.get(partition, versions.get(None, "INITIAL"))
            tags[get_input_data_version_tag(parent)] = of_parent
        self._context.log_event(
            dg.AssetMaterialization(
                asset_key=self._context.asset_key,
                partition=partition,
                metadata=dict(metadata),
                tags=tags,
            )
        )

    @staticmethod
    def result() -> dg.MaterializeResult:
        """What the asset returns: that nothing is left to record.

        Dagster skips its own events for an output with this metadata key, which it has for sources
        that record their observations themselves.
        """
        return dg.MaterializeResult(metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})


def for_each_partition(
    context: dg.AssetExecutionContext,
    work: Callable[[str], Mapping[str, Any]],
    *,
    version: Callable[[str], str],
    once: Callable[[str], Mapping[str, Any]] = lambda _: {},
    expected_errors: Sequence[type[Exception]] = (),
    n_threads: int = 1,
) -> dg.MaterializeResult:
    """Make and record every partition of the step, in their order.

    Args:
        context: of the step.
        work: makes one partition and returns its metadata.
        version: the fingerprint of a partition that was made.
        once: metadata that are the same for all partitions, or an example of them: of the last one,
            whose event is the one that the asset's page shows. So the other events stay small.
        expected_errors: errors that fail one partition with their message, while others go on;
            damaged outputs, and errors of the system and of storage, are always among them.
        n_threads: partitions that are made at once.

    Returns:
        What the asset returns.

    Raises:
        dg.Failure: a partition failed; the others are recorded as materialised.
    """
    with open_event_log(context.instance):
        return _make_each(context, work, version, once, expected_errors, n_threads)


def _make_each(
    context: dg.AssetExecutionContext,
    work: Callable[[str], Mapping[str, Any]],
    version: Callable[[str], str],
    once: Callable[[str], Mapping[str, Any]],
    expected_errors: Sequence[type[Exception]],
    n_threads: int,
) -> dg.MaterializeResult:
    recorder = Recorder(context)
    keys = sorted(context.partition_keys)
    failed: dict[str, str] = {}
    failures: tuple[type[Exception], ...] = (*expected_errors, DamagedOutputError)
    start = told = time.monotonic()
    for number, (key, made) in enumerate(in_order(work, keys, n_threads), start=1):
        try:
            metadata = made()
        except Exception as error:
            if isinstance(error, failures):
                failed[key] = str(error)
            elif is_fault(error):
                failed[key] = fault_text(error)
            else:
                raise
            context.log.error(f"{key}: {failed[key]}")
        else:
            if number == len(keys):
                metadata = {**metadata, **once(key)}
            recorder.record(key, metadata, version(key))
            # A line is an event of its own, and costs as much.
            if number == len(keys) or time.monotonic() >= told + _SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                context.log.info(f"{key} done, {_progress(number, len(keys), start, metadata)}")
    if failed:
        raise dg.Failure(
            f"{len(failed)} of {len(keys)} partitions failed:\n"
            + "\n".join(f"- {key}: {message}" for key, message in failed.items()),
            allow_retries=False,
        )
    return recorder.result()


def _progress(number: int, n_all: int, start: float, metadata: Mapping[str, Any]) -> str:
    """How far a step is: partitions, the rate of the last one if it is known, and the time left."""
    rate = metadata.get("mb_per_second")
    left = (time.monotonic() - start) / number * (n_all - number)
    return (
        f"{number} of {n_all}"
        + (f", {rate:.3g} MB/s" if isinstance(rate, float) else "")
        + (f", ETA {duration(left)}" if number < n_all else "")
    )
