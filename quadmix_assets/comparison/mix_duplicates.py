"""Counts near-duplicates that mixes have kept: documents of clusters with several in the mix."""

from typing import Self

import numpy as np
import polars as pl

from quadmix_assets.outputs import NEAR_DUPLICATES
from quadmix_assets.sampling import hash_ids
from quadmix_assets.store import Store


class ClusterCounts:
    """How many documents of every cluster of near-duplicates each of K mixes holds."""

    def __init__(self, clusters: pl.DataFrame, n_mixes: int) -> None:
        """Begin at zero.

        Args:
            clusters: `id_hash` and `cluster` of the documents that have near-duplicates.
            n_mixes: K.
        """
        ordered = clusters.sort("id_hash")
        self._hashes = ordered["id_hash"].to_numpy()
        self._places = ordered["cluster"].rank("dense").to_numpy().astype(np.int64) - 1
        n_clusters = int(self._places.max(initial=-1)) + 1
        self._counts = np.zeros((n_mixes, n_clusters), dtype=np.int64)

    @classmethod
    def of(cls, store: Store, n_mixes: int) -> Self | None:
        """The clusters of the lake, with nothing counted; None if nobody has looked for them."""
        path = store.table_path(NEAR_DUPLICATES)
        if not path.exists():
            return None
        return cls(store.read_table(path, ["id_hash", "cluster"]), n_mixes)

    def add(self, number: int, ids: pl.Series) -> None:
        """Count documents (D,) of the mix with this number, from 0."""
        hashes = hash_ids(ids.to_list())
        places = np.searchsorted(self._hashes, hashes)
        known = places < len(self._hashes)
        known[known] = self._hashes[places[known]] == hashes[known]
        np.add.at(self._counts[number], self._places[places[known]], 1)

    def n_duplicates(self) -> list[int]:
        """(K,) documents of each mix that are not the only one of their cluster in it."""
        several = np.where(self._counts > 1, self._counts, 0)
        return [int(count) for count in several.sum(axis=1)]
