"""Criteria Mix: the union of the best documents by several criteria (QuaDMix, Liu et al. 2025).

Recipe (the paper's Table 1): the top-k set of each criterion, at one k, united; a document that is
in several sets is taken once. k is counted in tokens and found so that the union meets the tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from pydantic import Field

from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.methods.base import Method
from quadmix_assets.mix.methods.cut import refuse_more_than
from quadmix_assets.mix.methods.words import apart
from quadmix_assets.mix.rule import Decisions, Rule, StoredRule, Why
from quadmix_assets.sampling import draw_bits
from quadmix_assets.sampling.cut import Cut
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.settings.base import Name
from quadmix_assets.settings.mixes import NamedMix
from quadmix_assets.splitmix64 import UIntArray


class CriteriaMixMix(NamedMix):
    """The union of the best documents by each criterion, each document once."""

    method: Literal["criteria_mix"]
    of: tuple[Name, ...] = Field(
        default=(), description="the criteria; empty: all that theta weighs"
    )

    def implementation(self) -> "type[CriteriaMixMethod]":
        """See `NamedMix`."""
        return CriteriaMixMethod

    @property
    def criteria(self) -> tuple[str, ...] | None:
        """See `NamedMix`."""
        return self.of or None


@dataclass(frozen=True, eq=False)
class CriteriaMixRule(Rule):
    """A document is taken if its score by any criterion is at least that criterion's threshold.

    Attributes:
        criteria: the score columns.
        cuts: for each, in the order of negated scores; at a threshold, by the draw.
        seed: of the draw.
    """

    criteria: tuple[str, ...]
    cuts: tuple[Cut, ...]
    seed: int

    @classmethod
    def fit(cls, pool: Documents, criteria: Sequence[str], *, tokens: int, seed: int) -> Self:
        """Raise k, the tokens of every criterion's set, while the union has at most the tokens.

        Raises:
            ValueError: the pool has fewer tokens.
        """
        refuse_more_than(pool, tokens)
        bits = draw_bits(pool.id_hashes, seed)
        k, first, place = _earliest(pool, criteria, bits)
        order = np.lexsort((place, first, k))
        n_taken = int(np.searchsorted(np.cumsum(pool.n_tokens[order]), tokens, side="right"))
        taken = order[:n_taken]
        cuts = tuple(
            _last_of(-pool.score(name)[mine], bits[mine])
            for c, name in enumerate(criteria)
            for mine in [taken[first[taken] == c]]
        )
        return cls(tuple(criteria), cuts, seed)

    def decide(self, documents: Documents) -> Decisions:
        """See `Rule`."""
        taken = np.logical_or.reduce(self._taken_by(documents), axis=0)
        return Decisions(taken.astype(np.int64), taken.astype(np.float64))

    def why(self, document: Documents) -> Why:
        """See `Rule`."""
        by = self._taken_by(document)[:, 0]
        parts, needed, taken, numbers = [], [], [], {}
        for criterion, cut, takes in zip(self.criteria, self.cuts, by, strict=True):
            if cut.value is None:
                parts.append(f"no document is taken by {criterion}")
                continue
            threshold = 0.0 - cut.value
            numbers[f"threshold {criterion}"] = threshold
            has, limit = apart(float(document.score(criterion)[0]), threshold)
            parts.append(f"{criterion} {has} {'is enough for' if takes else 'misses'} {limit}")
            if takes:
                taken.append(f"{criterion} {has} reaches {limit}")
            needed.append(f"below {limit} by {criterion}" if takes else f"{limit} by {criterion}")
        if by.any():
            own = [text for text in needed if text.startswith("below")]
            flips = [f"scores {' and '.join(own)}"]
        else:
            flips = [f"a score above {text}" for text in needed]
        return Why(
            "one score is enough: " + "; ".join(parts) if by.any() else "; ".join(parts),
            ", ".join(taken) or "too low by " + ", ".join(self.criteria),
            tuple(flips),
            numbers=numbers,
        )

    def stored(self) -> StoredRule:
        """See `Rule`; the thresholds are there for reading."""
        thresholds = {
            name: None if cut.value is None else 0.0 - cut.value
            for name, cut in zip(self.criteria, self.cuts, strict=True)
        }
        return StoredRule(
            {
                "criteria": list(self.criteria),
                "thresholds": thresholds,
                "cuts": [cut.to_json() for cut in self.cuts],
                "seed": self.seed,
            }
        )

    @classmethod
    def restored(cls, stored: StoredRule) -> Self:
        """See `Rule`."""
        values = stored.values
        cuts = tuple(Cut.from_json(cut) for cut in values["cuts"])
        return cls(tuple(values["criteria"]), cuts, values["seed"])

    def _taken_by(self, documents: Documents) -> np.ndarray:
        """(N, D) whether the set of a criterion holds a document."""
        bits = draw_bits(documents.id_hashes, self.seed)
        return np.stack(
            [
                cut.takes(-documents.score(name), bits)
                for name, cut in zip(self.criteria, self.cuts, strict=True)
            ]
        )


class CriteriaMixMethod(Method[CriteriaMixMix]):
    """The union of the top-k sets."""

    rule = CriteriaMixRule

    def quality(self, pool: Documents) -> FloatArray:
        """The least k (D,), in tokens, with which a document is in a set."""
        bits = draw_bits(pool.id_hashes, self.seed)
        return _earliest(pool, self._criteria, bits)[0].astype(np.float64)

    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> CriteriaMixRule:
        """See `Method`."""
        assert tokens is not None
        return CriteriaMixRule.fit(pool.whole(), self._criteria, tokens=tokens, seed=seed)

    @property
    def _criteria(self) -> tuple[str, ...]:
        return self.mix.of or self.settings.criterion_names


def _earliest(
    pool: Documents, criteria: Sequence[str], bits: UIntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Where each document first enters a set as k grows.

    Returns:
        Arrays (D,): the least k in tokens, the first criterion with it, and the document's place in
        that criterion's order.
    """
    n = len(pool)
    least = np.full(n, np.iinfo(np.int64).max)
    first, place = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    by_draw = np.argsort(bits)
    for c, name in enumerate(criteria):
        order = by_draw[np.argsort(-pool.score(name)[by_draw], kind="stable")]
        k = np.empty(n, dtype=np.int64)
        k[order] = np.cumsum(pool.n_tokens[order])
        places = np.empty(n, dtype=np.int64)
        places[order] = np.arange(n)
        sooner = k < least
        least[sooner], first[sooner], place[sooner] = k[sooner], c, places[sooner]
    return least, first, place


def _last_of(values: FloatArray, bits: UIntArray) -> Cut:
    """The cut that takes these documents and no later ones."""
    if not len(values):
        return Cut(None, 0)
    worst = values.max()
    return Cut(float(worst), int(bits[values == worst].max()))
