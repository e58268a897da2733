"""Random documents, whatever their scores and domains: what every selection has to beat."""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.methods.base import Method
from quadmix_assets.mix.methods.domain_rule import DomainRule
from quadmix_assets.mix.rule import Decisions, Rule, StoredRule, Why
from quadmix_assets.sampling import uniform_of_ids
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings.mixes import NamedMix


class RandomMix(NamedMix):
    """Random documents: every one with the same chance.

    More tokens than the pool has are taken in passes over the whole pool.
    """

    method: Literal["random"]

    def implementation(self) -> "type[RandomMethod]":
        """See `NamedMix`."""
        return RandomMethod


@dataclass(frozen=True, eq=False)
class RandomRule(Rule):
    """The rule of domain rates for one domain that holds all documents.

    Attributes:
        everywhere: that rule.
    """

    everywhere: DomainRule

    @classmethod
    def fit(cls, pool: Documents, *, tokens: int, seed: int) -> Self:
        """Take documents in the order of their draws, again from the first when all are taken.

        Raises:
            ValueError: the pool has no tokens.
        """
        return cls(DomainRule.fit(pool.as_one_domain(), np.ones(1), tokens=tokens, seed=seed))

    def decide(self, documents: Documents) -> Decisions:
        """See `Rule`."""
        return self.everywhere.decide(documents.as_one_domain())

    def why(self, document: Documents) -> Why:
        """See `Rule`."""
        return self.everywhere.why(document.as_one_domain())

    def stored(self) -> StoredRule:
        """See `Rule`."""
        return self.everywhere.stored()

    @classmethod
    def restored(cls, stored: StoredRule) -> Self:
        """See `Rule`."""
        return cls(DomainRule.restored(stored))


class DrawnMethod(Method[Any]):
    """A method that takes documents by their draws, so that none is better than another."""

    def quality(self, pool: Documents) -> FloatArray:
        """Draws (D,): of near-duplicates the one that would be taken first is kept."""
        return uniform_of_ids(pool.id_hashes, self.seed)


class RandomMethod(DrawnMethod):
    """Random documents."""

    rule = RandomRule

    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> RandomRule:
        """See `Method`."""
        assert tokens is not None
        return RandomRule.fit(pool.whole(), tokens=tokens, seed=seed)
