"""Draw the copies of a whole pool under many thetas, from an index of it."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from quadmix_assets.sampling.draw import Ids, uniform_of_ids
from quadmix_assets.sampling.parameters import Theta
from quadmix_assets.sampling.pool_index import PoolIndex
from quadmix_assets.sampling.sampling_value import sampling_value
from quadmix_assets.sampling.validation import FloatArray, IntArray, check_floats


class Taken(NamedTuple):
    """The documents that are taken at least once, ascending, and how often; (k,) int64 each."""

    documents: IntArray
    copies: IntArray


class PoolDraw:
    """The draw of one seed over an indexed pool: Equations 1 to 3 and the draw for any theta.

    Gives exactly what `merge_scores`, `rank_within_domains`, `sampling_value` and `draw_copies`
    give one after the other. The random number of every document is computed once. Beyond omega
    all of a domain have the sampling value epsilon, so for thetas whose epsilon is at most
    `max_epsilon` the documents with a larger number need not be looked at again.

    Args:
        index: the pool.
        ids: (D,) strings, or the uint64 of `hash_ids`.
        seed: of the draw, as in `draw_copies`.
        max_epsilon: the largest epsilon of the thetas to come; a larger one is an error.

    Raises:
        ValueError: as in `draw_copies`; the ids are not as many as the documents.
    """

    def __init__(self, index: PoolIndex, ids: Ids, seed: int, *, max_epsilon: float) -> None:
        uniform = uniform_of_ids(ids, seed)
        if len(uniform) != index.n_documents:
            raise ValueError(f"{len(uniform)} ids; the index holds {index.n_documents} documents")
        self.index = index
        self.max_epsilon = max_epsilon
        is_document = index.documents >= 0
        self._uniform = np.ones(len(index.documents))
        self._uniform[is_document] = uniform[index.documents[is_document]]
        lucky = is_document if max_epsilon >= 1 else self._uniform < max_epsilon
        self._lucky = np.flatnonzero(lucky & is_document)

    @cached_property
    def _lucky_domains(self) -> IntArray:
        return self.index.domains_of(self._lucky)

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
        self._take(copies, self._lucky, epsilon[self._lucky_domains])
        best = self.index.best(theta, limits)
        self._take(copies, best.places, sampling_value(best.ranks, best.domains, *theta[1:]))
        documents = np.flatnonzero(copies != 0)
        return Taken(documents, copies[documents].astype(np.int64))

    def _take(self, copies: np.ndarray, places: IntArray, values: FloatArray) -> None:
        whole = np.floor(values)
        extra = self._uniform[places] < values - whole
        copies[self.index.documents[places]] = whole.astype(np.int32) + extra
