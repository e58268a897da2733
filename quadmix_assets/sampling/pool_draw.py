"""Draws the copies of a whole pool under many thetas, from an index of the pool."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from quadmix_assets.sampling.draw import Ids, hash_ids
from quadmix_assets.sampling.parameters import Theta
from quadmix_assets.sampling.pool_index import PoolIndex
from quadmix_assets.sampling.sampling_value import sampling_value
from quadmix_assets.sampling.validation import FloatArray, IntArray, check_floats
from quadmix_assets.splitmix64 import UIntArray, splitmix64

# Documents hashed at a time: their numbers stay in the cache of a core.
_CHUNK = 1 << 15
# Random numbers are the top 53 of 64 bits.
_UNUSED_BITS = np.uint64(11)


class Taken(NamedTuple):
    """The documents taken at least once, ascending, and their copies; (k,) int64 each."""

    documents: IntArray
    copies: IntArray


class PoolDraw:
    """The draw of one seed over an indexed pool: Equations 1 to 3 and the draw for any theta.

    Results are identical to those of `merge_scores`, `rank_within_domains`, `sampling_value` and
    `draw_copies`. Beyond omega the sampling value is epsilon (Eq. 3), so documents with a random
    number of `max_epsilon` or more are never taken there and are skipped.

    Args:
        index: the pool.
        ids: (D,) strings, or the uint64 of `hash_ids`.
        seed: of the draw, as in `draw_copies`.
        max_epsilon: upper bound of epsilon of all thetas; a larger epsilon is an error.

    Raises:
        ValueError: as in `draw_copies`; the ids are not as many as the documents.
    """

    def __init__(self, index: PoolIndex, ids: Ids, seed: int, *, max_epsilon: float) -> None:
        hashes = hash_ids(ids)
        if len(hashes) != index.n_documents:
            raise ValueError(f"{len(hashes)} ids; the index holds {index.n_documents} documents")
        self.index = index
        self.max_epsilon = max_epsilon
        self._set_seed(seed)
        # In the order of the index; what stands at its padding is never used.
        self._inner = splitmix64(hashes)[index.documents]

    def with_seed(self, seed: int) -> "PoolDraw":
        """The draw of another seed over the same pool; the hashes of the ids are shared.

        Raises:
            ValueError: the seed does not fit 64 bits.
        """
        other = object.__new__(PoolDraw)
        other.index, other.max_epsilon, other._inner = self.index, self.max_epsilon, self._inner
        other._set_seed(seed)
        return other

    def _set_seed(self, seed: int) -> None:
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed is {seed}; expected a number from 0 to 2**64 - 1")
        self._salt = splitmix64(np.array([seed], np.uint64))

    @cached_property
    def _candidates(self) -> IntArray:
        """Places of the documents whose random number is below `max_epsilon`."""
        if self.max_epsilon >= 1:
            return np.flatnonzero(self.index.documents >= 0)
        # In whole numbers: u < max_epsilon exactly if 2^53 u < ceil(2^53 max_epsilon).
        limit = np.uint64(int(np.ceil(self.max_epsilon * 2.0**53)) << int(_UNUSED_BITS))
        found = [
            first + np.flatnonzero(self._bits(slice(first, first + _CHUNK)) < limit)
            for first in range(0, len(self._inner), _CHUNK)
        ]
        places = np.concatenate([np.empty(0, np.int64), *found])
        return places[self.index.documents[places] >= 0]

    @cached_property
    def _candidate_domains(self) -> IntArray:
        return self.index.domains_of(self._candidates)

    def copies(self, theta: Theta, limits: FloatArray | None = None) -> Taken:
        """The documents that theta takes; `limits` as in `PoolIndex.best`.

        Raises:
            ValueError: theta is for other criteria or domains, or an epsilon exceeds `max_epsilon`.
        """
        epsilon = check_floats("epsilon", theta.epsilon, (self.index.n_domains,), minimum=0.0)
        if (epsilon > self.max_epsilon).any():
            raise ValueError(
                f"epsilon is {epsilon.max()}, above the {self.max_epsilon} of this draw: "
                "make a PoolDraw with a larger max_epsilon"
            )
        copies = np.zeros(self.index.n_documents, np.int32)
        self._take(copies, self._candidates, epsilon[self._candidate_domains])
        best = self.index.best(theta, limits)
        self._take(copies, best.places, sampling_value(best.ranks, best.domains, *theta[1:]))
        documents = np.flatnonzero(copies != 0)
        return Taken(documents, copies[documents].astype(np.int64))

    def _take(self, copies: np.ndarray, places: IntArray, values: FloatArray) -> None:
        whole = np.floor(values)
        uniform = (self._bits(places) >> _UNUSED_BITS).astype(np.float64) * 2.0**-53
        copies[self.index.documents[places]] = whole.astype(np.int32) + (uniform < values - whole)

    def _bits(self, places: IntArray | slice) -> UIntArray:
        """The random bits of the documents at some places, as `uniform_of_ids` makes them."""
        return splitmix64(self._inner[places] ^ self._salt)
