"""Scores and labels the documents of one shard, read as a stream."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.features.learned.fit import DOMAINS
from quadmix_assets.features.resumable_windows import Unit, make_table
from quadmix_assets.features.window import Window
from quadmix_assets.outputs import DOMAIN_LABELS, RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.settings import UNKNOWN_DOMAIN
from quadmix_assets.store import Store

N_TOKENS = "n_tokens"
_LABEL_SCHEMA = {"domain": pa.large_string(), "confidence": pa.float64()}
_ARROW_TYPES: dict[type[pl.DataType], pa.DataType] = {
    pl.Int64: pa.int64(),
    pl.Float64: pa.float64(),
}


def score_shard(
    store: Store,
    shard: str,
    criteria: Sequence[Criterion],
    encoder: TokenEncoder,
    fingerprints: Mapping[str, str],
    cache_keys: Mapping[str, str] | None = None,
    *,
    only: range | None = None,
) -> None:
    """Write id, n_tokens and each criterion's raw score with its extra columns.

    The rows are those of raw_shards, in their order.

    Args:
        store, shard: the lake and the partition.
        criteria: fitted.
        encoder: counts tokens.
        fingerprints: of the inputs, for the table's footer.
        cache_keys: by criterion (and `n_tokens`): columns that were computed under an equal key
            are reused. Without a key a column is computed anew.
        only: windows that are checkpointed, in place of writing the table; see `make_table`.

    Raises:
        MissingOutputError: raw_shards does not hold the shard.
        ValueError: a criterion gives a score that is not finite; the message names the document.
    """
    cache_keys = cache_keys or {}

    def n_tokens(window: Window) -> pl.DataFrame:
        return pl.DataFrame({N_TOKENS: encoder.count(window.documents["text"].to_list())})

    units = {N_TOKENS: Unit({N_TOKENS: pa.int64()}, n_tokens, cache_keys.get(N_TOKENS))}
    for criterion in criteria:
        units[criterion.name] = _unit(criterion, shard, cache_keys.get(criterion.name))
    make_table(
        store,
        SCORED_SHARDS,
        shard,
        units,
        reads=["text", *(column for c in criteria for column in c.settings.columns_read)],
        inputs={**fingerprints, "raw_shard": _input_checksum(store, shard)},
        only=only,
    )


def label_shard(
    store: Store,
    shard: str,
    classifier: DomainClassifier,
    fingerprints: Mapping[str, str],
    cache_keys: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Write id, domain and confidence of each document, in the row order of raw_shards.

    Documents whose confidence is below the setting `confidence_floor` get the domain `unknown`;
    their confidence is stored unchanged. The footer holds the documents of each domain.

    Args:
        store, shard: the lake and the partition.
        classifier: fitted.
        fingerprints: of the inputs, for the table's footer.
        cache_keys: the key of `domains`: labels that were computed under an equal key are reused.

    Returns:
        Documents per domain: columns `domain` and `n_documents`.

    Raises:
        MissingOutputError: raw_shards does not hold the shard.
    """
    _make_labels(store, shard, classifier, fingerprints, cache_keys, None)
    table = store.read_table(store.table_path(DOMAIN_LABELS, shard), ["domain"])
    return table.group_by("domain").len("n_documents").sort("domain")


def checkpoint_labels(
    store: Store,
    shard: str,
    classifier: DomainClassifier,
    fingerprints: Mapping[str, str],
    cache_keys: Mapping[str, str],
    only: range,
) -> None:
    """Checkpoint some windows of what `label_shard` writes, which then finds them computed.

    Raises:
        MissingOutputError: raw_shards does not hold the shard.
    """
    _make_labels(store, shard, classifier, fingerprints, cache_keys, only)


def _make_labels(
    store: Store,
    shard: str,
    classifier: DomainClassifier,
    fingerprints: Mapping[str, str],
    cache_keys: Mapping[str, str] | None,
    only: range | None,
) -> None:
    floor = classifier.settings.confidence_floor

    def labels(window: Window) -> pl.DataFrame:
        confident = pl.col("confidence") >= floor
        return classifier.classify(window.documents).with_columns(
            pl.when(confident).then("domain").otherwise(pl.lit(UNKNOWN_DOMAIN)).alias("domain")
        )

    make_table(
        store,
        DOMAIN_LABELS,
        shard,
        {DOMAINS: Unit(_LABEL_SCHEMA, labels, (cache_keys or {}).get(DOMAINS))},
        reads=classifier.settings.columns_read,
        inputs={**fingerprints, "raw_shard": _input_checksum(store, shard)},
        counted="domain",
        only=only,
    )


def _unit(criterion: Criterion, shard: str, cache_key: str | None) -> Unit:
    def compute(window: Window) -> pl.DataFrame:
        scores = criterion.score_window(window)
        _require_finite(criterion.name, scores, window.documents["id"], shard)
        return pl.DataFrame({criterion.name: scores, **criterion.extras(scores)})

    extra = {name: _ARROW_TYPES[dtype] for name, dtype in criterion.extra_columns.items()}
    return Unit({criterion.name: pa.float64(), **extra}, compute, cache_key)


def _input_checksum(store: Store, shard: str) -> str:
    checksum: str = store.summary(store.table_path(RAW_SHARDS, shard))["input"]["checksum"]
    return checksum


def _require_finite(name: str, values: np.ndarray, ids: pl.Series, shard: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        row = int(bad[0])
        raise ValueError(
            f"criterion {name!r} gives {values[row]} for the document {ids[row]!r} of the shard "
            f"{shard!r} ({bad.size} such in this window): scores must be finite numbers"
        )
