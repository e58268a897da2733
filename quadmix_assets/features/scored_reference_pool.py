"""The scored shards that normalizers, proxy pool and rank calibration are fitted on."""

from collections.abc import Sequence
from typing import Any

from quadmix_assets.outputs import DOMAIN_LABELS, SCORED_REFERENCE_POOL, SCORED_SHARDS
from quadmix_assets.store import MissingOutputError, Store

_TABLES = (SCORED_SHARDS, DOMAIN_LABELS)


def write_scored_reference_pool(store: Store, shards: Sequence[str]) -> list[str]:
    """Write down the present scores and labels of `shards`; shards without documents are left out.

    Returns:
        The shards, in order.

    Raises:
        MissingOutputError: a shard has not been scored or labelled.
        ValueError: no shard holds a document.
    """
    used = [
        shard for shard in sorted(shards) if store.n_rows(store.table_path(SCORED_SHARDS, shard))
    ]
    if not used:
        raise ValueError(f"none of the {len(shards)} scored shards holds a document")
    store.write_json(
        store.path(SCORED_REFERENCE_POOL, f"{SCORED_REFERENCE_POOL}.json"),
        {"shards": {shard: _contents(store, shard) for shard in used}},
    )
    return used


def read_scored_reference_pool(store: Store) -> list[str]:
    """Its shards in order, without those that are gone since.

    Raises:
        MissingOutputError: it has not been written down, or none of its shards is there any more.
    """
    there = [shard for shard in sorted(_stored(store)) if _is_there(store, shard)]
    if not there:
        raise MissingOutputError(
            "no shard of the scored reference pool is there any more: materialise the asset "
            f"{SCORED_REFERENCE_POOL!r} again"
        )
    return there


def scored_reference_pool_is_current(store: Store) -> bool:
    """Whether its shards have the scores they had; shards that came or went do not count."""
    return all(
        contents == _contents(store, shard)
        for shard, contents in _stored(store).items()
        if _is_there(store, shard)
    )


def _stored(store: Store) -> dict[str, Any]:
    path = store.path(SCORED_REFERENCE_POOL, f"{SCORED_REFERENCE_POOL}.json")
    found: dict[str, Any] = store.read_json(path)["shards"]
    return found


def _is_there(store: Store, shard: str) -> bool:
    return all(store.exists(store.table_path(table, shard)) for table in _TABLES)


def _contents(store: Store, shard: str) -> dict[str, Any]:
    """What tells its present tables from others, read from footers and listing alone."""
    paths = {table: store.table_path(table, shard) for table in _TABLES}
    return {
        table: {**store.summary(path)["inputs"], "n_bytes": path.stat().st_size}
        for table, path in paths.items()
    }
