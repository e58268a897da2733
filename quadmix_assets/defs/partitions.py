"""The two kinds of partitions, and how one step processes many of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from quadmix_assets.defs.resources import SETTINGS
from quadmix_assets.proxies.parameter_sets import first_batches

SHARDS = dg.DynamicPartitionsDefinition(name="shard")
PROXY_BATCHES = dg.StaticPartitionsDefinition(first_batches(SETTINGS))


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
    done = context.instance.get_materialized_partitions(dg.AssetKey(asset))
    keys = [key for key in shard_keys(context) if key in done]
    if not keys:
        raise dg.Failure(
            f"no shard of {asset!r} is materialised: materialise its partitions first "
            "(Assets > Materialize all, or wait for the automation)",
            allow_retries=False,
        )
    return keys


@dataclass(frozen=True)
class Outcome:
    """The results of a step's partitions.

    Attributes:
        done: metadata of each partition that succeeded.
        failed: error message of each partition that failed.
    """

    done: dict[str, Mapping[str, Any]]
    failed: dict[str, str]

    def record(self, context: dg.AssetExecutionContext) -> None:
        """Record the partitions that succeeded.

        Raises:
            dg.Failure: others failed; it carries their messages.
        """
        if not self.failed:
            for key, metadata in self.done.items():
                context.add_asset_metadata(dict(metadata), partition_key=key)
            return
        # Dagster records nothing of a step that fails, so the partitions that succeeded are logged.
        for key, metadata in self.done.items():
            context.log_event(
                dg.AssetMaterialization(
                    asset_key=context.asset_key, partition=key, metadata=dict(metadata)
                )
            )
        n_partitions = len(self.done) + len(self.failed)
        raise dg.Failure(
            f"{len(self.failed)} of {n_partitions} partitions failed:\n"
            + "\n".join(f"- {key}: {message}" for key, message in self.failed.items()),
            allow_retries=False,
        )


def work_through(
    context: dg.AssetExecutionContext,
    work: Callable[[str], Mapping[str, Any]],
    expected_errors: Sequence[type[Exception]],
) -> Outcome:
    """Call `work` for every partition of the step.

    Args:
        context: of the step.
        work: makes one partition and returns its metadata.
        expected_errors: errors that fail one partition with their message, while others go on.
    """
    keys = sorted(context.partition_keys)
    done: dict[str, Mapping[str, Any]] = {}
    failed: dict[str, str] = {}
    for number, key in enumerate(keys, start=1):
        try:
            done[key] = work(key)
        except tuple(expected_errors) as error:
            failed[key] = str(error)
            context.log.error(f"{key}: {error}")
        else:
            context.log.info(f"{key} done, {number} of {len(keys)}")
    return Outcome(done, failed)


def for_each_partition(
    context: dg.AssetExecutionContext,
    work: Callable[[str], Mapping[str, Any]],
    *,
    expected_errors: Sequence[type[Exception]] = (),
) -> None:
    """Call `work` for every partition of the step, and record the results; see `work_through`.

    Raises:
        dg.Failure: a partition failed; the others are recorded as materialised.
    """
    work_through(context, work, expected_errors).record(context)
