"""Random documents that a mix takes and leaves, domain by domain, with the reasons of its rule.

Scores and labels are read shard by shard, texts only of the documents that are shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from quadmix_assets.mix.selections import MixRows
from quadmix_assets.mix.version_rule import PoolDocument, reason, rule_of_version
from quadmix_assets.outputs import DOMAIN_LABELS, RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.sampling import hash_ids, uniform_of_ids
from quadmix_assets.store import MissingOutputError, Store

_EXCERPT_CHARACTERS = 280
_COUNTS = ("n_documents", "n_tokens")


@dataclass(frozen=True)
class Shown:
    """A document that is shown.

    Attributes:
        document_id: its id.
        n_tokens: its length.
        copies: in the mix, 0 if it is left.
        why: the reason of the rule in a few words; empty where the rule is not kept any more.
        excerpt: the start of its text.
    """

    document_id: str
    n_tokens: int
    copies: int
    why: str
    excerpt: str


@dataclass(frozen=True)
class Side:
    """The documents of a domain that are taken, or those that are left.

    Attributes:
        n_documents: how many they are, each counted once.
        n_tokens: their tokens, each document counted once.
        shown: some of them, at random.
    """

    n_documents: int
    n_tokens: int
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class TakenAndLeft:
    """What a mix takes of a domain, and what it leaves.

    Attributes:
        domain: its name.
        taken: documents that are in the mix.
        left: documents of the pool that are not.
    """

    domain: str
    taken: Side
    left: Side


def taken_and_left(store: Store, rows: MixRows, *, n: int, seed: int) -> list[TakenAndLeft]:
    """What a mix takes and leaves of each domain, the domain with the most tokens first.

    Shards that have left the pool since, or have not been scored again, are passed over.

    Args:
        store: the lake.
        rows: of the mix.
        n: documents of each side of each domain, or all where there are fewer.
        seed: of the choice, which depends on it and on the documents' ids alone.

    Raises:
        MissingOutputError: rows of the mix are gone.
        DamagedOutputError: what was read is not what was written.
    """
    chosen, counts = pl.DataFrame(), pl.DataFrame()
    for shard, table in _tables(store, rows):
        draws = uniform_of_ids(hash_ids(table["id"].to_list()), seed)
        drawn = table.with_columns(pl.Series("draw", draws), pl.lit(shard).alias("shard"))
        groups = ("domain", "is_taken")
        chosen = (
            pl.concat([chosen, drawn], how="diagonal")
            .sort("draw", "id")
            .group_by(groups, maintain_order=True)
            .head(n)
        )
        sums = drawn.group_by(groups).agg(
            pl.len().cast(pl.Int64).alias("n_documents"), pl.col("n_tokens").sum()
        )
        counts = pl.concat([counts, sums]).group_by(groups).agg(pl.col(*_COUNTS).sum())
    if chosen.is_empty():
        return []
    shown = _shown(store, rows, chosen.sort("draw", "id"))
    order = counts.group_by("domain").agg(pl.col("n_tokens").sum())
    by_group = {(row["domain"], row["is_taken"]): row for row in counts.iter_rows(named=True)}

    def side(domain: str, is_taken: bool) -> Side:
        row = by_group.get((domain, is_taken), dict.fromkeys(_COUNTS, 0))
        some = tuple(shown.get((domain, is_taken), ()))
        return Side(row["n_documents"], row["n_tokens"], some)

    return [
        TakenAndLeft(domain, side(domain, True), side(domain, False))
        for domain in order.sort(["n_tokens", "domain"], descending=[True, False])["domain"]
    ]


def _tables(store: Store, rows: MixRows) -> Iterator[tuple[str, pl.DataFrame]]:
    """Per shard its documents: id, n_tokens, scores, domain, copies, is_taken."""
    for shard in rows.shards:
        try:
            scored = store.read_table(store.table_path(SCORED_SHARDS, shard))
            labels = store.read_table(store.table_path(DOMAIN_LABELS, shard), ["id", "domain"])
        except MissingOutputError:
            continue
        if not scored["id"].equals(labels["id"]):
            continue
        taken = rows.rows(shard, ["id", "copies"])
        yield (
            shard,
            scored.with_columns(labels["domain"])
            .join(taken, on="id", how="left", maintain_order="left")
            .with_columns(pl.col("copies").cast(pl.Int64).fill_null(0))
            .with_columns((pl.col("copies") > 0).alias("is_taken")),
        )


def _shown(
    store: Store, rows: MixRows, chosen: pl.DataFrame
) -> dict[tuple[str, bool], list[Shown]]:
    """The chosen documents by domain and side, in their order."""
    excerpts: dict[str, str] = {}
    for (shard,), part in chosen.group_by("shard", maintain_order=True):
        excerpts |= _excerpts(store, str(shard), part["id"])
    try:
        rule = rule_of_version(rows)
    except MissingOutputError:
        rule = None
    other = {"id", "n_tokens", "domain", "copies", "is_taken", "draw", "shard"}
    names = [name for name in chosen.columns if name not in other]
    found: dict[tuple[str, bool], list[Shown]] = {}
    for row in chosen.iter_rows(named=True):
        scores = {name: row[name] for name in names if row[name] is not None}
        excerpt = excerpts.get(row["id"], "")
        document = PoolDocument(row["id"], excerpt, row["domain"], row["n_tokens"], scores)
        why = "" if rule is None else reason(rule, rows.domains, document, row["copies"])
        found.setdefault((row["domain"], row["is_taken"]), []).append(
            Shown(row["id"], row["n_tokens"], row["copies"], why, excerpt)
        )
    return found


def _excerpts(store: Store, shard: str, ids: pl.Series) -> dict[str, str]:
    """The starts of the texts of documents of a shard, by id."""
    path = store.table_path(RAW_SHARDS, shard)
    if not store.exists(path):
        return {}
    found: dict[str, str] = {}
    wanted = ids.to_list()
    for batch in store.iter_table(path, ["id", "text"]):
        part = batch.filter(pl.col("id").is_in(wanted)).select(
            "id",
            pl.col("text").str.slice(0, _EXCERPT_CHARACTERS),
            (pl.col("text").str.len_chars() > _EXCERPT_CHARACTERS).alias("is_cut"),
        )
        for name, text, is_cut in part.iter_rows():
            found[name] = f"{text}…" if is_cut else text
    return found
