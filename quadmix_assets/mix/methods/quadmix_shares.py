"""The domain shares of theta* with flat quality: how much of QuaDMix is the choice of domains.

The mix of theta* is made as `quadmix` makes it, and of each domain as many tokens as it takes are
taken in random documents. Beside `quadmix` it says what choosing documents inside domains adds;
beside `proportional`, what the shares add.
"""

from typing import Literal

from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.methods.domain_rule import DomainRule
from quadmix_assets.mix.methods.theta_star import ThetaStarMethod, ThetaStarMix
from quadmix_assets.sampling import uniform_of_ids
from quadmix_assets.sampling.validation import FloatArray


class QuadmixSharesMix(ThetaStarMix):
    """Every domain with the share that theta* gives it, and random documents inside domains."""

    method: Literal["quadmix_shares"]

    def implementation(self) -> "type[QuadmixSharesMethod]":
        """See `NamedMix`."""
        return QuadmixSharesMethod

    @property
    def ranks_documents(self) -> bool:
        """See `NamedMix`."""
        return False


class QuadmixSharesMethod(ThetaStarMethod):
    """Random documents by the domain shares of theta*."""

    rule = DomainRule

    def quality(self, pool: Documents) -> FloatArray:
        """Random numbers (D,): no document of a domain is better than another."""
        return uniform_of_ids(pool.id_hashes, self.seed)

    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> DomainRule:
        """See `Method`; without `tokens` it has those that theta* takes."""
        documents = pool.whole()
        by_theta = self.rule_of_theta(documents, tokens=tokens, seed=seed)
        of_domain = documents.tokens_per_domain(by_theta.decide(documents).copies)
        return DomainRule.fit(
            documents,
            of_domain.astype(float),
            tokens=int(of_domain.sum()) if tokens is None else tokens,
            seed=seed,
        )
