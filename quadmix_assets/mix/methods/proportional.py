"""Domains in proportion to their tokens in the pool, random documents within each."""

from typing import Literal

import numpy as np

from quadmix_assets.mix.documents import Pool
from quadmix_assets.mix.methods.domain_rule import DomainRule
from quadmix_assets.mix.methods.random_documents import DrawnMethod
from quadmix_assets.settings.mixes import NamedMix


class ProportionalMix(NamedMix):
    """Every domain with the share of tokens that it has in the pool, met to a document.

    The baseline that methods for domain weights are compared with; `random` gives the same shares
    up to chance.
    """

    method: Literal["proportional"]

    def implementation(self) -> "type[ProportionalMethod]":
        """See `NamedMix`."""
        return ProportionalMethod

    @property
    def uses_domains(self) -> bool:
        """See `NamedMix`."""
        return True


class ProportionalMethod(DrawnMethod):
    """Domains in proportion to their tokens."""

    rule = DomainRule

    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> DomainRule:
        """See `Method`."""
        assert tokens is not None
        documents = pool.whole()
        shares = documents.tokens_per_domain().astype(np.float64)
        return DomainRule.fit(documents, shares, tokens=tokens, seed=seed)
