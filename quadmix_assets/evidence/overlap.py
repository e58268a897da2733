"""How much of the measured sets stands in the pool, and in a mix.

`target_overlap` has found, shard by shard, which documents of the pool share a run of 13 words with
a document of a set. What a mix has of them follows from the ids of its documents alone.
"""

import polars as pl

from quadmix_assets.corpus.overlap import n_too_short
from quadmix_assets.corpus.target_sets import EVALUATED, PROOF
from quadmix_assets.corpus.target_tables import part_path
from quadmix_assets.evidence.held_out import held_out_path
from quadmix_assets.evidence.results import HELD_OUT, TARGET
from quadmix_assets.mix.selections import MixRows
from quadmix_assets.outputs import HELD_OUT_SETS, TARGET_OVERLAP, TARGET_SETS
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

OVERLAP_SCHEMA = {
    "mix": pl.String,
    "set": pl.String,
    "kind": pl.String,
    "n_documents": pl.Int64,
    "n_too_short": pl.Int64,
    "n_in_pool": pl.Int64,
    "n_in_mix": pl.Int64,
}
"""Per measured set: its documents, those too short to be searched for, and those of which the pool
and the mix hold parts; null where shards have not been compared with the set."""


def searched_texts(store: Store, settings: Settings) -> dict[str, pl.DataFrame]:
    """The documents that are searched for in the pool, by set: columns id and text.

    Of target sets the parts that losses are measured on; of held-out sets all.

    Raises:
        MissingOutputError: a set is not there.
    """
    found = {
        name: pl.concat(store.read_table(part_path(store, name, part)) for part in EVALUATED)
        for name in settings.target_names
    }
    for held_out in settings.held_out_sets:
        found[held_out.name] = store.read_table(held_out_path(store, held_out.name))
    return found


def searched_versions(store: Store, settings: Settings) -> dict[str, str]:
    """What the sets are that a shard is compared with: a fingerprint of each of their assets.

    Raises:
        MissingOutputError: one is not there.
    """
    assets = [TARGET_SETS, *([HELD_OUT_SETS] if settings.held_out_sets else [])]
    return {asset: store.fingerprint(store.root / asset) for asset in assets}


def overlap_of(store: Store, settings: Settings, rows: MixRows) -> pl.DataFrame:
    """What pool and mix hold of every measured set, columns of OVERLAP_SCHEMA.

    Raises:
        MissingOutputError: a set is not there, or the rows of the mix are gone.
    """
    sets = _measured_texts(store, settings)
    in_pool, in_mix = _found(store, settings, rows)
    return pl.DataFrame(
        [
            {
                "mix": rows.mix,
                "set": name,
                "kind": kind,
                "n_documents": documents.height,
                "n_too_short": n_too_short(documents["text"]),
                "n_in_pool": _count(in_pool, name, documents),
                "n_in_mix": _count(in_mix, name, documents),
            }
            for (name, kind), documents in sets.items()
        ],
        schema=OVERLAP_SCHEMA,
    )


def _measured_texts(store: Store, settings: Settings) -> dict[tuple[str, str], pl.DataFrame]:
    found = {
        (name, TARGET): store.read_table(part_path(store, name, PROOF))
        for name in settings.target_names
    }
    for held_out in settings.held_out_sets:
        path = held_out_path(store, held_out.name)
        found[held_out.name, HELD_OUT] = store.read_table(path)
    return found


def _found(
    store: Store, settings: Settings, rows: MixRows
) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
    """Columns target and target_id of what pool and mix hold; None if a shard is not compared."""
    versions = searched_versions(store, settings)
    in_pool, in_mix = [], []
    for shard in rows.shards:
        path = store.table_path(TARGET_OVERLAP, shard)
        if not path.exists() or store.summary(path).get("inputs") != versions:
            return None, None
        matches = store.read_table(path)
        in_pool.append(matches)
        if not matches.is_empty():
            in_mix.append(matches.join(rows.rows(shard, ["id"]), on="id", how="semi"))
    return _distinct(in_pool), _distinct(in_mix)


def _distinct(matches: list[pl.DataFrame]) -> pl.DataFrame:
    empty = pl.DataFrame(schema={"target": pl.String, "target_id": pl.String})
    return pl.concat([empty, *(each.select("target", "target_id") for each in matches)]).unique()


def _count(found: pl.DataFrame | None, name: str, documents: pl.DataFrame) -> int | None:
    if found is None:
        return None
    return found.filter(
        pl.col("target") == name, pl.col("target_id").is_in(documents["id"].implode())
    ).height
