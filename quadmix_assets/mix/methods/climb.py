"""CLIMB (Diao et al. 2025, arXiv:2504.13161): weights of domains by iterated proxies.

The first round of proxies is that of RegMix (`domain_proxies`). Each further round (`climb_proxies`
of the mix) fits LightGBM to all losses so far and trains some of the weightings that it predicts
best, so that proxies gather where the mix may lie. The best prediction of the last fit gives the
weights, and documents are taken at random by them. The paper trains 64, 32 and 16 proxies; its
domains are clusters of embeddings, here those of `features.domains`.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.mix.methods.weights_mix import WeightsMethod, WeightsMix
from quadmix_assets.outputs import CLIMB_PROXIES, DOMAIN_PROXIES, mix_output
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings.base import PositiveInt

if TYPE_CHECKING:
    from quadmix_assets.search.climb import ClimbRounds
    from quadmix_assets.search.domain_search import FoundWeights


class ClimbMix(WeightsMix):
    """CLIMB: the domain weights with the best prediction, after further rounds of proxies.

    Scores play no part; near-duplicates are compared by a random number.
    """

    method: Literal["climb"]
    rounds: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = Field(
        default=(32, 16),
        description="proxies of every round after the first, which proxies.domain_weights.n says; "
        "the paper's numbers",
    )
    shortlist: PositiveInt = Field(
        default=1_000,
        description="how many of the weightings with the best predictions a round chooses from at "
        "random",
    )

    @model_validator(mode="after")
    def _rounds_can_be_chosen(self) -> "ClimbMix":
        if not max(self.rounds) <= self.shortlist <= self.n_points:
            raise ValueError(
                f"shortlist is {self.shortlist}; expected from the largest of rounds "
                f"({max(self.rounds)}) to n_points ({self.n_points})"
            )
        return self

    def implementation(self) -> "type[ClimbMethod]":
        """See `NamedMix`."""
        return ClimbMethod

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """See `NamedMix`."""
        return (DOMAIN_PROXIES, mix_output(self.name, CLIMB_PROXIES))


class ClimbMethod(WeightsMethod):
    """CLIMB with the options of one mix."""

    def rounds(self) -> "ClimbRounds":
        """What its further rounds depend on."""
        # Imported late, so that settings load without the libraries of the search.
        from quadmix_assets.search.climb import ClimbRounds

        mix = self.mix
        return ClimbRounds(
            self.objective, mix.rounds, mix.n_points, mix.shortlist, self.predictor_seed
        )

    def find(self, n_tokens: FloatArray, *, tokens: int) -> "FoundWeights":
        """See `WeightsMethod`."""
        # Imported late, so that settings load without the libraries of the search.
        from quadmix_assets.search.climb import read_climb
        from quadmix_assets.search.domain_search import mean_of_best
        from quadmix_assets.search.objective import objective_named

        settings = self.settings
        return mean_of_best(
            read_climb(self.store, settings, self.mix.name, self.rounds()),
            objective_named(settings.objectives, self.objective),
            n_tokens,
            settings.proxies.domain_weights,
            size=tokens,
            n_points=self.mix.n_points,
            top=1,
            seed=self.predictor_seed,
            threads=settings.search.n_threads,
        )
