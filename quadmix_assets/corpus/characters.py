"""The UTF-8 bytes of many texts, and which classes of characters each byte belongs to."""

import functools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa

NOT_BLANK, WORD, ALPHABETIC, ALPHANUMERIC = 1, 2, 4, 8
"""Flags of the classes \\S, \\w, \\p{Alphabetic} and [\\p{L}\\p{N}] of regular expressions."""
FIRST_BYTE = 16
"""The flag of the first byte of every character."""

_CLASSES = {
    NOT_BLANK: r"\S",
    WORD: r"\w",
    ALPHABETIC: r"\p{Alphabetic}",
    ALPHANUMERIC: r"[\p{L}\p{N}]",
}


@dataclass(frozen=True, eq=False)
class Characters:
    """The texts of D documents, one after the other, in B bytes.

    Attributes:
        content: (B,) uint8, UTF-8.
        bounds: (D + 1,) int64, where the text of each document begins, and the last one ends.
        flags: (B,) uint8, the flags of the character that each byte is a part of.
    """

    content: np.ndarray
    bounds: np.ndarray
    flags: np.ndarray

    @classmethod
    def of(cls, texts: pl.Series) -> "Characters":
        """The characters of texts (D,), of which none is null."""
        array = texts.to_arrow().cast(pa.large_string())
        _, offsets, data = array.buffers()
        bounds = np.frombuffer(offsets, np.int64, len(array) + 1, 8 * array.offset)
        content = np.frombuffer(data or b"", np.uint8)[bounds[0] : bounds[-1]]
        return cls(content, bounds - bounds[0], _flags(content))

    def counts_before(self, flag: int) -> np.ndarray:
        """(B + 1,) int64: of the characters that begin before each byte, those with the flag."""
        counts = np.zeros(len(self.flags) + 1, np.int64)
        wanted = flag | FIRST_BYTE
        np.cumsum((self.flags & wanted) == wanted, out=counts[1:])
        return counts

    @cached_property
    def eight_bytes(self) -> np.ndarray:
        """(B,) uint64: the eight bytes that begin at each byte, the first one lowest; 0 at the end.

        A view, not eight times the memory.
        """
        padded = np.concatenate([self.content, np.zeros(8, np.uint8)])
        return np.ndarray((len(self.content),), np.dtype("<u8"), padded, strides=(1,))


def runs(classes: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where runs of bytes of one class begin and end, without those of class 0: two int64 (R,).

    Args:
        classes: (B,) of bytes.
        bounds: (D + 1,) places that no run goes across.
    """
    breaks = np.empty(len(classes) + 1, bool)
    breaks[1:-1] = classes[1:] != classes[:-1]
    breaks[bounds] = True
    places = np.flatnonzero(breaks)
    kept = classes[places[:-1]] != 0
    return places[:-1][kept], places[1:][kept]


def _flags(content: np.ndarray) -> np.ndarray:
    flags: np.ndarray = _flags_of_ascii().take(content)
    leads = np.flatnonzero(content >= 0xC0)
    if not len(leads):
        return flags
    first = content[leads].astype(np.int64)
    n_bytes = 2 + (first >= 0xE0) + (first >= 0xF0)
    points = first & (0x7F >> n_bytes)
    longer = [np.flatnonzero(n_bytes > k) for k in range(1, 4)]
    for k, chosen in enumerate(longer, start=1):
        points[chosen] = points[chosen] << 6 | content[leads[chosen] + k] & 0x3F
    # Texts have few distinct characters.
    distinct, numbers = np.unique(points, return_inverse=True)
    found = _flags_of(distinct)[numbers]
    flags[leads] = found
    for k, chosen in enumerate(longer, start=1):
        flags[leads[chosen] + k] = found[chosen] & ~np.uint8(FIRST_BYTE)
    return flags


@functools.cache
def _flags_of_ascii() -> np.ndarray:
    """(256,) uint8: the flags of bytes that are a character, 0 for others."""
    return np.append(_flags_of(np.arange(128)), np.zeros(128, np.uint8))


def _flags_of(points: np.ndarray) -> np.ndarray:
    """(P,) uint8: the flags of characters by code points (P,), as Polars' expressions have them."""
    characters = pl.Series(list(points.astype("<u4").tobytes().decode("utf-32-le")))
    flags = np.full(len(points), FIRST_BYTE, np.uint8)
    for flag, pattern in _CLASSES.items():
        flags[characters.str.contains(pattern).to_numpy()] |= np.uint8(flag)
    return flags
