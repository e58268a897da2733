"""What something takes of a token file: documents with copies, under a name."""

from dataclasses import dataclass

import numpy as np

from quadmix_assets.sampling.cut import Cut
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.splitmix64 import UIntArray
from quadmix_assets.training.stacks import Sample


@dataclass(frozen=True, eq=False)
class Selection:
    """Documents of a token file, and how often each is taken.

    Attributes:
        name: of what took them, such as a mix, a theta or a criterion.
        documents: (d,) int64 their indices in the token file, ascending.
        copies: (d,) int64, 1 or more.
    """

    name: str
    documents: np.ndarray
    copies: np.ndarray

    @classmethod
    def of_copies(cls, name: str, copies: np.ndarray) -> "Selection":
        """From the copies (D,) of every document of the token file; 0 leaves one out."""
        documents = np.flatnonzero(copies)
        return cls(name, documents, np.asarray(copies)[documents].astype(np.int64))

    @classmethod
    def best(
        cls,
        name: str,
        scores: FloatArray,
        id_hashes: UIntArray,
        n_tokens: IntArray,
        *,
        tokens: float,
    ) -> "Selection":
        """The best documents once each, as many as the tokens allow and at least one.

        Args:
            name: of what ordered them.
            scores: (D,) smaller is better; of equal ones the smaller hash comes first.
            id_hashes: (D,) of the ids of the token file's documents.
            n_tokens: (D,) of each document.
            tokens: at most so many are taken; the next document would exceed them.
        """
        taken = Cut.fit(scores, id_hashes, n_tokens, int(tokens)).takes(scores, id_hashes)
        if not taken.any():
            taken[np.lexsort((id_hashes, scores))[0]] = True
        return cls.of_copies(name, taken)

    def n_tokens(self, n_tokens_per_document: np.ndarray) -> int:
        """Tokens of the selection, copies included.

        Args:
            n_tokens_per_document: (D,) of every document of the token file.
        """
        return int((n_tokens_per_document[self.documents] * self.copies).sum())

    def sample(self, number: int, *, seed: int, order_seed: int) -> Sample:
        """The selection as what a model of that number is trained on.

        Args:
            number: the sample_id.
            seed: of the initial weights.
            order_seed: of what is read, and in which order.
        """
        return Sample(number, self.documents, self.copies, seed=seed, order_seed=order_seed)
