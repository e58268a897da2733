"""Reads scored documents: ids, token counts, domains and raw scores of shards, without texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.outputs import DOMAIN_LABELS, SCORED_SHARDS
from quadmix_assets.sampling import hash_ids
from quadmix_assets.store import Store


@dataclass(frozen=True)
class ScoredDocuments:
    """D documents of one shard or of the whole pool.

    Attributes:
        ids: (D,) document ids.
        n_tokens: (D,) int64 token counts.
        domains: (D,) int32 index into the settings' domain names.
        scores: (D, N) float64 raw scores, larger is better.
    """

    ids: pl.Series
    n_tokens: np.ndarray
    domains: np.ndarray
    scores: np.ndarray

    @cached_property
    def id_hashes(self) -> np.ndarray:
        """(D,) uint64 hashes of the ids, which random draws are derived from."""
        return hash_ids(self.ids.to_list())

    def sigma(self, normalizers: Sequence[Normalizer]) -> np.ndarray:
        """Normalized scores (D, N), smaller is better.

        Args:
            normalizers: one per criterion, in the order of the columns of `scores`.

        Raises:
            ValueError: a score is NaN or infinite.
        """
        return np.column_stack(
            [normalizer.apply(self.scores[:, n]) for n, normalizer in enumerate(normalizers)]
        )


def read_scored(
    store: Store, shards: Sequence[str], criteria: Sequence[str], domain_names: Sequence[str]
) -> ScoredDocuments:
    """Read scores and domains of `shards`, in the order given, rows in the order of the shard.

    Raises:
        MissingOutputError: a shard is not scored or not labelled.
        ValueError: scores and labels of a shard are not of the same documents, a criterion has no
            scores, or a label is not a domain of the settings.
    """
    frames = []
    for shard in shards:
        path = store.table_path(SCORED_SHARDS, shard)
        missing = [name for name in criteria if name not in store.read_schema(path)]
        if missing:
            raise ValueError(
                f"scored_shards of the shard {shard!r} has no column {', '.join(missing)}: the "
                "settings name other criteria now; materialise fitted_models and scored_shards "
                "again"
            )
        scored = store.read_table(path, ["id", "n_tokens", *criteria])
        labels = store.read_table(store.table_path(DOMAIN_LABELS, shard), ["id", "domain"])
        if not scored["id"].equals(labels["id"]):
            raise ValueError(
                f"scored_shards and domain_labels of the shard {shard!r} do not hold the same "
                "documents: materialise both for this shard again"
            )
        frames.append(scored.with_columns(labels["domain"]))
    documents = pl.concat(frames)
    unknown = sorted(set(documents["domain"].unique()) - set(domain_names))
    if unknown:
        raise ValueError(
            f"domain_labels holds {unknown}, which the settings do not name "
            f"({', '.join(domain_names)}): materialise fitted_models and domain_labels again"
        )
    index = {name: number for number, name in enumerate(domain_names)}
    return ScoredDocuments(
        ids=documents["id"],
        n_tokens=documents["n_tokens"].to_numpy(),
        domains=documents["domain"].replace_strict(index, return_dtype=pl.Int32).to_numpy(),
        scores=documents.select(criteria).to_numpy().astype(np.float64, copy=False),
    )
