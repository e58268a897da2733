"""UniMax (Chung et al. 2023, arXiv:2304.09151): equal budgets for all domains, up to some epochs.

Recipe (their Algorithm 1): domains in ascending order of size; each gets an equal part of what is
left of the budget, but at most `max_epochs` times its tokens; what it cannot use is left for the
larger ones. Published for languages; here the domains of the settings, `unknown` among them.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from quadmix_assets.mix.documents import Pool
from quadmix_assets.mix.methods.domain_rule import DomainRule
from quadmix_assets.mix.methods.random_documents import DrawnMethod
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.settings.mixes import NamedMix


class UnimaxMix(NamedMix):
    """Equal tokens of all domains, each repeated a few times at most; random documents within."""

    method: Literal["unimax"]
    max_epochs: Annotated[float, Field(gt=0.0)] = Field(
        default=4.0,
        description="copies of a domain's tokens at most (N of the paper); up to about four "
        "epochs, repeated text is nearly as good as new text (Muennighoff et al. 2023)",
    )

    def implementation(self) -> "type[UnimaxMethod]":
        """See `NamedMix`."""
        return UnimaxMethod

    @property
    def uses_domains(self) -> bool:
        """See `NamedMix`."""
        return True


def unimax_budgets(n_tokens: IntArray, tokens: int, max_epochs: float) -> FloatArray:
    """Budgets (M,) of domains with tokens (M,), which sum to `tokens`.

    Raises:
        ValueError: all domains at `max_epochs` have fewer tokens.
    """
    most = max_epochs * n_tokens.astype(np.float64)
    if tokens > most.sum():
        raise ValueError(
            f"{tokens:,} tokens are asked for, but {max_epochs:g} epochs of all domains are "
            f"{most.sum():,.0f}: lower `tokens`, or raise `max_epochs`"
        )
    budgets = np.zeros(len(n_tokens))
    left = float(tokens)
    smallest_first = np.argsort(n_tokens, kind="stable")
    for place, domain in enumerate(smallest_first):
        budgets[domain] = min(most[domain], left / (len(n_tokens) - place))
        left -= budgets[domain]
    return budgets


class UnimaxMethod(DrawnMethod):
    """UniMax."""

    rule = DomainRule

    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> DomainRule:
        """See `Method`."""
        assert tokens is not None
        epochs = self.mix.max_epochs
        documents = pool.whole()
        budgets = unimax_budgets(documents.tokens_per_domain(), tokens, epochs)
        return DomainRule.fit(documents, budgets, tokens=tokens, seed=seed, max_epochs=epochs)
