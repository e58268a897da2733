"""Reads scored documents: ids, token counts, domains and raw scores of shards, without texts.

Ids are by far the largest part. What decides on single documents reads them; what only draws random
numbers hashes them shard by shard; what only sums up does not read them at all.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, cast

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.in_order import in_order
from quadmix_assets.outputs import DOMAIN_LABELS, SCORED_SHARDS
from quadmix_assets.sampling import hash_ids
from quadmix_assets.store import Store, all_described
from quadmix_assets.store.tables import summary_of

Ids = Literal["strings", "hashes", "none"]

# One is read while the one before is computed with.
_N_THREADS = 2


@dataclass(frozen=True)
class ScoredDocuments:
    """D documents of one shard or of the whole pool.

    Attributes:
        ids: (D,) document ids; their uint64 hashes, or nulls, where they were read as such.
        n_tokens: (D,) int64 token counts.
        domains: (D,) int32 index into the settings' domain names.
        scores: (D, N) float64 raw scores, larger is better.
        find_id: gives the id of a hash, where ids are hashes.
    """

    ids: pl.Series
    n_tokens: np.ndarray
    domains: np.ndarray
    scores: np.ndarray
    find_id: Callable[[int], str] | None = None

    def __len__(self) -> int:
        """D, the number of documents."""
        return len(self.n_tokens)

    @cached_property
    def id_hashes(self) -> np.ndarray:
        """(D,) uint64 hashes of the ids, which random draws are derived from.

        Raises:
            TypeError: ids were not read.
        """
        if self.ids.dtype == pl.UInt64:
            return self.ids.to_numpy()
        return hash_ids(self.ids.to_list())

    def id_at(self, row: int) -> str:
        """The id of a document, for messages; of a hash, the shards are searched for it."""
        found = self.ids[row]
        return self.find_id(found) if self.find_id is not None else str(found)

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
    return joined(list(iter_scored(store, shards, criteria, domain_names, ids="strings")))


def joined(parts: Sequence[ScoredDocuments]) -> ScoredDocuments:
    """The documents of one or more parts, in their order."""
    return ScoredDocuments(
        ids=pl.concat([part.ids for part in parts]),
        n_tokens=np.concatenate([part.n_tokens for part in parts]),
        domains=np.concatenate([part.domains for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
    )


def read_hashed(
    store: Store, shards: Sequence[str], criteria: Sequence[str], domain_names: Sequence[str]
) -> ScoredDocuments:
    """What `read_scored` gives, with the hashes of the ids instead of the ids.

    Memory is that of the arrays: 20 bytes a document, and 8 for each criterion.

    Raises:
        MissingOutputError: see `read_scored`.
        ValueError: see `read_scored`.
    """
    n = sum(store.n_rows(store.table_path(SCORED_SHARDS, shard)) for shard in shards)
    hashes, n_tokens = np.empty(n, np.uint64), np.empty(n, np.int64)
    domains, scores = np.empty(n, np.int32), np.empty((n, len(criteria)))
    start = 0
    for part in iter_scored(store, shards, criteria, domain_names, ids="hashes"):
        rows = slice(start, start + len(part))
        hashes[rows], n_tokens[rows] = part.id_hashes, part.n_tokens
        domains[rows], scores[rows] = part.domains, part.scores
        start = rows.stop
    find_id = partial(_id_of_hash, store, tuple(shards))
    return ScoredDocuments(pl.Series(hashes), n_tokens, domains, scores, find_id)


def iter_scored(
    store: Store,
    shards: Sequence[str],
    criteria: Sequence[str],
    domain_names: Sequence[str],
    *,
    ids: Ids,
) -> Iterator[ScoredDocuments]:
    """Scores and domains of `shards` one by one, in the order given.

    Args:
        store: the lake.
        shards: scored and labelled ones.
        criteria: the N columns of scores.
        domain_names: of the settings.
        ids: whether to read them, and to keep only their hashes.

    Raises:
        MissingOutputError: see `read_scored`.
        ValueError: see `read_scored`.
    """
    index = {name: number for number, name in enumerate(domain_names)}
    work = partial(_read_shard, store, criteria=criteria, index=index, ids=ids)
    for _, read in in_order(work, shards, _N_THREADS):
        yield read()


def iter_scores(
    store: Store, shards: Sequence[str], criteria: Sequence[str]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, token counts (D,) and raw scores (D, N) of `shards` one by one, in the order given.

    Raises:
        MissingOutputError: a shard is not scored.
        ValueError: a criterion has no scores.
    """

    def work(shard: str) -> tuple[np.ndarray, np.ndarray]:
        with store.open_table(store.table_path(SCORED_SHARDS, shard)) as parquet:
            documents = _read_columns(parquet, shard, ["n_tokens"], criteria)
        return documents["n_tokens"].to_numpy(), _matrix(documents, criteria)

    for shard, read in in_order(work, shards, _N_THREADS):
        yield shard, *read()


