"""Settings of what a mix must satisfy."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import Name, PositiveInt, Section, Share

Epochs = Annotated[float, Field(gt=0.0)]


class DomainConstraintSettings(Section):
    """What holds for one domain, as shares of the mix's tokens."""

    share: Share | None = Field(
        default=None, description="fixes the share of the mix's tokens; null leaves it free"
    )
    min_share: Share = Field(default=0.0, description="least share of the mix's tokens; none")
    max_share: Share = Field(default=1.0, description="largest share of the mix's tokens; any")
    max_epochs: Epochs | None = Field(
        default=None,
        description="tokens taken over tokens there, at most; null takes the general max_epochs",
    )
    off: bool = Field(default=False, description="takes nothing of the domain")

    @model_validator(mode="after")
    def _consistent(self) -> "DomainConstraintSettings":
        if self.share is not None and (self.min_share != 0.0 or self.max_share != 1.0):
            raise ValueError("share is given with min_share or max_share: keep one of the two")
        if self.min_share > self.max_share:
            raise ValueError(f"min_share {self.min_share} is above max_share {self.max_share}")
        if self.off and (self.min_share > 0 or (self.share or 0) > 0):
            raise ValueError("the domain is off, but a share of it is asked for")
        return self


class ConstraintsSettings(Section):
    """What every theta* must satisfy; tokens are those of the pool that the mix is made of."""

    mix_tokens: PositiveInt | None = Field(
        default=None, description="expected tokens of the final mix; null leaves them to theta"
    )
    budget: Literal["searched", "scaled"] = Field(
        default="searched",
        description="searched: only thetas that meet mix_tokens are looked at; scaled: theta* is "
        "searched freely, then its omegas are scaled, beyond omega_max if need be. The default "
        "lets the regressor see what the budget does",
    )
    max_copies: Annotated[float, Field(ge=1.0)] | None = Field(
        default=None, description="expected copies of a document, at most; null is no limit"
    )
    max_epochs: Epochs | None = Field(
        default=None,
        description="tokens taken over tokens there, at most, in every domain; null is no limit",
    )
    domains: dict[Name, DomainConstraintSettings] = Field(
        default_factory=dict, description="limits of single domains, by name; none"
    )
    criteria_off: tuple[Name, ...] = Field(
        default=(), description="criteria that get no weight, as in the paper's Table 2; none"
    )
