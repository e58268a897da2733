"""DSIR: importance resampling towards a target set (Xie et al. 2023, arXiv:2302.03169).

Recipe: hashed unigrams and bigrams in 10,000 buckets, a bag-of-n-grams model of the target and one
of the pool, and the log of the ratio of both probabilities as a document's weight; then documents
are resampled without replacement by the Gumbel top-k trick: the largest sums of log weight and a
standard Gumbel number are taken. The log weights are a score column (criterion `importance` with
`per: document`); the Gumbel number is a function of document id and seed.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from pydantic import Field

from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.methods.base import Method
from quadmix_assets.mix.methods.cut import CutRule, refuse_more_than
from quadmix_assets.mix.methods.words import apart, nothing_fits
from quadmix_assets.mix.rule import Curve, Decisions, Why
from quadmix_assets.sampling import draw_bits
from quadmix_assets.sampling.cut import Cut
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings.base import Name
from quadmix_assets.settings.features import FeaturesSettings
from quadmix_assets.settings.mixes import NamedMix
from quadmix_assets.splitmix64 import UIntArray

# Standard Gumbel numbers are within this range but for one in a million.
_SPAN = 15.0
_POINTS = 400


class DsirMix(NamedMix):
    """Documents resampled by their importance for a target set, each once."""

    method: Literal["dsir"]
    criterion: Name = Field(
        default="importance",
        description="a criterion of kind importance with per: document; it need not be weighed by "
        "theta (weighed: false)",
    )

    def implementation(self) -> "type[DsirMethod]":
        """See `NamedMix`."""
        return DsirMethod

    @property
    def criteria(self) -> tuple[str, ...]:
        """See `NamedMix`."""
        return (self.criterion,)

    def check(self, features: FeaturesSettings) -> None:
        """See `NamedMix`."""
        for criterion in features.criteria:
            if criterion.name == self.criterion and getattr(criterion, "per", None) != "document":
                raise ValueError(
                    f"mixes[{self.name}].criterion is {self.criterion!r}, which is not of kind "
                    "importance with per: document: add {kind: importance, name: dsir_weight, "
                    "target: ..., per: document, weighed: false} to features.criteria and name it"
                )


@dataclass(frozen=True, eq=False)
class DsirRule(CutRule):
    """A document is taken if its log weight plus its Gumbel number is at least a threshold."""

    @classmethod
    def fit(cls, pool: Documents, criterion: str, *, tokens: int, seed: int) -> Self:
        """Take the documents with the largest sums.

        Raises:
            ValueError: the pool has fewer tokens.
        """
        refuse_more_than(pool, tokens)
        bits = draw_bits(pool.id_hashes, seed)
        values = -(pool.score(criterion) + gumbel(bits))
        return cls(criterion, Cut.fit(values, bits, pool.n_tokens, tokens), seed)

    def decide(self, documents: Documents) -> Decisions:
        """See `Rule`; the sampling value is the probability over all Gumbel numbers."""
        bits = draw_bits(documents.id_hashes, self.seed)
        weights = documents.score(self.criterion)
        taken = self.cut.takes(-(weights + gumbel(bits)), bits)
        return Decisions(taken.astype(np.int64), self._probability(weights))

    def why(self, document: Documents) -> Why:
        """See `Rule`."""
        if self.cut.value is None:
            return nothing_fits()
        weight = float(document.score(self.criterion)[0])
        noise = float(gumbel(draw_bits(document.id_hashes, self.seed))[0])
        threshold = 0.0 - self.cut.value
        taken = bool(self.decide(document).copies[0])
        total, limit = apart(weight + noise, threshold)
        probability = float(self._probability(np.array([weight]))[0])
        above = "below" if taken else "above"
        x = np.linspace(min(weight, threshold - _SPAN), max(weight, threshold + _SPAN), _POINTS)
        return Why(
            f"its log weight {weight:.4g} by {self.criterion} and its Gumbel number {noise:.4g} "
            f"make {total}, {'at or above' if taken else 'below'} the threshold {limit}; with such "
            f"a weight {probability:.3g} of all documents are taken",
            f"log weight {weight:.4g} + Gumbel {noise:.4g} {'reach' if taken else 'miss'} {limit}",
            (
                f"a log weight {above} {threshold - noise:.4g} (it is {weight:.4g})",
                f"a Gumbel number {above} {threshold - weight:.4g} (it is {noise:.4g})",
            ),
            Curve(x, self._probability(x), f"log weight by {self.criterion}", weight),
            {"gumbel": noise, "threshold": threshold, "needed weight": threshold - noise},
        )

    def _probability(self, weights: FloatArray) -> FloatArray:
        """Of a Gumbel number that takes a document with that log weight."""
        if self.cut.value is None:
            return np.zeros(len(weights))
        missing = np.clip(0.0 - self.cut.value - weights, -700.0, 700.0)
        return -np.expm1(-np.exp(-missing))


class DsirMethod(Method[DsirMix]):
    """Importance resampling."""

    rule = DsirRule

    def quality(self, pool: Documents) -> FloatArray:
        """Negated sums (D,) of log weight and Gumbel number."""
        bits = draw_bits(pool.id_hashes, self.seed)
        return -(pool.score(self.mix.criterion) + gumbel(bits))

    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> DsirRule:
        """See `Method`."""
        assert tokens is not None
        return DsirRule.fit(pool.whole(), self.mix.criterion, tokens=tokens, seed=seed)


def gumbel(bits: UIntArray) -> FloatArray:
    """Standard Gumbel numbers (D,) from 64-bit draws (D,)."""
    # The middle of 2**52 intervals of (0, 1), each a float64: neither logarithm is infinite.
    uniform = ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    return -np.log(-np.log(uniform))
