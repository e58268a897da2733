"""A cut of an ordered pool: the best documents, as many as a number of tokens allows."""

from dataclasses import dataclass

import numpy as np

from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.splitmix64 import UIntArray

_ALL = 2**64 - 1


@dataclass(frozen=True)
class Cut:
    """The last document that is taken, in an order by value and, among equal ones, by draw.

    Attributes:
        value: of that document, smaller is better; None if none is taken.
        bits: its 64-bit draw.
    """

    value: float | None
    bits: int

    @classmethod
    def fit(cls, values: FloatArray, bits: UIntArray, n_tokens: IntArray, tokens: int) -> "Cut":
        """Take documents in order while their tokens are at most `tokens`.

        Args:
            values: (D,) what documents are ordered by, smaller first.
            bits: (D,) their draws, by which equal values are ordered.
            n_tokens: (D,) token counts.
            tokens: at most so many are taken; the next document would exceed it.
        """
        order = np.argsort(values)
        ordered = values[order]
        up_to = np.cumsum(n_tokens[order])
        n_fit = int(np.searchsorted(up_to, tokens, side="right"))
        if n_fit == len(order):
            return cls(float(ordered[-1]), _ALL) if n_fit else cls(None, 0)
        # The cut lies among documents of one value, whose order by draw is still to be found.
        at = ordered[n_fit]
        start, end = (
            np.searchsorted(ordered, at, side="left"),
            np.searchsorted(ordered, at, "right"),
        )
        tied = order[start:end]
        tied = tied[np.argsort(bits[tied])]
        before = int(up_to[start - 1]) if start else 0
        n_of_tied = int(np.searchsorted(before + np.cumsum(n_tokens[tied]), tokens, side="right"))
        if n_of_tied:
            return cls(float(at), int(bits[tied[n_of_tied - 1]]))
        return cls(float(ordered[start - 1]), _ALL) if start else cls(None, 0)

    def takes(self, values: FloatArray, bits: UIntArray) -> np.ndarray:
        """Which of D documents (D,) are taken."""
        if self.value is None:
            return np.zeros(len(values), dtype=bool)
        tied = (values == self.value) & (bits <= np.uint64(self.bits))
        return (values < self.value) | tied

    def to_json(self) -> list[float | str | None]:
        """As JSON; the draw is hexadecimal, as numbers have 53 bits in most readers."""
        return [self.value, f"{self.bits:016x}"]

    @classmethod
    def from_json(cls, stored: list[float | str | None]) -> "Cut":
        """The inverse of `to_json`."""
        value, bits = stored
        return cls(None if value is None else float(value), int(str(bits), 16))
