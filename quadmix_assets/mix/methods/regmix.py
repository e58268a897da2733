"""RegMix (Liu et al. 2024, arXiv:2407.01492): weights of domains by regression.

Small proxies are trained on mixtures with random weights of domains, documents at random inside
them (`domain_proxies`); LightGBM learns their loss from the weights; of many random weightings
those with the best predictions are averaged, and documents are taken at random by these weights.
The paper predicts a million weightings and averages the best 100.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from quadmix_assets.mix.methods.weights_mix import WeightsMethod, WeightsMix
from quadmix_assets.outputs import DOMAIN_PROXIES
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings.base import PositiveInt

if TYPE_CHECKING:
    from quadmix_assets.search.domain_search import FoundWeights


class RegmixMix(WeightsMix):
    """RegMix: the mean of the domain weights with the best predictions, from one round of proxies.

    Scores play no part; near-duplicates are compared by a random number.
    """

    method: Literal["regmix"]
    top: PositiveInt = Field(
        default=100,
        description="how many weightings with the best predictions are averaged; the paper's",
    )

    @model_validator(mode="after")
    def _top_fits(self) -> "RegmixMix":
        if self.top > self.n_points:
            raise ValueError(
                f"top is {self.top}, more than n_points ({self.n_points}): lower top or raise "
                "n_points"
            )
        return self

    def implementation(self) -> "type[RegmixMethod]":
        """See `NamedMix`."""
        return RegmixMethod

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """See `NamedMix`."""
        return (DOMAIN_PROXIES,)


class RegmixMethod(WeightsMethod):
    """RegMix with the options of one mix."""

    def find(self, n_tokens: FloatArray, *, tokens: int) -> "FoundWeights":
        """See `WeightsMethod`."""
        # Imported late, so that settings load without the libraries of the search.
        from quadmix_assets.proxies.domain_proxies import read_domain_proxies
        from quadmix_assets.search.domain_search import mean_of_best
        from quadmix_assets.search.objective import objective_named

        settings = self.settings
        return mean_of_best(
            read_domain_proxies(self.store, settings),
            objective_named(settings.objectives, self.objective),
            n_tokens,
            settings.proxies.domain_weights,
            size=tokens,
            n_points=self.mix.n_points,
            top=self.mix.top,
            seed=self.predictor_seed,
            threads=settings.search.n_threads,
        )