def versions_of_scored(store: Store, shards: Sequence[str]) -> dict[str, str]:
    """By shard, what changes when its scores or labels do; from the ends of their tables alone.

    Raises:
        MissingOutputError: a shard is not scored or not labelled.
        DamagedOutputError: the end of a table is not what was written.
    """
    scored = all_described(store, SCORED_SHARDS, shards)
    labels = all_described(store, DOMAIN_LABELS, shards)
    return {shard: _version(scored[shard].seal, labels[shard].seal) for shard in shards}


def version_of_scored(store: Store, shard: str) -> str:
    """That of one shard, at a cost that does not grow with the pool; see `versions_of_scored`."""
    seals = (store.seal(store.table_path(asset, shard)) for asset in (SCORED_SHARDS, DOMAIN_LABELS))
    return _version(*seals)


def _version(scored: str, labels: str) -> str:
    return f"{scored}-{labels}"


def _read_shard(
    store: Store, shard: str, *, criteria: Sequence[str], index: dict[str, int], ids: Ids
) -> ScoredDocuments:
    with (
        store.open_table(store.table_path(SCORED_SHARDS, shard)) as scores,
        store.open_table(store.table_path(DOMAIN_LABELS, shard)) as domains,
    ):
        is_compared = ids == "strings" or not _are_of_same_rows(scores, domains)
        has_ids = is_compared or ids != "none"
        wanted = [*(["id"] if has_ids else []), "n_tokens"]
        scored = _read_columns(scores, shard, wanted, criteria)
        labels = _read(domains, [*(["id"] if is_compared else []), "domain"])
    if is_compared and not scored["id"].equals(labels["id"]):
        raise ValueError(
            f"scored_shards and domain_labels of the shard {shard!r} do not hold the same "
            "documents: materialise both for this shard again"
        )
    unknown = sorted(set(labels["domain"].unique()) - set(index))
    if unknown:
        raise ValueError(
            f"domain_labels of the shard {shard!r} holds {unknown}, which the settings do not name "
            f"({', '.join(index)}): materialise fitted_models and domain_labels again"
        )
    match ids:
        case "strings":
            names = scored["id"]
        case "hashes":
            names = pl.Series(hash_ids(scored["id"].to_list()), dtype=pl.UInt64)
        case "none":
            names = pl.repeat(None, scored.height, dtype=pl.Null, eager=True)
    return ScoredDocuments(
        ids=names,
        n_tokens=scored["n_tokens"].to_numpy(),
        domains=labels["domain"].replace_strict(index, return_dtype=pl.Int32).to_numpy(),
        scores=_matrix(scored, criteria),
        find_id=partial(_id_of_hash, store, (shard,)) if ids == "hashes" else None,
    )


def _are_of_same_rows(scores: pq.ParquetFile, labels: pq.ParquetFile) -> bool:
    """Whether the footers say that scores and labels are of the same documents.

    Both are then made from the rows of one shard in their order, and neither lacks any.
    """
    made_from = _raw_shard_of(scores)
    has_all = scores.metadata.num_rows == labels.metadata.num_rows
    return made_from is not None and made_from == _raw_shard_of(labels) and has_all


def _raw_shard_of(parquet: pq.ParquetFile) -> str | None:
    """What tells the version of the shard that a table was made from; None if it does not say."""
    summary = json.loads(summary_of(parquet.metadata))
    return cast(str | None, summary.get("inputs", {}).get("raw_shard"))


def _read_columns(
    parquet: pq.ParquetFile, shard: str, columns: Sequence[str], criteria: Sequence[str]
) -> pl.DataFrame:
    missing = [name for name in criteria if name not in parquet.schema_arrow.names]
    if missing:
        raise ValueError(
            f"scored_shards of the shard {shard!r} has no column {', '.join(missing)}: the "
            "settings name other criteria now; materialise fitted_models and scored_shards "
            "again"
        )
    return _read(parquet, [*columns, *criteria])


def _read(parquet: pq.ParquetFile, columns: list[str]) -> pl.DataFrame:
    return cast(pl.DataFrame, pl.from_arrow(parquet.read(columns).select(columns)))


def _matrix(documents: pl.DataFrame, criteria: Sequence[str]) -> np.ndarray:
    """(D, N) float64, column by column in memory."""
    if not criteria:
        return np.empty((documents.height, 0))
    return documents.select(criteria).to_numpy().astype(np.float64, copy=False)


def _id_of_hash(store: Store, shards: Sequence[str], wanted: int) -> str:
    for shard in shards:
        ids = store.read_table(store.table_path(SCORED_SHARDS, shard), ["id"])["id"].to_list()
        rows = np.flatnonzero(hash_ids(ids) == np.uint64(wanted))
        if len(rows):
            return str(ids[rows[0]])
    return f"with the hash {wanted:016x}"
