"""The final mix of one shard: which documents, how often, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.features.scored_documents import ScoredDocuments, read_scored
from quadmix_assets.mix.calibration import RankCalibration, merged_scores
from quadmix_assets.outputs import DOMAIN_LABELS, FINAL_MIX, RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.sampling import Theta, draw_copies, sampling_value
from quadmix_assets.store import BATCH_ROWS, Store


@dataclass(frozen=True)
class MixModel:
    """Everything that determines the mix, the same for all shards.

    Attributes:
        criteria: names of the N criteria.
        domain_names: names of the M domains.
        normalizers: sigma of each criterion.
        theta: theta*.
        calibration: merged score -> rank under theta*.
        seed: of the draw.
        fingerprints: hashes of the files that the above was read from, by asset.
    """

    criteria: tuple[str, ...]
    domain_names: tuple[str, ...]
    normalizers: Sequence[Normalizer]
    theta: Theta
    calibration: RankCalibration
    seed: int
    fingerprints: dict[str, str]


def mix_shard(store: Store, shard: str, model: MixModel) -> dict[str, Any]:
    """Write the selected documents of one shard and return the summary stored with them.

    The text is read as a stream; only scores are held in memory. The draw is a function of document
    id and seed, so the result does not depend on how documents are distributed over shards.

    Raises:
        MissingOutputError: the shard has no texts, scores or domain labels yet.
        ValueError: its scores or labels were made from another version of its documents.
    """
    raw = store.table_path(RAW_SHARDS, shard)
    documents = read_scored(store, [shard], model.criteria, model.domain_names)
    decisions = decide(documents, model)
    summary = _summary(documents, decisions, model)
    raw_checksum = store.summary(raw)["input"]["checksum"]
    n_rows = store.n_rows(raw)
    for asset in (SCORED_SHARDS, DOMAIN_LABELS):
        made_from = store.summary(store.table_path(asset, shard))["inputs"]["raw_shard"]
        if made_from != raw_checksum or n_rows != len(documents.ids):
            raise _stale(shard, asset)
    summary["inputs"] = {**model.fingerprints, "raw_shard": raw_checksum}

    texts_schema = pl.DataFrame(schema=store.read_schema(raw))
    names = _renamed_inputs(texts_schema.columns, decisions.columns)
    texts_schema = texts_schema.rename(names)
    schema = pl.concat([texts_schema, decisions.clear()], how="horizontal").to_arrow().schema
    start = 0
    with store.table_writer(store.table_path(FINAL_MIX, shard), schema) as writer:
        for texts in store.iter_table(raw, batch_rows=BATCH_ROWS):
            rows = decisions.slice(start, texts.height)
            if not texts["id"].equals(documents.ids.slice(start, texts.height)):
                raise _stale(shard, SCORED_SHARDS)
            start += texts.height
            chosen = pl.concat([texts.rename(names), rows], how="horizontal").filter(
                pl.col("copies") > 0
            )
            writer.write(chosen.to_arrow().cast(schema))
        writer.describe(summary)
    return summary


def column_lineage(criteria: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Per column of a final mix, the assets and columns that it is made from."""
    scores = [(SCORED_SHARDS, name) for name in criteria]
    decided = [*scores, (DOMAIN_LABELS, "domain"), (SCORED_SHARDS, "n_tokens")]
    return {
        **{name: [(RAW_SHARDS, name)] for name in ("id", "text", "source", "n_bytes")},
        **{name: [(asset, name)] for asset, name in scores},
        "domain": [(DOMAIN_LABELS, "domain")],
        "n_tokens": [(SCORED_SHARDS, "n_tokens")],
        **dict.fromkeys(("merged_score", "rank", "sampling_value", "copies"), decided),
    }


def _renamed_inputs(columns: Sequence[str], ours: Sequence[str]) -> dict[str, str]:
    """New names for the input columns that have the name of a column of the mix."""
    names = {}
    for column in columns:
        name = column
        while name in ours or (name != column and name in columns):
            name = f"input_{name}"
        if name != column:
            names[column] = name
    return names


def _stale(shard: str, asset: str) -> ValueError:
    return ValueError(
        f"{asset} of the shard {shard!r} was made from another version of the shard than "
        "raw_shards holds now: materialise scored_shards and domain_labels for it again"
    )


def decide(documents: ScoredDocuments, model: MixModel) -> pl.DataFrame:
    """Per document: domain, n_tokens, raw scores, merged score, rank, S and copies."""
    theta = model.theta
    merged = merged_scores(documents, model.normalizers, theta)
    ranks = model.calibration.ranks(merged, documents.domains)
    values = sampling_value(ranks, documents.domains, *theta[1:])
    copies = draw_copies(values, documents.id_hashes, model.seed)
    names = np.array(model.domain_names, dtype=object)
    return pl.DataFrame(
        {
            "domain": pl.Series(names[documents.domains], dtype=pl.String),
            "n_tokens": documents.n_tokens,
            **{name: documents.scores[:, n] for n, name in enumerate(model.criteria)},
            "merged_score": merged,
            "rank": ranks,
            "sampling_value": values,
            "copies": np.asarray(copies, dtype=np.int32),
        }
    )


def _summary(
    documents: ScoredDocuments, decisions: pl.DataFrame, model: MixModel
) -> dict[str, Any]:
    """Counts of a shard before and after the selection, in total and per domain."""
    n_domains = len(model.domain_names)
    copies = decisions["copies"].to_numpy()
    tokens_out = documents.n_tokens * copies

    def per_domain(values: np.ndarray) -> list[int]:
        counts = np.zeros(n_domains, dtype=np.int64)
        np.add.at(counts, documents.domains, values)
        return [int(count) for count in counts]

    return {
        "n_documents_in": len(documents.ids),
        "n_tokens_in": int(documents.n_tokens.sum()),
        "n_documents_out": int((copies > 0).sum()),
        "n_copies_out": int(copies.sum()),
        "n_tokens_out": int(tokens_out.sum()),
        "max_copies": int(copies.max(initial=0)),
        "n_tokens_in_per_domain": per_domain(documents.n_tokens),
        "n_tokens_out_per_domain": per_domain(tokens_out),
    }
