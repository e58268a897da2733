"""The quality of theta* with flat shares: how much of QuaDMix is the choice inside domains.

Every domain has its share of the pool, and inside it documents are taken by theta*'s merged score
and sampling function, with the omega of the domain at which its tokens are met. Beside `quadmix` it
says what choosing domains adds; beside `proportional`, what the choice inside them adds.
"""

from typing import Literal

import numpy as np

from quadmix_assets.mix.calibration import RankCalibration
from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.methods.scaling import Scale, TokensOutOfReachError
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.methods.theta_star import ThetaStarMethod, ThetaStarMix
from quadmix_assets.sampling import (
    Theta,
    copies_of,
    draw_bits,
    merge_scores,
    sampling_value,
    uniform_of_ids,
)
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.settings.constraints import ConstraintsSettings


class QuadmixQualityMix(ThetaStarMix):
    """Every domain with its share of the pool, and documents inside domains by theta*."""

    method: Literal["quadmix_quality"]

    def implementation(self) -> "type[QuadmixQualityMethod]":
        """See `NamedMix`."""
        return QuadmixQualityMethod

    def constrained_by(self, common: ConstraintsSettings) -> ConstraintsSettings:
        """See `NamedMix`; domains have their shares of the pool, whatever was asked of theta*."""
        return common.model_copy(update={"domains": {}, "max_epochs": None})


class QuadmixQualityMethod(ThetaStarMethod):
    """Documents by theta* inside domains of which none gains or loses."""

    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> ThetaRule:
        """See `Method`; without `tokens` it has those that theta* takes.

        The rule has theta* with other omegas. Domains meet their shares up to single documents,
        and up to the documents of one merged score where many have the same.
        """
        theta, documents = self.theta(), pool.whole()
        if tokens is None:
            by_theta = self.rule_of_theta(documents, tokens=None, seed=seed)
            tokens = int((by_theta.decide(documents).copies * documents.n_tokens).sum())
        flat = theta._replace(omega=self._omegas(documents, theta, tokens=tokens, seed=seed))
        # One factor for all omegas, which is nearly 1, meets the tokens to a document.
        return self.rule_of(flat, documents, tokens=tokens, seed=seed)

    def _omegas(self, pool: Documents, theta: Theta, *, tokens: int, seed: int) -> FloatArray:
        """(M,) omegas at which every domain has its share of the tokens.

        Raises:
            ValueError: a domain cannot give so many.
        """
        sigma = pool.sigma(*self.settings.criterion_names)
        merged = merge_scores(sigma, pool.domains, theta.alpha)
        ranks = RankCalibration.fit(
            merged,
            pool.domains,
            pool.n_tokens,
            n_domains=pool.n_domains,
            max_breakpoints=self.settings.mix.max_breakpoints,
        ).ranks(merged, pool.domains)
        of_domain = pool.tokens_per_domain()
        budgets = (tokens * (of_domain / max(int(of_domain.sum()), 1))).astype(np.int64)
        omegas = np.zeros(pool.n_domains)
        for domain in np.flatnonzero(budgets):
            members = np.flatnonzero(pool.domains == domain)
            try:
                omegas[domain] = _omega_at(
                    pool.where(members), ranks[members], theta, int(budgets[domain]), seed
                )
            except TokensOutOfReachError as error:
                if error.least > budgets[domain]:
                    # Epsilon alone takes more than the share of a small domain.
                    continue
                raise ValueError(
                    f"{tokens:,} tokens of the mix would have {budgets[domain]:,} of the domain "
                    f"{pool.domain_names[domain]!r}, of which theta takes {error.most:,} at most: "
                    "ask for fewer, or allow more copies (parameters.scale_max)"
                ) from None
        return omegas


def _omega_at(members: Documents, ranks: FloatArray, theta: Theta, tokens: int, seed: int) -> float:
    """The largest omega at which the documents of a domain give at most so many tokens.

    Raises:
        TokensOutOfReachError: none gives so few, or so many.
    """
    uniform = uniform_of_ids(members.id_hashes, seed)

    def copies_at(omega: float, at: IntArray) -> IntArray:
        moved = theta._replace(omega=np.full(members.n_domains, min(omega, 1.0)))
        return copies_of(sampling_value(ranks[at], members.domains[at], *moved[1:]), uniform[at])

    bits = draw_bits(members.id_hashes, seed)
    # 2 is beyond every omega, whatever the rounding.
    scale = Scale.fit(copies_at, bits, members.n_tokens, tokens=tokens, highest=2.0)
    return min(scale.low, 1.0)
