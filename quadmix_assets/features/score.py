"""Scores and labels one shard, in a stream."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from tokenizers import Tokenizer

from quadmix_assets.corpus.tokenizer import count_tokens
from quadmix_assets.features.criteria import Criterion
from quadmix_assets.features.domains import DomainClassifier
from quadmix_assets.outputs import DOMAIN_LABELS, RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.store import Store

BATCH_ROWS = 2_048

_LABEL_SCHEMA = pa.schema(
    [("id", pa.large_string()), ("domain", pa.large_string()), ("confidence", pa.float64())]
)


def score_shard(
    store: Store,
    shard: str,
    criteria: Sequence[Criterion],
    tokenizer: Tokenizer,
    fingerprints: dict[str, str],
) -> None:
    """Write id, n_tokens and one column of raw score per criterion, row by row as in raw_shards.

    Raises:
        ValueError: a criterion gives a score that is not finite; the message names the document.
    """
    schema = pa.schema(
        [
            ("id", pa.large_string()),
            ("n_tokens", pa.int64()),
            *((criterion.name, pa.float64()) for criterion in criteria),
        ]
    )
    columns = sorted({"id", "text", *(c for criterion in criteria for c in criterion.columns)})
    raw = store.table_path(RAW_SHARDS, shard)
    with store.table_writer(store.table_path(SCORED_SHARDS, shard), schema) as writer:
        for batch in store.iter_table(raw, columns, BATCH_ROWS):
            scores = {criterion.name: criterion.score(batch) for criterion in criteria}
            for name, values in scores.items():
                _require_finite(name, values, batch["id"], shard)
            n_tokens = count_tokens(tokenizer, batch["text"].to_list())
            frame = pl.DataFrame({"id": batch["id"], "n_tokens": n_tokens, **scores})
            writer.write(frame.to_arrow().cast(schema))
        writer.describe(
            {"inputs": {**fingerprints, "raw_shard": store.summary(raw)["input"]["checksum"]}}
        )


def label_shard(
    store: Store, shard: str, classifier: DomainClassifier, fingerprints: dict[str, str]
) -> pl.DataFrame:
    """Write id, domain and confidence, row by row as in raw_shards; documents per domain."""
    columns = sorted({"id", *classifier.columns})
    raw = store.table_path(RAW_SHARDS, shard)
    counts = pl.DataFrame(schema={"domain": pl.String, "n_documents": pl.UInt32})
    with store.table_writer(store.table_path(DOMAIN_LABELS, shard), _LABEL_SCHEMA) as writer:
        for batch in store.iter_table(raw, columns, BATCH_ROWS):
            labels = classifier.classify(batch)
            frame = pl.DataFrame([batch["id"], labels["domain"], labels["confidence"]])
            writer.write(frame.to_arrow().cast(_LABEL_SCHEMA))
            counts = pl.concat([counts, frame.group_by("domain").len("n_documents")])
        writer.describe(
            {"inputs": {**fingerprints, "raw_shard": store.summary(raw)["input"]["checksum"]}}
        )
    return counts.group_by("domain").agg(pl.col("n_documents").sum()).sort("domain")


def _require_finite(name: str, values: np.ndarray, ids: pl.Series, shard: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        row = int(bad[0])
        raise ValueError(
            f"criterion {name!r} gives {values[row]} for the document {ids[row]!r} of the shard "
            f"{shard!r} ({bad.size} such in this batch); a score must be a finite number"
        )
