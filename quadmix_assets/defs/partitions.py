"""The two kinds of partitions, and how one step works through many of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

SHARDS = dg.DynamicPartitionsDefinition(name="shard")
PROXY_BATCHES = dg.DynamicPartitionsDefinition(name="proxy_batch")


def shard_keys(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[str]:
    """All registered shards in their one order, which does not depend on who came first."""
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


def batch_key(index: int) -> str:
    """The name of the proxy batch number `index`."""
    return f"batch-{index:05d}"


def for_each_partition(
    context: dg.AssetExecutionContext,
    work: Callable[[str], Mapping[str, Any]],
    *,
    expected_errors: Sequence[type[Exception]] = (),
) -> None:
    """Do `work` for every partition of the step; it returns the partition's metadata.

    A partition that raises one of `expected_errors` fails with that message; the others go on, and
    are recorded as materialised.
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
    if failed:
        for key, metadata in done.items():
            context.log_event(
                dg.AssetMaterialization(
                    asset_key=context.asset_key, partition=key, metadata=dict(metadata)
                )
            )
        raise dg.Failure(
            f"{len(failed)} of {len(keys)} partitions failed:\n"
            + "\n".join(f"- {key}: {message}" for key, message in failed.items()),
            allow_retries=False,
        )
    for key, metadata in done.items():
        context.add_asset_metadata(dict(metadata), partition_key=key)
