"""Settings of the proxies of domain weights, which the methods regmix and climb learn from."""

from typing import Annotated

from pydantic import Field, model_validator

from quadmix_assets.settings.base import Section


class DomainWeightsSettings(Section):
    """Proxies that are trained on random documents by the weights of their domains alone.

    They exist only where one of the mixes has the method regmix or climb.
    """

    n: Annotated[int, Field(ge=10)] = Field(
        default=64,
        description="number of weightings, one proxy each; RegMix has 512, Nemotron-CLIMB 64 in "
        "its first round",
    )
    pool_share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.1,
        description="size of their samples as a share of the proxy pool's tokens: about that of "
        "the mixes in the pool, so that a domain which a mix has to repeat is repeated here too",
    )
    temperature: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.5,
        description="power of the domains' shares of the pool that weights are drawn around; 1: "
        "the shares themselves, near 0: equal weights. RegMix's number",
    )
    min_strength: Annotated[float, Field(gt=0.0)] = Field(
        default=0.1,
        description="least strength of the Dirichlet distributions that weights are drawn from; "
        "the smaller, the fewer domains have nearly all weight. RegMix's number",
    )
    max_strength: Annotated[float, Field(gt=0.0)] = Field(
        default=5.0,
        description="largest strength; weightings go through the strengths from least to largest, "
        "in equal factors. RegMix's number",
    )
    max_epochs: Annotated[float, Field(gt=0.0)] = Field(
        default=15.0,
        description="most epochs of a domain in a sample or mix, its tokens there divided by those "
        "it has; what a weight exceeds goes to the other domains. RegMix's number",
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> "DomainWeightsSettings":
        if self.min_strength > self.max_strength:
            raise ValueError(
                f"min_strength is {self.min_strength}, above max_strength {self.max_strength}: "
                "exchange them"
            )
        if self.max_epochs < self.pool_share:
            raise ValueError(
                f"max_epochs is {self.max_epochs}, below pool_share {self.pool_share}: not even "
                "all domains together can give a sample so many tokens; lower pool_share"
            )
        return self
