"""Samples texts of the pool; membership depends on ids, purpose and seed alone."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from quadmix_assets.outputs import RAW_SHARDS
from quadmix_assets.sampling import uniform_of_ids
from quadmix_assets.seeds import derive_seed
from quadmix_assets.store import Store


def in_sample(ids: Sequence[str], share: float, *, purpose: str, seed: int) -> np.ndarray:
    """Which documents are in a sample: (D,) bool, each true with probability `share`.

    The draw is a function of the id, the purpose and the seed. Samples for different purposes
    are independent; the sample of a larger share contains those of smaller ones.
    """
    chosen: np.ndarray = uniform_of_ids(ids, derive_seed(seed, purpose)) < share
    return chosen


def sample_texts(
    store: Store,
    shards: Sequence[str],
    share: float,
    *,
    purpose: str,
    seed: int,
    columns: Sequence[str] = ("id", "text"),
) -> Iterator[pl.DataFrame]:
    """Batches of `columns` of the sampled documents, shard by shard in the order given.

    Reads the texts of only those row groups that hold a sampled document.

    Raises:
        MissingOutputError: a shard has not been materialised in raw_shards.
        DamagedOutputError: what was read is not what was written.
    """
    for shard in shards:
        with store.open_table(store.table_path(RAW_SHARDS, shard)) as parquet:
            for group in range(parquet.num_row_groups):
                ids = parquet.read_row_group(group, columns=["id"]).column("id").to_pylist()
                chosen = in_sample(ids, share, purpose=purpose, seed=seed)
                if chosen.any():
                    rows = pl.from_arrow(parquet.read_row_group(group, columns=list(columns)))
                    assert isinstance(rows, pl.DataFrame)
                    yield rows.filter(pl.Series(chosen))
