"""Small lakes for tests of single steps: raw shards, scores and labels without the graph."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.corpus.discovery import InputShard
from quadmix_assets.corpus.raw_shard import RawShardSummary, write_raw_shard
from quadmix_assets.outputs import DOMAIN_LABELS, RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.settings import CorpusSettings
from quadmix_assets.store import LISTING_FILE, Store, atomic_folder, carded_file

PINNED = {"fitted_models": "models-1", "tokenizer": "tokenizer-1"}


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def put_raw(
    store: Store, key: str, rows: Sequence[Mapping[str, Any]], **settings: Any
) -> RawShardSummary:
    """Normalize `rows` as the shard `key`."""
    path = write_lines(Path(str(store.root)).parent / "inputs" / f"{key}.jsonl", rows)
    return write_raw_shard(store, InputShard(key, UPath(path), "1"), CorpusSettings(**settings))


def put_scored(
    store: Store,
    key: str,
    scores: Mapping[str, Sequence[float] | np.ndarray],
    domains: Sequence[str],
    n_tokens: Sequence[int] | np.ndarray,
    fingerprints: Mapping[str, str] = PINNED,
) -> None:
    """Give the documents of the raw shard `key` these scores, domains and tokens."""
    raw = store.table_path(RAW_SHARDS, key)
    ids = store.read_table(raw, ["id"])["id"]
    inputs = {**fingerprints, "raw_shard": store.summary(raw)["input"]["checksum"]}
    scored = pl.DataFrame(
        {"id": ids, "n_tokens": n_tokens, **scores},
        schema={"id": pl.String, "n_tokens": pl.Int64, **dict.fromkeys(scores, pl.Float64)},
    )
    store.write_table(store.table_path(SCORED_SHARDS, key), scored, {"inputs": inputs})
    labels = pl.DataFrame(
        {"id": ids, "domain": domains, "confidence": [1.0] * len(ids)},
        schema={"id": pl.String, "domain": pl.String, "confidence": pl.Float64},
    )
    labels_inputs = {"fitted_models": fingerprints["fitted_models"], **inputs}
    labels_inputs.pop("tokenizer")
    store.write_table(
        store.table_path(DOMAIN_LABELS, key),
        labels,
        {"inputs": labels_inputs, "counts": dict(Counter(domains))},
    )


def change_output(store: Store, *parts: str) -> None:
    """Replace a file of the lake by another one that is as sound: a byte or a row more."""
    path, folder = store.root.joinpath(*parts), store.root / parts[0]
    assert path.is_file()
    if (folder / LISTING_FILE).exists():
        with atomic_folder(folder) as local:
            shutil.copytree(str(folder), local, dirs_exist_ok=True)
            (local / LISTING_FILE).unlink()
            changed = local.joinpath(*parts[1:])
            changed.write_bytes(changed.read_bytes() + b"\n")
    elif path.suffix == ".parquet":
        table = store.read_table(path)
        store.write_table(path, pl.concat([table, table.tail(1)]), store.summary(path))
    else:
        content = store.read_bytes(path)
        with carded_file(path) as file:
            file.write(content + b"\n")


def damage(path: UPath | Path) -> None:
    """Change one bit in the middle of a file, in place."""
    file = Path(str(path))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
