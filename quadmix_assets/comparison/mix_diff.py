"""What two mixes, or two versions of a mix, have different: per domain, per criterion, by document.

Shards are read one after the other. A document whose id has moved to another shard is the same one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.mix.selections import MixRows
from quadmix_assets.sampling import hash_ids, uniform_of_ids
from quadmix_assets.seeds import derive_seed

GAINED, LOST = "gained", "lost"
MORE, FEWER, SAME = "more copies", "fewer copies", "same copies"
CHANGES = (GAINED, LOST, MORE, FEWER, SAME)
N_EXAMPLES = 10

_SIDES = ("before", "after")
# What examples are drawn by: a number of the document's id alone.
_SEED = derive_seed(0, "mix_diff")
_OF_EXAMPLES = ("change", "id", "shard", "domain", "n_tokens", "copies_before", "copies_after")
# The kinds of changes that have examples of their own.
_SHOWN = ((GAINED,), (LOST,), (MORE, FEWER))


@dataclass(frozen=True, eq=False)
class MixDiff:
    """How a mix (after) differs from another one (before).

    Attributes:
        before: `name@version` of the one.
        after: `name@version` of the other.
        totals: one row per change (gained, lost, more copies, fewer copies, same copies): change,
            n_documents, n_tokens_before, n_tokens_after; tokens with copies.
        domains: one row per domain that either holds: domain, n_tokens_before, n_tokens_after,
            share_before, share_after, and the documents of each change.
        criteria: one row per criterion: criterion, and the mean score weighted by tokens with
            copies: before, after, and of the documents of each change.
        examples: documents gained, lost and with other copies, chosen by a hash of their ids:
            change, id, shard, domain, n_tokens, copies_before, copies_after.
    """

    before: str
    after: str
    totals: pl.DataFrame
    domains: pl.DataFrame
    criteria: pl.DataFrame
    examples: pl.DataFrame

    @property
    def is_empty(self) -> bool:
        """Whether every document has as many copies in both."""
        changed = self.totals.filter(pl.col("change") != SAME)
        return not changed["n_documents"].sum()


def diff_mixes(before: MixRows, after: MixRows, *, n_examples: int = N_EXAMPLES) -> MixDiff:
    """Compare two mixes document by document.

    Args:
        before: the one.
        after: the other.
        n_examples: most documents of each kind (gained, lost, other copies) that are named.

    Raises:
        MissingOutputError: rows of a mix are gone.
    """
    scores = tuple(dict.fromkeys((*before.score_names(), *after.score_names())))
    sums: list[pl.DataFrame] = []
    examples: list[pl.DataFrame] = []
    for documents in _compared(before, after, scores):
        sums.append(_sums(documents, scores))
        examples = [_first([*examples, _drawn(documents)], n_examples)]
    table = pl.concat(sums).group_by("change", "domain", maintain_order=True).sum()
    return MixDiff(
        before=str(before),
        after=str(after),
        totals=_totals(table),
        domains=_domains(table),
        criteria=_criteria(table, scores),
        examples=examples[0].select(_OF_EXAMPLES),
    )


def _compared(before: MixRows, after: MixRows, scores: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The documents of either mix, each once, in parts.

    Columns: id, shard, domain, n_tokens, copies_before, copies_after, change, and the scores of
    each side by their place: before_0, after_0, ...
    """
    moved = _moved(before, after)
    apart: tuple[list[pl.DataFrame], ...] = ([], [])
    for shard in _shards(before, after):
        sides = [_rows(mix, shard, scores) for mix in (before, after)]
        if len(moved):
            is_moved = [np.isin(hash_ids(rows["id"].to_list()), moved) for rows in sides]
            for side, rows, places in zip(apart, sides, is_moved, strict=True):
                side.append(rows.filter(places))
            sides = [rows.filter(~places) for rows, places in zip(sides, is_moved, strict=True)]
        yield _joined(*sides)
    if len(moved):
        yield _joined(*(pl.concat(side) for side in apart))


def _shards(before: MixRows, after: MixRows) -> list[str]:
    # Of mixes without shards, one without documents.
    return sorted({*before.shards, *after.shards}) or [""]


def _moved(before: MixRows, after: MixRows) -> np.ndarray:
    """Hashes of the ids that one mix has in one shard, and the other in another one."""
    gone, come = [np.array([], dtype=np.uint64)], [np.array([], dtype=np.uint64)]
    for shard in _shards(before, after):
        if before.checksum(shard) == after.checksum(shard):
            continue
        old, new = (_ids(mix, shard) for mix in (before, after))
        for found, some, others in ((gone, old, new), (come, new, old)):
            alone = some.join(others, on="id", how="anti")["id"]
            found.append(hash_ids(alone.to_list()))
    return np.intersect1d(np.concatenate(gone), np.concatenate(come))


def _ids(mix: MixRows, shard: str) -> pl.DataFrame:
    if mix.checksum(shard) is None:
        return pl.DataFrame(schema={"id": pl.String})
    return mix.rows(shard, ["id"])


