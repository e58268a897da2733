"""The documents of one shard that a mix takes: which, how often, and by which numbers."""

from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.features.scored_documents import version_of_scored
from quadmix_assets.features.tallies import tally
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.pool import read_documents
from quadmix_assets.mix.rule import Decisions
from quadmix_assets.mix.rule_counts import RuleCounter, counts_path, made_from, rule_key
from quadmix_assets.mix.stored_rule import LoadedRule
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    RAW_SHARDS,
    SCORED_SHARDS,
    mix_output,
)
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import Store, write_kept


def mix_shard(
    store: Store, shard: str, settings: Settings, name: str, loaded: LoadedRule
) -> dict[str, Any]:
    """Write the documents of a shard that a mix takes, and return the summary stored with them.

    Beside them goes what the check of the rule needs to know of the shard. The rule decides on each
    document by itself, so the result does not depend on how documents are distributed over shards.
    No text is read.

    Args:
        store: the lake.
        shard: its key.
        settings: of the profile.
        name: of the mix.
        loaded: its rule.

    Raises:
        MissingOutputError: the shard has no scores or domain labels yet.
        ValueError: they were made from another version of its documents.
    """
    mix = settings.mix_named(name)
    documents = read_documents(
        store,
        [shard],
        settings,
        mix,
        score_names=settings.score_names,
        normalizers=loaded.normalizers,
    )
    raw_checksum = _checksum_of_scored(store, shard, len(documents))
    version = version_of_scored(store, shard)
    made, is_dropped = loaded.decide(documents), loaded.is_dropped(documents)
    summary = _summary(documents, made.copies, is_dropped)
    summary["inputs"] = {**loaded.fingerprints, "raw_shard": raw_checksum}
    taken = table_of(documents, made).filter(pl.col("copies") > 0)
    store.write_table(store.table_path(mix_output(name, FINAL_MIX), shard), taken, summary)
    key = rule_key(loaded.fingerprints, documents.domain_names)
    counts = tally(RuleCounter.of(loaded.rule).count(documents, made, is_dropped))
    write_kept(store, counts_path(store, name, shard), counts, made_from(key, version))
    return summary


def table_of(documents: Documents, made: Decisions) -> pl.DataFrame:
    """Per document: id, domain, n_tokens, raw scores, merged score, rank, S and copies.

    Merged score and rank are null where the method has none.
    """
    names = np.array(documents.domain_names, dtype=object)
    return pl.DataFrame(
        {
            "id": documents.scored.ids,
            "domain": pl.Series(names[documents.domains], dtype=pl.String),
            "n_tokens": documents.n_tokens,
            **{name: documents.score(name) for name in documents.score_names},
            "merged_score": _or_null(made.merged_score, len(documents)),
            "rank": _or_null(made.rank, len(documents)),
            "sampling_value": np.asarray(made.sampling_value, dtype=np.float64),
            "copies": np.asarray(made.copies, dtype=np.int32),
        }
    )


def columns_of(settings: Settings) -> dict[str, pl.DataType]:
    """The columns of the documents of any mix, with their types."""
    return {
        "id": pl.String(),
        "domain": pl.String(),
        "n_tokens": pl.Int64(),
        **{name: pl.Float64() for name in settings.score_names},
        "merged_score": pl.Float64(),
        "rank": pl.Float64(),
        "sampling_value": pl.Float64(),
        "copies": pl.Int32(),
    }


def column_lineage(mix: NamedMix, settings: Settings) -> dict[str, list[tuple[str, str]]]:
    """Per column of the documents of a mix, the assets and columns that it is made from."""
    decided = [(SCORED_SHARDS, name) for name in ("id", *settings.score_columns_of(mix))]
    if mix.uses_domains:
        decided.append((DOMAIN_LABELS, "domain"))
    return {
        "id": [(SCORED_SHARDS, "id")],
        "domain": [(DOMAIN_LABELS, "domain")],
        "n_tokens": [(SCORED_SHARDS, "n_tokens")],
        **{name: [(SCORED_SHARDS, name)] for name in settings.score_names},
        **dict.fromkeys(("merged_score", "rank", "sampling_value", "copies"), decided),
    }


def stale(shard: str, asset: str) -> ValueError:
    """The error of scores or labels of another version of a shard."""
    return ValueError(
        f"{asset} of the shard {shard!r} was made from another version of the shard than "
        "raw_shards holds now: materialise scored_shards and domain_labels for it again"
    )


def _checksum_of_scored(store: Store, shard: str, n_documents: int) -> str:
    """The checksum of the file that the scores of a shard come from, the one that is there now.

    Raises:
        ValueError: scores or labels come from another one.
    """
    raw = store.table_path(RAW_SHARDS, shard)
    checksum: str = store.summary(raw)["input"]["checksum"]
    for asset in (SCORED_SHARDS, DOMAIN_LABELS):
        made_from = store.summary(store.table_path(asset, shard))["inputs"]["raw_shard"]
        if made_from != checksum or store.n_rows(raw) != n_documents:
            raise stale(shard, asset)
    return checksum


def _or_null(values: FloatArray | None, n: int) -> pl.Series:
    return (
        pl.Series(np.asarray(values))
        if values is not None
        else pl.repeat(None, n, dtype=pl.Float64, eager=True)
    )


def _summary(documents: Documents, copies: np.ndarray, is_dropped: np.ndarray) -> dict[str, Any]:
    """Counts of a shard before and after the selection, in total and per domain."""
    n_tokens = documents.n_tokens
    tokens_out = n_tokens * copies
    return {
        "n_documents_in": len(documents),
        "n_tokens_in": int(n_tokens.sum()),
        "n_documents_out": int((copies > 0).sum()),
        "n_copies_out": int(copies.sum()),
        "n_tokens_out": int(tokens_out.sum()),
        "max_copies": int(copies.max(initial=0)),
        "n_tokens_in_per_domain": documents.tokens_per_domain().tolist(),
        "n_tokens_out_per_domain": documents.tokens_per_domain(copies).tolist(),
        "dropped_duplicates": {
            "n_documents": int(is_dropped.sum()),
            "n_tokens": int(n_tokens[is_dropped].sum()),
        },
    }
