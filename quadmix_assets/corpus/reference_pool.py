"""The shards that pinned assets are fitted on, with their checksums."""

from collections.abc import Sequence
from dataclasses import dataclass

from quadmix_assets.corpus.raw_shard import read_summary
from quadmix_assets.outputs import RAW_SHARDS, REFERENCE_POOL
from quadmix_assets.store import MissingOutputError, Store


@dataclass(frozen=True)
class ReferencePool:
    """The shards that were in the pool when they were written down.

    Attributes:
        checksums: of the input files, by shard.
        n_documents: in all shards.
        n_bytes: of their texts in UTF-8.
    """

    checksums: dict[str, str]
    n_documents: int
    n_bytes: int

    @property
    def shards(self) -> list[str]:
        """The shards, in order."""
        return sorted(self.checksums)


def write_reference_pool(store: Store, shards: Sequence[str]) -> ReferencePool:
    """Write down the present state of `shards`; those that hold no document are left out.

    Raises:
        MissingOutputError: a shard has not been materialised in raw_shards.
        ValueError: no shard holds a document.
    """
    summaries = {shard: read_summary(store, shard) for shard in shards}
    used = {shard: summary for shard, summary in summaries.items() if summary.n_documents}
    if not used:
        raise ValueError(
            f"none of the {len(shards)} shards holds a document: look at the checks of raw_shards, "
            "which say why"
        )
    pool = ReferencePool(
        checksums={shard: summary.checksum for shard, summary in used.items()},
        n_documents=sum(summary.n_documents for summary in used.values()),
        n_bytes=sum(summary.n_bytes for summary in used.values()),
    )
    store.write_json(
        store.path(REFERENCE_POOL, f"{REFERENCE_POOL}.json"),
        {
            "shards": pool.checksums,
            "contents": {shard: _content(store, shard) for shard in pool.shards},
            "n_documents": pool.n_documents,
            "n_bytes": pool.n_bytes,
        },
    )
    return pool


def read_reference_pool(store: Store) -> ReferencePool:
    """The reference pool, without the shards that are gone since.

    Raises:
        MissingOutputError: it has not been written down, or none of its shards is there any more.
    """
    stored = store.read_json(store.path(REFERENCE_POOL, f"{REFERENCE_POOL}.json"))
    there = {
        shard: checksum
        for shard, checksum in stored["shards"].items()
        if store.exists(store.table_path(RAW_SHARDS, shard))
    }
    if not there:
        raise MissingOutputError(
            "no shard of the reference pool is there any more: materialise the asset "
            f"{REFERENCE_POOL!r} again"
        )
    return ReferencePool(there, stored["n_documents"], stored["n_bytes"])


def reference_pool_is_current(store: Store) -> bool:
    """Whether its shards hold what they held; shards that came or went since do not count."""
    stored = store.read_json(store.path(REFERENCE_POOL, f"{REFERENCE_POOL}.json"))
    return all(
        content == _content(store, shard)
        for shard, content in stored["contents"].items()
        if store.exists(store.table_path(RAW_SHARDS, shard))
    )


def _content(store: Store, shard: str) -> str:
    """What tells its present table from others, read from footer and listing alone."""
    path = store.table_path(RAW_SHARDS, shard)
    summary = read_summary(store, shard)
    return f"{summary.checksum}-{summary.n_documents}-{summary.n_bytes}-{path.stat().st_size}"
