"""Small lakes for tests of single steps: raw shards, scores and labels without the graph."""

import json
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
from quadmix_assets.store import Store

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
