"""Draws the copies of a whole pool under many thetas, from an index of the pool."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from quadmix_assets.sampling.draw import Ids, uniform_of_ids
from quadmix_assets.sampling.parameters import Theta
from quadmix_assets.sampling.pool_index import PoolIndex
from quadmix_assets.sampling.sampling_value import sampling_value
from quadmix_assets.sampling.validation import FloatArray, IntArray, check_floats


class Taken(NamedTuple):
    """The documents taken at least once, ascending, and their copies; (k,) int64 each."""

    documents: IntArray
    copies: IntArray


class PoolDraw:
    """The draw of one seed over an indexed pool: Equations 1 to 3 and the draw for any theta.

    Results are identical to those of `merge_scores`, `rank_within_domains`, `sampling_value` and
    `draw_copies`. The random number of every document is computed once. Beyond omega the sampling
    value is epsilon (Eq. 3), so documents with a random number of `max_epsilon` or more are never
    taken there and are skipped.

    Args:
        index: the pool.
        ids: (D,) strings, or the uint64 of `hash_ids`.
        seed: of the draw, as in `draw_copies`.
        max_epsilon: upper bound of epsilon of all thetas; a larger epsilon is an error.

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
        below = is_document if max_epsilon >= 1 else self._uniform < max_epsilon
        self._candidates = np.flatnonzero(below & is_document)

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
        extra = self._uniform[places] < values - whole
        copies[self.index.documents[places]] = whole.astype(np.int32) + extra
