"""Finds a document of the pool by its id: shard and row, or why there is none and what is near.

The claims of the shards (`document_ids`) are the index: sorted hashes of all ids. They name the
shard; the row is found in the shard's column of ids.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import Any

import polars as pl
import pyarrow as pa
from upath import UPath

from quadmix_assets.corpus.document_ids import shards_set_aside, shards_that_hold
from quadmix_assets.corpus.set_aside import SetAside
from quadmix_assets.outputs import QUARANTINE, RAW_SHARDS
from quadmix_assets.sampling import hash_ids
from quadmix_assets.store import Store

N_NEAREST = 5
# Ids that are read to look for similar ones, and of these the ones that are compared in full.
_MOST_READ = 100_000
_MOST_COMPARED = 500
# Longer ids are not looked for by their parts and one-character changes: there are some 20,000 of
# an id of this length.
_MOST_CHARACTERS = 120
_SHORTEST_PART = 3
_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/"
_TABLE = ".parquet"


@dataclass(frozen=True)
class Place:
    """Where a document is.

    Attributes:
        shard: its key.
        row: in the shard's tables, from 0.
        n_documents: of the shard.
    """

    shard: str
    row: int
    n_documents: int


@dataclass(frozen=True)
class QuarantinedRow:
    """A row of the input that did not become a document.

    Attributes:
        shard: its key.
        row: of the input file, from 1.
        reason: why, in one word.
        detail: why, in words.
        excerpt: the start of the row.
    """

    shard: str
    row: int
    reason: str
    detail: str
    excerpt: str


def find_document(store: Store, document_id: str) -> Place | None:
    """The place of the document with this id; None if the pool has none.

    Raises:
        DamagedOutputError: what was read is not what was written.
    """
    number = int(hash_ids([document_id])[0])
    for shard in shards_that_hold(store, hash_ids([document_id])).get(number, ()):
        ids = _ids(store, shard)
        row = ids.index_of(document_id) if ids is not None and ids.len() else None
        if ids is not None and row is not None:
            return Place(shard, row, ids.len())
    return None


def ids_of_hashes(store: Store, hashes: list[int]) -> dict[int, str]:
    """The ids of documents by their hashes; hashes that no document of the pool has are left out.

    Raises:
        DamagedOutputError: what was read is not what was written.
    """
    if not hashes:
        return {}
    wanted: dict[str, set[int]] = {}
    for number, shards in shards_that_hold(store, hash_ids(hashes)).items():
        for shard in shards:
            wanted.setdefault(shard, set()).add(number)
    found: dict[int, str] = {}
    for shard, numbers in sorted(wanted.items()):
        names = _ids(store, shard)
        if names is None:
            continue
        values = names.to_list()
        for number, name in zip(hash_ids(values).tolist(), values, strict=True):
            if number in numbers:
                found.setdefault(number, name)
    return found


def read_row(
    store: Store, path: UPath, row: int, columns: list[str] | None = None
) -> dict[str, Any]:
    """One row of a table, by column; only the row group that holds it is read.

    Raises:
        MissingOutputError: the table has not been written.
        DamagedOutputError: what was read is not what was written.
        IndexError: it has no such row.
    """
    with store.open_table(path) as parquet:
        first = 0
        for group in range(parquet.metadata.num_row_groups):
            n_rows = parquet.metadata.row_group(group).num_rows
            if row < first + n_rows:
                part: pa.Table = parquet.read_row_group(group, columns=columns)
                return dict(part.slice(row - first, 1).to_pylist()[0])
            first += n_rows
    raise IndexError(f"{path} has {first} rows; row {row} was asked for")


def quarantined_rows(
    store: Store, document_id: str, shard: str | None = None
) -> list[QuarantinedRow]:
    """The rows with this id that are in quarantine; of ids `<shard>:<row>` also by the row.

    Args:
        store: the lake.
        document_id: the id.
        shard: the one to look in; None: all of them.

    Raises:
        DamagedOutputError: what was read is not what was written.
    """
    of_shard, _, number = document_id.rpartition(":")
    row = int(number) if number.isdecimal() else None
    found = []
    for key in _shards(store, QUARANTINE) if shard is None else [shard]:
        path = store.table_path(QUARANTINE, key)
        if not path.exists() or not store.n_rows(path):
            continue
        is_it = pl.col("id") == document_id
        if key == of_shard and row is not None:
            is_it = is_it | (pl.col("id").is_null() & (pl.col("row") == row))
        rows = store.read_table(path).filter(is_it)
        found += [
            QuarantinedRow(key, each["row"], each["reason"], each["detail"], each["excerpt"])
            for each in rows.iter_rows(named=True)
        ]
    return found


def set_aside_of(store: Store, document_id: str) -> dict[str, SetAside]:
    """The shards that are set aside and may hold this id, with the reasons.

    Their rows are not in the lake: of ids `<shard>:<row>` the shard is known, of others it may be
    any of them.
    """
    apart = shards_set_aside(store)
    shard, _, number = document_id.rpartition(":")
    if number.isdecimal() and (shard in apart or shard in _shards(store, RAW_SHARDS)):
        return {shard: apart[shard]} if shard in apart else {}
    return apart


def nearest_ids(store: Store, document_id: str, n: int = N_NEAREST) -> list[str]:
    """At most n ids of the pool that are like an unknown one, the most similar first.

    Ids that are a part of it, or differ in one character, in case or by white space, are found in
    the whole pool. Where there are none, those that contain it or its beginning are looked for
    among a hundred thousand ids, of ids `<shard>:<row>` first in the shards with the most similar
    names.

    Raises:
        DamagedOutputError: what was read is not what was written.
    """
    variants = sorted(_variants(document_id))
    numbers = hash_ids(variants)
    held = shards_that_hold(store, numbers)
    holders = {
        name: held[each]
        for name, each in zip(variants, numbers.tolist(), strict=True)
        if each in held
    }
    near = _in_the_pool(store, _most_similar(list(holders), document_id), holders, n)
    return near or _most_similar(_alike(store, document_id), document_id)[:n]


def _in_the_pool(
    store: Store, names: list[str], holders: Mapping[str, list[str]], n: int
) -> list[str]:
    """The first n of these names that are ids of documents: claims only say that they may be.

    Args:
        store: the lake.
        names: the wanted ones first, so that the ids of few shards are read.
        holders: the shards that may have each of them.
        n: how many are looked for.
    """
    known: dict[str, set[str]] = {}
    found: list[str] = []
    for name in names:
        for shard in holders[name]:
            if shard not in known:
                ids = _ids(store, shard)
                known[shard] = set() if ids is None else set(ids.filter(ids.is_in(names)))
            if name in known[shard]:
                found.append(name)
                break
        if len(found) == n:
            break
    return found


def _alike(store: Store, document_id: str) -> list[str]:
    """Ids that contain an id, or as long a beginning of it as any of those that are read."""
    parts: list[pl.Series] = []
    for shard in _by_likeness(store, document_id):
        ids = _ids(store, shard)
        if ids is not None:
            parts.append(ids)
        if sum(map(len, parts)) >= _MOST_READ:
            break
    if not parts:
        return []
    ids = pl.concat(parts)
    for length in range(len(document_id), 0, -max(1, len(document_id) // 8)):
        like = ids.filter(ids.str.contains(document_id[:length], literal=True))
        if like.len():
            return like.head(_MOST_COMPARED).to_list()
    return []


def _most_similar(names: list[str], document_id: str) -> list[str]:
    return sorted(names, key=lambda name: (-_similarity(document_id, name), name))


def _by_likeness(store: Store, document_id: str) -> Iterator[str]:
    """All shards, first those whose key is like the first part of an id."""
    shards = _shards(store, RAW_SHARDS)
    first = get_close_matches(document_id.rpartition(":")[0], shards) if ":" in document_id else []
    yield from first
    yield from (shard for shard in shards if shard not in first)


def _variants(document_id: str) -> set[str]:
    """What somebody may have meant who wrote this id: a part, other case, one character wrong."""
    stripped = document_id.strip().strip("\"'`,;")
    found = {stripped, document_id.strip(), stripped.lower(), stripped.upper()}
    if len(stripped) <= _MOST_CHARACTERS:
        characters = sorted(set(_CHARACTERS) | set(stripped))
        shortest = max(_SHORTEST_PART, len(stripped) // 4)
        for place in range(len(stripped) + 1):
            found.update(stripped[place:end] for end in range(place + shortest, len(stripped) + 1))
            before, after = stripped[:place], stripped[place:]
            found.update(before + new + after for new in characters)
            if after:
                found.add(before + after[1:])
                found.update(before + new + after[1:] for new in characters)
            if len(after) > 1:
                found.add(before + after[1] + after[0] + after[2:])
    return found - {document_id, ""}


def _similarity(one: str, other: str) -> float:
    """The share of characters that two ids have in common, in order."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _ids(store: Store, shard: str) -> pl.Series | None:
    """The ids of a shard, in order; None if it has no table."""
    path = store.table_path(RAW_SHARDS, shard)
    return store.read_table(path, ["id"])["id"] if path.exists() else None


def _shards(store: Store, output: str) -> list[str]:
    """The shards that have a table of this output, in order."""
    folder = store.root / output
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    return sorted(
        name.removesuffix(_TABLE)
        for name in names
        if name.endswith(_TABLE) and not name.startswith(".")
    )
