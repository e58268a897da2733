"""The record of what a proxy read: tokens by document."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quadmix_assets.splitmix64 import splitmix64

# Documents in the record of one proxy; above that it is a sample of them.
MAX_DOCUMENTS = 20_000


@dataclass(frozen=True, eq=False)
class Reads:
    """The tokens that one proxy read of each document.

    Attributes:
        id_hashes: (d,) uint64 hashes of the documents' ids, ascending.
        n_tokens: (d,) float64, through all copies and epochs, without separators; whole numbers
            unless the record is a sample.
    """

    id_hashes: np.ndarray
    n_tokens: np.ndarray

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same documents with the same tokens."""
        return (
            isinstance(other, Reads)
            and np.array_equal(self.id_hashes, other.id_hashes)
            and np.array_equal(self.n_tokens, other.n_tokens)
        )

    __hash__ = None  # type: ignore[assignment]

    def sample(self, most: int = MAX_DOCUMENTS) -> "Reads":
        """At most so many of the documents, by a hash; tokens are scaled to keep their sum."""
        if len(self.id_hashes) <= most:
            return self
        chosen = np.sort(np.argsort(splitmix64(self.id_hashes), kind="stable")[:most])
        factor = self.n_tokens.sum() / self.n_tokens[chosen].sum()
        return Reads(self.id_hashes[chosen], self.n_tokens[chosen] * factor)

    def to_json(self) -> dict[str, str]:
        """The arrays as base64 of their little-endian bytes."""
        return {
            "id_hashes": base64.b64encode(self.id_hashes.astype("<u8").tobytes()).decode(),
            "n_tokens": base64.b64encode(self.n_tokens.astype("<f8").tobytes()).decode(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Reads":
        """The inverse of `to_json`."""
        return cls(
            np.frombuffer(base64.b64decode(values["id_hashes"]), "<u8").astype(np.uint64),
            np.frombuffer(base64.b64decode(values["n_tokens"]), "<f8").astype(np.float64),
        )
