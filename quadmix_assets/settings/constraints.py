"""Settings of the constraints on theta* and on the mix."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import Name, PositiveInt, Section, Share

Epochs = Annotated[float, Field(gt=0.0)]


class DomainConstraintSettings(Section):
    """Limits of one domain: its share of the mix's tokens, and its epochs."""

    share: Share | None = Field(
        default=None, description="fixes the share of the mix's tokens; null leaves it free"
    )
    min_share: Share = Field(
        default=0.0, description="minimum share of the mix's tokens; 0: no limit"
    )
    max_share: Share = Field(
        default=1.0, description="maximum share of the mix's tokens; 1: no limit"
    )
    max_epochs: Epochs | None = Field(
        default=None,
        description="maximum epochs, the tokens taken from the domain divided by the tokens it "
        "has; null takes search.constraints.max_epochs",
    )
    off: bool = Field(default=False, description="whether the mix takes nothing from the domain")

    @model_validator(mode="after")
    def _consistent(self) -> "DomainConstraintSettings":
        if self.share is not None and (self.min_share != 0.0 or self.max_share != 1.0):
            raise ValueError("share is given with min_share or max_share: keep one of the two")
        if self.min_share > self.max_share:
            raise ValueError(f"min_share {self.min_share} is above max_share {self.max_share}")
        if self.off and (self.min_share > 0 or (self.share or 0) > 0):
            raise ValueError("off is true, but share or min_share is above 0: keep one of the two")
        return self


class ConstraintsSettings(Section):
    """What every theta* must satisfy in expectation; tokens are those of the whole pool."""

    mix_tokens: PositiveInt | None = Field(
        default=None, description="expected tokens of the final mix; null: no budget"
    )
    budget: Literal["searched", "scaled"] = Field(
        default="searched",
        description="how mix_tokens is met. searched: the search considers only thetas that meet "
        "it; scaled: theta* is searched without it, then its omegas are scaled, beyond omega_max "
        "if needed. With the default, the regressor predicts losses of mixes that meet the budget",
    )
    max_copies: Annotated[float, Field(ge=1.0)] | None = Field(
        default=None, description="maximum expected copies of a document; null: no limit"
    )
    max_epochs: Epochs | None = Field(
        default=None,
        description="maximum epochs of every domain, the tokens taken from it divided by the "
        "tokens it has; null: no limit",
    )
    domains: dict[Name, DomainConstraintSettings] = Field(
        default_factory=dict, description="limits of single domains, by name"
    )
    criteria_off: tuple[Name, ...] = Field(
        default=(),
        description="criteria whose weight alpha is 0 in every domain, as in the paper's Table 2",
    )