def _rows(mix: MixRows, shard: str, scores: Sequence[str]) -> pl.DataFrame:
    """The documents that a mix takes of a shard; none if it was made without it."""
    types = {"id": pl.String, "domain": pl.String, "n_tokens": pl.Int64, "copies": pl.Int64}
    there = mix.columns(shard) if mix.checksum(shard) is not None else ()
    names = [name for name in (*types, *scores) if name in there]
    rows = mix.rows(shard, names) if there else pl.DataFrame(schema=types)
    return rows.select(
        pl.col("id"),
        pl.lit(shard).alias("shard"),
        pl.col("domain"),
        pl.col("n_tokens").cast(pl.Int64),
        pl.col("copies").cast(pl.Int64),
        *(
            (pl.col(name) if name in there else pl.lit(None)).cast(pl.Float64).alias(f"score_{n}")
            for n, name in enumerate(scores)
        ),
    )


def _joined(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """The documents of two sides, each once; what both know is that of the side after."""
    sides = [
        rows.rename(
            {name: f"{name}_{side}" for name in rows.columns if name != "id"}
            | {name: f"{side}_{name[6:]}" for name in rows.columns if name.startswith("score_")}
        )
        for rows, side in ((before, "before"), (after, "after"))
    ]
    joined = sides[0].join(
        sides[1], on="id", how="full", coalesce=True, maintain_order="left_right"
    )
    old, new = (pl.col(f"copies_{side}").fill_null(0) for side in _SIDES)
    change = (
        pl.when(old == 0)
        .then(pl.lit(GAINED))
        .when(new == 0)
        .then(pl.lit(LOST))
        .when(new > old)
        .then(pl.lit(MORE))
        .when(new < old)
        .then(pl.lit(FEWER))
        .otherwise(pl.lit(SAME))
    )
    return joined.with_columns(
        old.alias("copies_before"),
        new.alias("copies_after"),
        change.alias("change"),
        *(
            pl.coalesce(f"{name}_after", f"{name}_before").alias(name)
            for name in ("shard", "domain", "n_tokens")
        ),
    )


def _sums(documents: pl.DataFrame, scores: Sequence[str]) -> pl.DataFrame:
    """Per change and domain: documents, tokens of both sides, and weighted sums of their scores."""
    weighted = documents.with_columns(
        (pl.col("n_tokens") * pl.col(f"copies_{side}")).alias(f"n_tokens_{side}") for side in _SIDES
    )
    places = [(side, n) for side in _SIDES for n in range(len(scores))]
    return weighted.group_by("change", "domain", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("n_documents"),
        *(pl.col(f"n_tokens_{side}").sum() for side in _SIDES),
        *(
            (pl.col(f"n_tokens_{side}") * pl.col(f"{side}_{n}").is_not_null())
            .sum()
            .alias(f"weight_{side}_{n}")
            for side, n in places
        ),
        *(
            (pl.col(f"n_tokens_{side}") * pl.col(f"{side}_{n}")).sum().alias(f"scored_{side}_{n}")
            for side, n in places
        ),
    )


def _totals(sums: pl.DataFrame) -> pl.DataFrame:
    counts = sums.group_by("change").agg(
        pl.col("n_documents", "n_tokens_before", "n_tokens_after").sum()
    )
    every = pl.DataFrame({"change": CHANGES})
    return every.join(counts, on="change", how="left", maintain_order="left").fill_null(0)


def _domains(sums: pl.DataFrame) -> pl.DataFrame:
    tokens = [f"n_tokens_{side}" for side in _SIDES]
    return (
        sums.group_by("domain")
        .agg(
            pl.col(tokens).sum(),
            *(
                pl.col("n_documents").filter(pl.col("change") == change).sum().alias(change)
                for change in CHANGES
            ),
        )
        .with_columns(
            (pl.col(name) / pl.max_horizontal(pl.col(name).sum(), 1)).alias(f"share_{side}")
            for name, side in zip(tokens, _SIDES, strict=True)
        )
        .select("domain", *tokens, "share_before", "share_after", *CHANGES)
        .sort(pl.max_horizontal(tokens), "domain", descending=[True, False])
    )


def _criteria(sums: pl.DataFrame, scores: Sequence[str]) -> pl.DataFrame:
    """The mean scores of each side, and of the documents of each change on the side they are on."""
    groups = [(side, side, list(CHANGES)) for side in _SIDES]
    groups += [(each, "before" if each == LOST else "after", [each]) for each in CHANGES]
    rows = [
        {"criterion": name}
        | {
            heading: _mean(sums.filter(pl.col("change").is_in(changes)), side, n)
            for heading, side, changes in groups
        }
        for n, name in enumerate(scores)
    ]
    types = {"criterion": pl.String, **{heading: pl.Float64 for heading, _, _ in groups}}
    return pl.DataFrame(rows, schema=types)


def _mean(sums: pl.DataFrame, side: str, number: int) -> float | None:
    weight = int(sums[f"weight_{side}_{number}"].sum())
    return float(sums[f"scored_{side}_{number}"].sum()) / weight if weight else None


def _drawn(documents: pl.DataFrame) -> pl.DataFrame:
    """The documents that differ, each with a random number of its id."""
    changed = documents.filter(pl.col("change") != SAME)
    numbers = uniform_of_ids(hash_ids(changed["id"].to_list()), _SEED)
    return changed.select(*_OF_EXAMPLES, pl.Series("draw", numbers))


def _first(parts: Sequence[pl.DataFrame], n: int) -> pl.DataFrame:
    """Of every kind of change the n documents with the smallest numbers."""
    together = pl.concat(parts).sort("draw", "id")
    return pl.concat(together.filter(pl.col("change").is_in(kind)).head(n) for kind in _SHOWN)
