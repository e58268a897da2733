"""Sums over the shards of a pool that are kept in the lake, so that a new shard costs its own.

A total is a few tables, made by merging what is measured of each shard. It is kept with the version
of every shard that it is made of. With one shard more, only that one is measured; where a shard has
changed or has gone, or a total was made for something else, all are measured anew. Merging must not
depend on the order, so that equal pools have equal totals in whatever steps they have grown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from upath import UPath

from quadmix_assets.store.atomic import atomic_folder
from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError
from quadmix_assets.store.store import Store

Tables = Mapping[str, pl.DataFrame]

_MADE_OF = "made_of"
# A first pass over a large pool that is interrupted has lost so many shards at most.
_N_BETWEEN_WRITES = 256


@dataclass(frozen=True)
class Measuring:
    """How a total is made.

    Attributes:
        key: what besides the shards decides on it, JSON; with another key nothing is reused.
        measure: the tables of one shard.
        merge: the tables of several totals, or shards, together; of none, empty ones.
        n_at_once: shards whose tables are in memory together, before they are merged.
    """

    key: Mapping[str, Any]
    measure: Callable[[str], Tables]
    merge: Callable[[Sequence[Tables]], Tables]
    n_at_once: int = 8


def running_total(
    store: Store, folder: UPath, versions: Mapping[str, str], how: Measuring
) -> Tables:
    """The total of these shards, which is kept in `folder` for the next time.

    Args:
        store: the lake.
        folder: of the total alone.
        versions: of each shard, what changes when its rows do, such as seals of tables.
        how: measures and merges.

    Raises:
        MissingOutputError, DamagedOutputError, ValueError: what measuring a shard raises.
    """
    kept = _read(store, folder)
    made_of: dict[str, str] = {}
    total = how.merge([])
    if kept is not None and kept.key == how.key and kept.is_within(versions):
        made_of, total = dict(kept.made_of), kept.tables
    new = sorted(set(versions) - set(made_of))
    n_unwritten = 0
    for first in range(0, len(new), how.n_at_once):
        shards = new[first : first + how.n_at_once]
        total = how.merge([total, *(how.measure(shard) for shard in shards)])
        made_of.update({shard: versions[shard] for shard in shards})
        n_unwritten += len(shards)
        if n_unwritten >= _N_BETWEEN_WRITES or len(made_of) == len(versions):
            _write(folder, _Kept(how.key, made_of, total))
            n_unwritten = 0
    return total


def keep_total(
    folder: UPath, versions: Mapping[str, str], key: Mapping[str, Any], total: Tables
) -> None:
    """Keep a total of these shards that was made on the way, so that they are not measured again.

    Args:
        folder: of the total alone.
        versions: see `running_total`.
        key: see `Measuring`.
        total: what `running_total` would measure and merge.
    """
    _write(folder, _Kept(key, versions, total))


@dataclass(frozen=True)
class _Kept:
    """Attributes:
    key: of `Measuring`.
    made_of: version of every shard that is in the total.
    tables: the total.
    """

    key: Mapping[str, Any]
    made_of: Mapping[str, str]
    tables: Tables

    def is_within(self, versions: Mapping[str, str]) -> bool:
        """Whether all shards of the total are still those of these versions."""
        return all(versions.get(shard) == version for shard, version in self.made_of.items())


def _read(store: Store, folder: UPath) -> _Kept | None:
    """The total that is kept; None if there is none that is whole."""
    try:
        with store.local_folder(folder) as local:
            here = Store(UPath(local))
            made_of = here.summary(here.root / f"{_MADE_OF}.parquet")
            shards = here.read_table(here.root / f"{_MADE_OF}.parquet")
            tables = {
                name: here.read_table(here.root / f"{name}.parquet") for name in made_of["tables"]
            }
    except (MissingOutputError, DamagedOutputError, FileNotFoundError):
        return None
    return _Kept(made_of["key"], dict(shards.iter_rows()), tables)


def _write(folder: UPath, kept: _Kept) -> None:
    with atomic_folder(folder) as local:
        here = Store(UPath(local))
        for name, table in kept.tables.items():
            here.write_table(here.root / f"{name}.parquet", table)
        shards = pl.DataFrame(
            sorted(kept.made_of.items()),
            schema={"shard": pl.String, "version": pl.String},
            orient="row",
        )
        summary = {"key": kept.key, "tables": sorted(kept.tables)}
        here.write_table(here.root / f"{_MADE_OF}.parquet", shards, summary)
