"""The best documents by one criterion: the selection of FineWeb-Edu, DCLM and Ask-LLM.

Recipe: all documents in the order of one score, taken from the best until the tokens are met
(DCLM, Li et al. 2024, arXiv:2406.11794, keeps the best tenth; FineWeb-Edu, Penedo et al. 2024,
arXiv:2406.17557, a threshold; Ask-LLM, Sachdeva et al. 2024, arXiv:2402.09668, the best by a
model's answer). Each document once; equal scores by the documents' draws.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from pydantic import Field

from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.methods.base import Method
from quadmix_assets.mix.methods.cut import CutRule, refuse_more_than
from quadmix_assets.mix.methods.words import apart, nothing_fits, step_at
from quadmix_assets.mix.rule import Decisions, Why
from quadmix_assets.sampling import draw_bits
from quadmix_assets.sampling.cut import Cut
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings.base import Name
from quadmix_assets.settings.mixes import NamedMix


class TopKMix(NamedMix):
    """The best documents by one criterion, each once."""

    method: Literal["top_k"]
    criterion: Name = Field(description="the criterion; larger scores are better")

    def implementation(self) -> "type[TopKMethod]":
        """See `NamedMix`."""
        return TopKMethod

    @property
    def criteria(self) -> tuple[str, ...]:
        """See `NamedMix`."""
        return (self.criterion,)


@dataclass(frozen=True, eq=False)
class TopKRule(CutRule):
    """A document is taken if its score is at least a threshold; at it, by the draw."""

    @classmethod
    def fit(cls, pool: Documents, criterion: str, *, tokens: int, seed: int) -> Self:
        """Take the best documents.

        Raises:
            ValueError: the pool has fewer tokens.
        """
        refuse_more_than(pool, tokens)
        bits = draw_bits(pool.id_hashes, seed)
        return cls(criterion, Cut.fit(-pool.score(criterion), bits, pool.n_tokens, tokens), seed)

    def decide(self, documents: Documents) -> Decisions:
        """See `Rule`."""
        bits = draw_bits(documents.id_hashes, self.seed)
        taken = self.cut.takes(-documents.score(self.criterion), bits)
        return Decisions(taken.astype(np.int64), taken.astype(np.float64))

    def why(self, document: Documents) -> Why:
        """See `Rule`."""
        score = float(document.score(self.criterion)[0])
        taken = bool(self.decide(document).copies[0])
        if self.cut.value is None:
            return nothing_fits()
        threshold = 0.0 - self.cut.value
        shown, needed = apart(score, threshold)
        if score == threshold:
            rule = "where documents are taken by their draws until the tokens are met"
            because = f"its score {shown} by {self.criterion} is the threshold, {rule}"
            short = (
                f"{self.criterion} {shown} is the threshold, draw {'early' if taken else 'late'}"
            )
        else:
            where = "above" if taken else "below"
            because = f"its score {shown} by {self.criterion} is {where} the threshold {needed}"
            short = f"{self.criterion} {shown} {where} {needed}"
        flip = "a score below" if taken else "a score above"
        return Why(
            because,
            short,
            (f"{flip} {needed} by {self.criterion} (it is {shown})",),
            step_at(threshold, score, f"score by {self.criterion}"),
            {"threshold": threshold},
        )


class TopKMethod(Method[TopKMix]):
    """The best documents by one criterion."""

    rule = TopKRule

    def quality(self, pool: Documents) -> FloatArray:
        """Negated scores (D,)."""
        return -pool.score(self.mix.criterion)

    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> TopKRule:
        """See `Method`."""
        assert tokens is not None
        return TopKRule.fit(pool.whole(), self.mix.criterion, tokens=tokens, seed=seed)
