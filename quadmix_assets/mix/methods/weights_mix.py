"""What regmix and climb share: weights of domains that are found by prediction, and their rule."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.methods.base import Method
from quadmix_assets.mix.methods.domain_rule import DomainRule
from quadmix_assets.sampling import uniform_of_ids
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings.base import Name, PositiveInt
from quadmix_assets.settings.mixes import NamedMix

if TYPE_CHECKING:
    from quadmix_assets.search.domain_search import FoundWeights


class WeightsMix(NamedMix):
    """A mix of random documents by weights of domains, which proxies were trained to find."""

    objective: Name | None = Field(
        default=None,
        description="the objective that the weights minimise; null: the first of search.objectives",
    )
    n_points: PositiveInt = Field(
        default=100_000,
        description="weightings that are drawn and predicted, each time that some are chosen",
    )

    @property
    def uses_domains(self) -> bool:
        """See `NamedMix`."""
        return True

    @property
    def objective_name(self) -> str | None:
        """See `NamedMix`."""
        return self.objective


class WeightsMethod(Method[Any]):
    """A method that finds weights of domains and takes random documents by them."""

    rule = DomainRule
    _found: "FoundWeights | None" = None

    @abstractmethod
    def find(self, n_tokens: FloatArray, *, tokens: int) -> "FoundWeights":
        """The weights of a mix, and what was predicted for them.

        Args:
            n_tokens: (M,) tokens of each domain in the pool.
            tokens: of the mix.

        Raises:
            MissingOutputError: the proxies have not been trained, or on other inputs.
            ValueError: too few proxies, or the pool cannot give so many tokens.
        """

    @property
    def objective(self) -> str:
        """The objective's name."""
        return self.settings.objective_of(self.mix)

    @property
    def predictor_seed(self) -> int:
        """The seed of the predictor and of the weights that it is asked about."""
        return derive_seed(self.settings.seed_of(self.mix), self.mix.method)

    def quality(self, pool: Documents) -> FloatArray:
        """Random numbers (D,): no document is better than another."""
        return uniform_of_ids(pool.id_hashes, self.seed)

    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> DomainRule:
        """See `Method`."""
        assert tokens is not None, "the method has no size of its own"
        documents = pool.whole()
        counts = documents.tokens_per_domain()
        self._found = self.find(counts.astype(np.float64), tokens=tokens)
        return DomainRule.fit(
            documents,
            self._found.weights,
            tokens=tokens,
            seed=seed,
            max_epochs=self.settings.proxies.domain_weights.max_epochs,
        )

    def prediction(self) -> Mapping[str, Any] | None:
        """What was predicted for the weights of the rule that was fitted last."""
        found = self._found
        if found is None:
            return None
        return {
            "unit": found.unit,
            "predicted": found.predicted,
            "best_proxy_measured": found.best_measured,
            "n_proxies": found.n_proxies,
            "weights": dict(zip(self.settings.domain_names, found.weights.tolist(), strict=True)),
        }
