"""What an explanation of a document consists of."""

from collections.abc import Mapping
from dataclasses import dataclass

from quadmix_assets.corpus.find_document import Place, QuarantinedRow
from quadmix_assets.corpus.set_aside import SetAside
from quadmix_assets.mix.rule import Why


@dataclass(frozen=True)
class Known:
    """What the pool knows of a document.

    Attributes:
        document_id: its id.
        place: shard and row.
        excerpt: the start of its text.
        source: where it comes from, as the input says.
        n_bytes: of its text in UTF-8.
        n_tokens: of its text; None before it is scored.
        scores: raw scores by criterion, larger is better; empty before it is scored.
        domain: its domain; None before it is labelled.
        confidence: of the label.
        quarantined: rows with the same id that did not become documents.
        problem: why there are no scores; empty where there are.
    """

    document_id: str
    place: Place
    excerpt: str
    source: str
    n_bytes: int
    n_tokens: int | None
    scores: Mapping[str, float]
    domain: str | None
    confidence: float | None
    quarantined: tuple[QuarantinedRow, ...]
    problem: str


@dataclass(frozen=True, eq=False)
class InMix:
    """What a mix makes of a document.

    Attributes:
        mix: its name, of a kept version `name@version`.
        method: how it is made.
        is_production: whether it is the mix that is in production.
        copies: that the rule decides on; None where it cannot decide, see `problem`.
        sampling_value: S, the expected copies.
        merged_score: Eq. 1, smaller is better; None where the method has none.
        rank: within the domain, Eq. 2; None where the method has none.
        sigma: normalized scores by criterion, smaller is better; of those that the rule reads.
        weights: alpha of the document's domain by criterion; empty without a theta.
        why: the reasons; of a dropped near-duplicate, those it would have without its duplicates.
        survivor: the id of the near-duplicate that is kept in its place; None if it is not dropped.
        stands_for: ids of near-duplicates that are left out because it is kept, at most five.
        n_stands_for: how many they are.
        stored_copies: in the mix as it is made now, 0 if it is not in it; None: not mixed yet.
        problem: what keeps the rule from deciding; empty if nothing does.
        is_version: whether it is a kept version; `stored_copies` are then those that it keeps.
        scores: raw scores that a version was asked with; None: those of the pool.
        notes: what is to be known of the answer of a version: what it was asked with, what is gone.
    """

    mix: str
    method: str
    is_production: bool
    copies: int | None = None
    sampling_value: float | None = None
    merged_score: float | None = None
    rank: float | None = None
    sigma: Mapping[str, float] | None = None
    weights: Mapping[str, float] | None = None
    why: Why | None = None
    survivor: str | None = None
    stands_for: tuple[str, ...] = ()
    n_stands_for: int = 0
    stored_copies: int | None = None
    problem: str = ""
    is_version: bool = False
    scores: Mapping[str, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_behind(self) -> bool:
        """Whether the mix as it is made now has other copies than its rule says."""
        return self.copies is not None and self.stored_copies not in (None, self.copies)


@dataclass(frozen=True, eq=False)
class ExplainedDocument:
    """A document of the pool.

    Attributes:
        known: what the pool knows of it.
        in_mixes: what each mix that was asked for makes of it.
    """

    known: Known
    in_mixes: tuple[InMix, ...]


@dataclass(frozen=True)
class UnknownDocument:
    """An id that is none of a document of the pool.

    Attributes:
        document_id: the id.
        quarantined: rows of the input with this id that cannot be used.
        set_aside: the shards that are not in the pool and may hold it, with the reasons.
        nearest: ids of the pool that are like it.
        in_version: what the kept version that was asked for makes of it, if it has the document.
    """

    document_id: str
    quarantined: tuple[QuarantinedRow, ...]
    set_aside: Mapping[str, SetAside]
    nearest: tuple[str, ...]
    in_version: InMix | None = None


Explanation = ExplainedDocument | UnknownDocument
