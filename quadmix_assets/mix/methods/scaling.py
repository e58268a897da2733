"""Meets a number of tokens to a document by one factor on which all expected copies depend."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.splitmix64 import UIntArray

_ALL = 2**64 - 1

Columns = tuple[NDArray[Any], ...]
"""Of D documents: draws (D,), token counts (D,), and what else their copies depend on."""


@dataclass(frozen=True)
class Scale:
    """Two neighbouring factors, and which documents get the copies of the higher one.

    Attributes:
        low: the largest factor at which the mix has at most the tokens that were asked for.
        high: the next floating-point number, or `low` itself where no document is undecided.
        cut: of the documents whose copies differ between the two, those whose 64-bit draw is below
            it get the copies of `high`.
    """

    low: float
    high: float
    cut: int

    @classmethod
    def fit(
        cls,
        copies_at: Callable[[float, IntArray], IntArray],
        bits: UIntArray,
        n_tokens: IntArray,
        *,
        tokens: int,
        highest: float,
    ) -> "Scale":
        """The scale of documents that are held at once.

        Args:
            copies_at: copies of documents at positions (d,) with a factor; they rise with it.
            bits: (D,) draws.
            n_tokens: (D,) token counts.
            tokens: of the mix; what is taken is at most that, and the next document exceeds it.
            highest: the largest factor that makes a difference.

        Raises:
            TokensOutOfReachError: there are fewer at the highest factor, or more at the factor 0.
        """
        part = (bits, n_tokens, np.arange(len(bits)))

        def copies(factor: float, columns: Columns) -> IntArray:
            return copies_at(factor, columns[2])

        return cls.fit_parts(copies, lambda: iter([part]), tokens=tokens, highest=highest)

    @classmethod
    def fit_parts(
        cls,
        copies: Callable[[float, Columns], IntArray],
        parts: Callable[[], Iterator[Columns]],
        *,
        tokens: int,
        highest: float,
        between: tuple[float, float] | None = None,
    ) -> "Scale":
        """The scale of documents that come in parts, of which only the undecided are held.

        The result does not depend on the parts, nor on the guess.

        Args:
            copies: of the documents of a part, with a factor; they rise with it.
            parts: reads all: draws (D,), token counts (D,), and what else `copies` needs of each.
                Read again where the guess is wrong.
            tokens: of the mix; what is taken is at most that, and the next document exceeds it.
            highest: the largest factor that makes a difference.
            between: a guess between which two factors it is; the closer they are, the fewer
                documents are held.

        Raises:
            TokensOutOfReachError: there are fewer at the highest factor, or more at the factor 0.
        """
        low, high = between or (0.0, highest)
        while True:
            found = _undecided(copies, parts(), low, high, highest)
            if not found.least <= tokens <= found.most:
                raise TokensOutOfReachError(found.least, found.most)
            if found.most == tokens:
                return cls(highest, highest, 0)
            if found.at_low <= tokens < found.at_high:
                return cls._bisected(copies, found, low, high, tokens=tokens)
            width = 16 * (high - low)
            if tokens < found.at_low:
                low, high = max(low - width, 0.0), low
            else:
                low, high = high, min(high + width, highest)

    @classmethod
    def _bisected(
        cls,
        copies: Callable[[float, Columns], IntArray],
        found: "_Undecided",
        low: float,
        high: float,
        *,
        tokens: int,
    ) -> "Scale":
        """Bisect the factor. A step looks only at the documents that are still undecided."""
        columns, taken = found.columns, found.at_low
        at_low, at_high = found.copies_low, found.copies_high
        middle = min(1.0, high / 2) if not low else low + (high - low) / 2
        while low < middle < high:
            keep = at_low < at_high
            columns = _rows(columns, keep)
            at_low, at_high = at_low[keep], at_high[keep]
            now = copies(middle, columns)
            more = int(((now - at_low) * columns[1]).sum())
            if taken + more <= tokens:
                low, at_low, taken = middle, now, taken + more
            else:
                high, at_high = middle, now
            # Doubled until it is too much: the highest factor can be far off.
            middle = 2 * low if 1.0 <= low < high / 4 else low + (high - low) / 2
        keep = at_low < at_high
        bits, n_tokens = _rows(columns[:2], keep)
        order = np.argsort(bits)
        more_up_to = np.cumsum(((at_high - at_low)[keep] * n_tokens)[order])
        n_more = int(np.searchsorted(taken + more_up_to, tokens, side="right"))
        cut = int(bits[order[n_more]]) if n_more < len(order) else _ALL
        return cls(low, high, cut)

    def is_high(self, bits: UIntArray) -> np.ndarray:
        """Which of D documents (D,) get the copies of the higher factor."""
        return bits < np.uint64(self.cut)

    def to_json(self) -> dict[str, float | str]:
        """As JSON; the cut is hexadecimal, as numbers have 53 bits in most readers."""
        return {"low": self.low, "high": self.high, "cut": f"{self.cut:016x}"}

    @classmethod
    def from_json(cls, stored: dict[str, float | str]) -> "Scale":
        """The inverse of `to_json`."""
        return cls(float(stored["low"]), float(stored["high"]), int(str(stored["cut"]), 16))


class TokensOutOfReachError(ValueError):
    """No factor gives the tokens that are asked for.

    Attributes:
        least: tokens at the factor 0.
        most: tokens at the highest factor.
    """

    def __init__(self, least: int, most: int) -> None:
        super().__init__(f"there are {least:,} to {most:,} tokens")
        self.least = least
        self.most = most


@dataclass(frozen=True, eq=False)
class _Undecided:
    """The documents whose copies differ between two factors, and tokens of all documents.

    Attributes:
        columns: of the undecided documents.
        copies_low, copies_high: of them, with either factor.
        least, at_low, at_high, most: tokens of all at the factor 0, at the two, and at the highest.
    """

    columns: Columns
    copies_low: IntArray
    copies_high: IntArray
    least: int
    at_low: int
    at_high: int
    most: int


def _undecided(
    copies: Callable[[float, Columns], IntArray],
    parts: Iterator[Columns],
    low: float,
    high: float,
    highest: float,
) -> _Undecided:
    taken = dict.fromkeys((0.0, low, high, highest), 0)
    kept: list[Columns] = []
    for columns in parts:
        now = {factor: copies(factor, columns) for factor in taken}
        for factor, found in now.items():
            taken[factor] += int((found * columns[1]).sum())
        kept.append(_rows((*columns, now[low], now[high]), now[low] < now[high]))
    together = tuple(np.concatenate(column) for column in zip(*kept, strict=True))
    return _Undecided(
        columns=together[:-2],
        copies_low=together[-2],
        copies_high=together[-1],
        least=taken[0.0],
        at_low=taken[low],
        at_high=taken[high],
        most=taken[highest],
    )


def _rows(columns: Columns, chosen: np.ndarray) -> Columns:
    return tuple(column[chosen] for column in columns)
