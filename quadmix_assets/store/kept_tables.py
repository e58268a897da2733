"""Small tables that are made of one shard on the way, and kept so that its rows are not read again.

Each names what it was made from. One that was made from something else, is damaged or is not there
is made again by whoever needs it, so that all of them can be deleted.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import polars as pl
from upath import UPath

from quadmix_assets.store.reusable import read_reusable
from quadmix_assets.store.store import Store
from quadmix_assets.store.tables import summary_of

_MADE_FROM = "made_from"


def write_kept(
    store: Store, path: UPath, table: pl.DataFrame, made_from: Mapping[str, Any]
) -> None:
    """Keep a table.

    Args:
        store: the lake.
        path: of the table.
        table: what is kept.
        made_from: all that decides on its rows, JSON.
    """
    store.write_table(path, table, {_MADE_FROM: dict(made_from)})


def read_kept(
    store: Store,
    path: UPath,
    made_from: Mapping[str, Any],
    make: Callable[[], pl.DataFrame],
) -> pl.DataFrame:
    """A table that was kept if it was made from the same, else what `make` gives, which is kept."""

    def read() -> pl.DataFrame | None:
        with store.open_table(path) as parquet:
            if json.loads(summary_of(parquet.metadata)).get(_MADE_FROM) != made_from:
                return None
            return cast(pl.DataFrame, pl.from_arrow(parquet.read()))

    found = read_reusable(read, "it is made again")
    if found is None:
        found = make()
        write_kept(store, path, found, made_from)
    return found
