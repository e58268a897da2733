"""Compares finished mixes side by side, in four tables: a shard at a time, without texts."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.comparison.mix_duplicates import ClusterCounts
from quadmix_assets.mix.selections import MixRows, read_mix
from quadmix_assets.mix.versions import present_version
from quadmix_assets.outputs import MIX_COMPARISON, SCORED_SHARDS, TARGET_OVERLAP
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store, atomic_folder

_COLUMNS = ("id", "domain", "n_tokens", "copies")


@dataclass(frozen=True, eq=False)
class MixComparison:
    """Mixes side by side.

    Attributes:
        mixes: one row per mix: mix, method, version, is_production, n_documents, n_copies,
            n_tokens (copies included), max_copies, epochs over the pool, tokens_per_document
            (copies included), n_duplicates and n_target_documents (null where nobody has looked).
        domains: one row per mix and domain: mix, domain, n_documents, n_tokens, share, share_pool,
            epochs.
        criteria: one row per mix and score column: mix, criterion, mean, mean_pool and
            deviation_pool, all weighted by tokens, copies included.
        overlaps: one row per mix and other mix: mix, other, n_tokens_shared, share_shared, jaccard,
            by tokens of documents that each count once.
    """

    mixes: pl.DataFrame
    domains: pl.DataFrame
    criteria: pl.DataFrame
    overlaps: pl.DataFrame


def finished_mixes(store: Store, settings: Settings) -> list[MixRows]:
    """The mixes of the settings that have a manifest, in their order."""
    found = []
    for mix in settings.mixes:
        try:
            present_version(store, mix.name)
        except MissingOutputError:
            continue
        found.append(read_mix(store, mix.name))
    return found


def compare_mixes(store: Store, settings: Settings, mixes: Sequence[MixRows]) -> MixComparison:
    """Compare mixes; shards are read one after the other, of each mix only ids and numbers.

    Raises:
        ValueError: there are no mixes.
        MissingOutputError: rows of a mix are gone.
    """
    if not mixes:
        raise ValueError("no mix is finished: materialise the mix_manifest of a mix first")
    sums = _Sums(store, mixes, [each.name for each in settings.held_out_sets])
    for shard in sorted({shard for mix in mixes for shard in mix.shards}):
        sums.add(shard)
    return MixComparison(
        mixes=_mixes_table(settings, mixes, sums),
        domains=_domains_table(mixes, sums),
        criteria=_criteria_table(mixes, sums),
        overlaps=_overlaps_table(mixes, sums),
    )


def write_comparison(store: Store, comparison: MixComparison) -> UPath:
    """Write the tables, together or not at all; returns their folder."""
    folder = store.root / MIX_COMPARISON
    with atomic_folder(folder) as local:
        for table in fields(comparison):
            path = UPath(local) / f"{table.name}.parquet"
            store.write_table(path, getattr(comparison, table.name))
    return folder


def read_comparison(store: Store) -> MixComparison:
    """The tables that were written last.

    Raises:
        MissingOutputError: there are none.
    """
    return MixComparison(
        **{
            table.name: store.read_table(store.path(MIX_COMPARISON, f"{table.name}.parquet"))
            for table in fields(MixComparison)
        }
    )


class _Sums:
    """What is counted of K mixes, shard by shard.

    Attributes:
        domains: the names of all domains of all mixes.
        scores: the names of all score columns of all mixes.
        n_documents: (K, M) documents of each mix and domain, each counted once.
        n_copies: (K,) copies.
        max_copies: (K,) most copies of a document.
        n_tokens: (K, M) tokens, copies included.
        shared: (K, K) tokens of documents that two mixes have in common, each counted once.
        weights: (K + 1, S) tokens, copies included, of the documents that have a score by each
            criterion; the last row is of the pool, where each document counts once.
        scored: (K + 1, S) sum of their scores, weighted by these tokens.
        squares: (S,) sum of the squares in the pool, weighted in the same way.
        target_documents: per mix, the documents of target sets of which it holds parts.
        clusters: counts of near-duplicates; None where nobody has looked for them.
        has_overlap: whether anybody has looked for documents of target sets.
    """

    def __init__(self, store: Store, mixes: Sequence[MixRows], held_out: Sequence[str]) -> None:
        self._store, self._mixes, self._held_out = store, mixes, held_out
        names = [name for mix in mixes for name in mix.score_names()]
        self.scores = tuple(dict.fromkeys(names))
        self.domains = tuple(dict.fromkeys(name for mix in mixes for name in mix.domains))
        n_mixes, n_domains, n_scores = len(mixes), len(self.domains), len(self.scores)
        self.n_documents = np.zeros((n_mixes, n_domains), dtype=np.int64)
        self.n_tokens = np.zeros((n_mixes, n_domains), dtype=np.int64)
        self.n_copies = np.zeros(n_mixes, dtype=np.int64)
        self.max_copies = np.zeros(n_mixes, dtype=np.int64)
        self.shared = np.zeros((n_mixes, n_mixes), dtype=np.int64)
        self.weights = np.zeros((n_mixes + 1, n_scores), dtype=np.int64)
        self.scored = np.zeros((n_mixes + 1, n_scores))
        self.squares = np.zeros(n_scores)
        self.target_documents: list[set[tuple[str, str]]] = [set() for _ in mixes]
        self.has_overlap = (store.root / TARGET_OVERLAP).exists()
        self.clusters = ClusterCounts.of(store, n_mixes)

    def add(self, shard: str) -> None:
        """Count the selections of a shard."""
        wanted = {*_COLUMNS, *self.scores}
        selected = [
            mix.rows(shard, [c for c in mix.columns(shard) if c in wanted])
            if mix.checksum(shard) is not None
            else None
            for mix in self._mixes
        ]
        targets = self._targets(shard)
        for number, rows in enumerate(selected):
            if rows is None:
                continue
            self._add_counts(number, rows)
            self._add_scores(number, rows, rows["n_tokens"] * rows["copies"])
            if targets is not None:
                found = targets.join(rows.select("id"), on="id", how="semi")
                self.target_documents[number].update(
                    found.select("target", "target_id").iter_rows()
                )
            if self.clusters is not None:
                self.clusters.add(number, rows["id"])
        self._add_shared(selected)
        self._add_pool(shard)

    def _add_counts(self, number: int, rows: pl.DataFrame) -> None:
        index = {name: place for place, name in enumerate(self.domains)}
        domains = rows["domain"].replace_strict(index, return_dtype=pl.Int64).to_numpy()
        copies = rows["copies"].to_numpy().astype(np.int64)
        np.add.at(self.n_documents[number], domains, 1)
        np.add.at(self.n_tokens[number], domains, copies * rows["n_tokens"].to_numpy())
        self.n_copies[number] += copies.sum()
        self.max_copies[number] = max(self.max_copies[number], copies.max(initial=0))

    def _add_scores(self, number: int, rows: pl.DataFrame, weights: pl.Series) -> None:
        tokens = weights.to_numpy().astype(np.int64)
        for place, name in enumerate(self.scores):
            if name in rows.columns:
                scores = rows[name].to_numpy()
                self.weights[number, place] += tokens.sum()
                self.scored[number, place] += float((tokens * scores).sum())
                if number == len(self._mixes):
                    self.squares[place] += float((tokens * scores**2).sum())

    def _add_shared(self, selected: Sequence[pl.DataFrame | None]) -> None:
        present = [(k, rows) for k, rows in enumerate(selected) if rows is not None]
        rows = pl.concat(frame.select("id", "n_tokens") for _, frame in present)
        if rows.is_empty():
            return
        # Places of ids among the different ones of this shard.
        places = rows["id"].rank("dense").to_numpy().astype(np.int64) - 1
        tokens = np.zeros(int(places.max()) + 1)
        tokens[places] = rows["n_tokens"].to_numpy()
        holds = np.zeros((len(self._mixes), len(tokens)))
        start = 0
        for k, frame in present:
            holds[k, places[start : start + frame.height]] = 1.0
            start += frame.height
        # Exact: sums of whole numbers far below 2**53.
        self.shared += ((holds * tokens) @ holds.T).astype(np.int64)

    def _add_pool(self, shard: str) -> None:
        path = self._store.table_path(SCORED_SHARDS, shard)
        if not path.exists():  # It has left the pool since a mix was made of it.
            return
        there = self._store.read_schema(path)
        names = ["n_tokens", *(name for name in self.scores if name in there)]
        rows = self._store.read_table(path, names)
        self._add_scores(len(self._mixes), rows, rows["n_tokens"])

    def _targets(self, shard: str) -> pl.DataFrame | None:
        path = self._store.table_path(TARGET_OVERLAP, shard)
        if not path.exists():
            return None
        found = self._store.read_table(path)
        return found.filter(~pl.col("target").is_in(self._held_out))


def _mixes_table(settings: Settings, mixes: Sequence[MixRows], sums: _Sums) -> pl.DataFrame:
    n_tokens = sums.n_tokens.sum(axis=1)
    pool = np.array([mix.manifest["totals"]["n_tokens_in"] for mix in mixes])
    n_mixes = len(mixes)
    duplicates = [None] * n_mixes if sums.clusters is None else sums.clusters.n_duplicates()
    targets = [len(found) if sums.has_overlap else None for found in sums.target_documents]
    return pl.DataFrame(
        {
            "mix": [mix.mix for mix in mixes],
            "method": [mix.manifest["method"] for mix in mixes],
            "version": [mix.version for mix in mixes],
            "is_production": [mix.mix == settings.production_mix.name for mix in mixes],
            "n_documents": sums.n_documents.sum(axis=1),
            "n_copies": sums.n_copies,
            "n_tokens": n_tokens,
            "max_copies": sums.max_copies,
            "epochs": n_tokens / np.maximum(pool, 1),
            "tokens_per_document": n_tokens / np.maximum(sums.n_copies, 1),
            "n_duplicates": pl.Series(duplicates, dtype=pl.Int64),
            "n_target_documents": pl.Series(targets, dtype=pl.Int64),
        }
    )


def _domains_table(mixes: Sequence[MixRows], sums: _Sums) -> pl.DataFrame:
    tables = []
    for number, mix in enumerate(mixes):
        tokens_in = dict(zip(mix.domains, mix.manifest["n_tokens_in_per_domain"], strict=True))
        pool = np.array([tokens_in.get(name, 0) for name in sums.domains], dtype=np.int64)
        n_tokens = sums.n_tokens[number]
        tables.append(
            pl.DataFrame(
                {
                    "mix": [mix.mix] * len(sums.domains),
                    "domain": list(sums.domains),
                    "n_documents": sums.n_documents[number],
                    "n_tokens": n_tokens,
                    "share": n_tokens / max(n_tokens.sum(), 1),
                    "share_pool": pool / max(pool.sum(), 1),
                    "epochs": n_tokens / np.maximum(pool, 1),
                }
            )
        )
    return pl.concat(tables)


def _criteria_table(mixes: Sequence[MixRows], sums: _Sums) -> pl.DataFrame:
    weights = np.maximum(sums.weights, 1)
    # NaN where nothing is weighed, which becomes null.
    means = np.where(sums.weights > 0, sums.scored / weights, np.nan)
    variance = np.maximum(sums.squares / weights[-1] - means[-1] ** 2, 0.0)
    n_scores = len(sums.scores)
    names = [mix.mix for mix in mixes]
    table = pl.DataFrame(
        {
            "mix": np.repeat(names, n_scores).tolist(),
            "criterion": list(sums.scores) * len(names),
            "mean": means[:-1].ravel(),
            "mean_pool": np.tile(means[-1], len(names)),
            "deviation_pool": np.tile(np.sqrt(variance), len(names)),
        },
        schema_overrides={"mix": pl.String, "criterion": pl.String},
    )
    return table.with_columns(pl.col("mean", "mean_pool", "deviation_pool").fill_nan(None))


def _overlaps_table(mixes: Sequence[MixRows], sums: _Sums) -> pl.DataFrame:
    own = np.diag(sums.shared)
    union = own[:, None] + own[None, :] - sums.shared
    names = [mix.mix for mix in mixes]
    return pl.DataFrame(
        {
            "mix": np.repeat(names, len(names)).tolist(),
            "other": names * len(names),
            "n_tokens_shared": sums.shared.ravel(),
            "share_shared": (sums.shared / np.maximum(own, 1)[:, None]).ravel(),
            "jaccard": (sums.shared / np.maximum(union, 1)).ravel(),
        }
    )
