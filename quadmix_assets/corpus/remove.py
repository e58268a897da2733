"""Remove what the lake holds of shards that have left the pool."""

from collections.abc import Iterable, Sequence

from quadmix_assets.corpus.document_ids import DocumentIds
from quadmix_assets.store import Store

# A shard's output is a file of its key with one of these suffixes, or a folder of its key.
_SUFFIXES = (".parquet", ".jsonl.zst", "")


def remove_shards(store: Store, keys: Sequence[str], folders: Iterable[str]) -> None:
    """Delete the outputs of shards, and give their ids free for other shards.

    Outputs that are not there are passed over, so that an interrupted removal can be repeated.

    Args:
        store: the lake.
        keys: of the shards.
        folders: of the lake, which hold one file or folder per shard.
    """
    for folder in folders:
        for key in keys:
            for suffix in _SUFFIXES:
                path = store.path(folder, f"{key}{suffix}")
                if path.is_file():
                    store.delete(path)
                elif not suffix:
                    store.remove_folder(path)
    claims = DocumentIds(store)
    with claims.lock():
        claims.forget(keys)
