"""A selection rule: what decides on one document from its id, scores and domain alone."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import polars as pl

from quadmix_assets.mix.documents import Documents
from quadmix_assets.sampling.validation import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a rule says of D documents.

    Attributes:
        copies: (D,) how often each is taken.
        sampling_value: (D,) S, the expected copies.
        merged_score: (D,) merged scores (Eq. 1), smaller is better; None where the method has none.
        rank: (D,) ranks within the domain (Eq. 2); None where the method has none.
    """

    copies: IntArray
    sampling_value: FloatArray
    merged_score: FloatArray | None = None
    rank: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Curve:
    """A sampling curve: expected copies (P,) over what documents are ordered by (P,).

    Attributes:
        x: what documents are ordered by.
        value: expected copies there.
        label: what x is.
        place: x of the document that is explained.
    """

    x: FloatArray
    value: FloatArray
    label: str
    place: float


@dataclass(frozen=True, eq=False)
class Why:
    """Why a rule takes one document as often as it does.

    Attributes:
        because: one sentence with the numbers that decided.
        short: the same in a few words, for tables.
        would_flip: sentences that each name a change after which it would be decided otherwise.
        curve: the sampling curve with the document's place on it; None where there is none.
        numbers: further values by name, such as thresholds and random numbers.
    """

    because: str
    short: str
    would_flip: tuple[str, ...]
    curve: Curve | None = None
    numbers: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StoredRule:
    """A rule as it is stored.

    Attributes:
        values: JSON.
        tables: further tables by name.
    """

    values: Mapping[str, Any]
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)


class Rule(ABC):
    """Decides on documents, each by itself: shards, order and workers change nothing."""

    @abstractmethod
    def decide(self, documents: Documents) -> Decisions:
        """The decisions on D documents."""

    @abstractmethod
    def why(self, document: Documents) -> Why:
        """Why it decides as it does on a single document."""

    @abstractmethod
    def stored(self) -> StoredRule:
        """The rule as JSON and tables."""

    @classmethod
    @abstractmethod
    def restored(cls, stored: StoredRule) -> Self:
        """The inverse of `stored`."""
