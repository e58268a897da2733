"""Keeps the best of near-duplicate documents, and says what a rule does not know of them."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quadmix_assets.features.scored_documents import joined
from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.splitmix64 import UIntArray


@dataclass(frozen=True, eq=False)
class Dropped:
    """Near-duplicates of a pool that a better copy stands for.

    Attributes:
        positions: (n,) of the dropped documents in the pool, ascending.
        survivors: (n,) position of the document that is kept for each.
    """

    positions: IntArray
    survivors: IntArray

    def table(self, pool: Documents) -> pl.DataFrame:
        """One row per dropped document, sorted by id_hash: id_hash, survivor, domain, n_tokens.

        `survivor` is the id hash of the document that is kept; `domain` an index.
        """
        return pl.DataFrame(
            {
                "id_hash": pool.id_hashes[self.positions],
                "survivor": pool.id_hashes[self.survivors],
                "domain": pool.domains[self.positions],
                "n_tokens": pool.n_tokens[self.positions],
            },
            schema={
                "id_hash": pl.UInt64,
                "survivor": pl.UInt64,
                "domain": pl.Int32,
                "n_tokens": pl.Int64,
            },
        ).sort("id_hash")


def documents_in(pool: Pool, clusters: pl.DataFrame) -> Documents:
    """The documents of a pool that have near-duplicates, in the order of the pool.

    Args:
        pool: all documents.
        clusters: id_hash of those that have near-duplicates.

    Raises:
        MissingOutputError: see `Pool.parts`.
        ValueError: see `Pool.parts`.
    """
    known = np.sort(clusters["id_hash"].to_numpy())
    parts = [part.where(_are_in(known, part.id_hashes)) for part in pool.parts(hashed=True)]
    return replace(parts[0], scored=joined([part.scored for part in parts]))


def _are_in(known: UIntArray, hashes: UIntArray) -> NDArray[np.bool_]:
    """Which of the hashes (D,) are among the sorted known ones."""
    if not len(known):
        return np.zeros(len(hashes), dtype=bool)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return np.asarray(known[places] == hashes)


def drop_duplicates(pool: Documents, clusters: pl.DataFrame, quality: FloatArray) -> Dropped:
    """Keep the best document of every cluster, of equally good ones that of the least id hash.

    The order of the documents changes nothing; members of a cluster that are not in the pool are
    left out of account.

    Args:
        pool: D documents.
        clusters: id_hash and cluster of the documents that have near-duplicates.
        quality: (D,) smaller is better.
    """
    ordered = clusters.select("id_hash", "cluster").sort("id_hash")
    known, names = ordered["id_hash"].to_numpy(), ordered["cluster"].to_numpy()
    if not len(known):
        return Dropped(np.zeros(0, np.int64), np.zeros(0, np.int64))
    places = np.minimum(np.searchsorted(known, pool.id_hashes), len(known) - 1)
    members = np.flatnonzero(known[places] == pool.id_hashes)
    cluster = names[places[members]]
    # Each cluster together, its best document first.
    order = np.lexsort((pool.id_hashes[members], quality[members], cluster))
    members, cluster = members[order], cluster[order]
    is_best = np.ones(len(members), dtype=bool)
    is_best[1:] = cluster[1:] != cluster[:-1]
    best = members[np.flatnonzero(is_best)[np.cumsum(is_best) - 1]]
    positions, survivors = members[~is_best], best[~is_best]
    ascending = np.argsort(positions)
    return Dropped(positions[ascending], survivors[ascending])


@dataclass(frozen=True)
class UnknownDuplicates:
    """What a rule does not know of the present near-duplicates.

    Attributes:
        n_repeated: documents that repeat another one that the rule does not drop either.
        n_orphans: documents that the rule drops although the one it keeps for them is no longer
            their near-duplicate, or is gone.
        examples: `id`, `shard` and `cluster` of some of the repeated ones.
    """

    n_repeated: int
    n_orphans: int
    examples: pl.DataFrame

    @property
    def is_empty(self) -> bool:
        """Whether the rule knows all."""
        return not self.n_repeated and not self.n_orphans


def unknown_duplicates(
    clusters: pl.DataFrame, dropped: pl.DataFrame, *, n_examples: int = 20
) -> UnknownDuplicates:
    """Compare the present near-duplicates with those that a rule was fitted with.

    Args:
        clusters: of the present pool: id_hash, cluster, id and shard.
        dropped: of the rule: id_hash and survivor.
        n_examples: most examples to return.
    """
    kept = clusters.join(dropped, on="id_hash", how="anti").sort("cluster", "id_hash")
    repeated = kept.filter(pl.int_range(pl.len()).over("cluster") > 0)
    names = clusters.select("id_hash", "cluster")
    together = dropped.join(names, on="id_hash", how="left").join(
        names.rename({"id_hash": "survivor", "cluster": "of_survivor"}), on="survivor", how="left"
    )
    same = pl.col("cluster") == pl.col("of_survivor")
    orphans = together.filter(~same.fill_null(value=False))
    return UnknownDuplicates(
        n_repeated=repeated.height,
        n_orphans=orphans.height,
        examples=repeated.select("id", "shard", "cluster").head(n_examples),
    )
