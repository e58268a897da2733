"""Settings of the measurements that decide theta*, and of those at a second scale."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from quadmix_assets.settings.base import PositiveInt, Section
from quadmix_assets.training.architectures import ARCHITECTURES, architecture_named


def _known(name: str) -> str:
    return architecture_named(name).name


class HeatSettings(Section):
    """One heat of the verification."""

    candidates: PositiveInt = Field(
        description="how many of the best candidates so far are trained in this heat"
    )
    seeds: PositiveInt = Field(
        description="further proxies of each of them, with fresh draws, orders and initial weights"
    )


class VerifySettings(Section):
    """Which candidates for theta* are measured, and how often: the one that wins is theta*."""

    candidates: PositiveInt = Field(
        default=16,
        description="candidates for theta* of each objective; 1: what the search predicts to be "
        "best is theta*, and nothing is trained",
    )
    heats: Annotated[tuple[HeatSettings, ...], Field(min_length=1)] = Field(
        default=(
            HeatSettings(candidates=16, seeds=1),
            HeatSettings(candidates=8, seeds=1),
            HeatSettings(candidates=4, seeds=2),
            HeatSettings(candidates=2, seeds=4),
        ),
        description="the heats of the successive halving. Each trains the best candidates by the "
        "mean of all seeds so far; the first one trains all. By default 16, 8, 4 and 2 candidates "
        "with 1, 1, 2 and 4 further seeds, 40 proxies",
    )

    @model_validator(mode="after")
    def _heats_narrow(self) -> "VerifySettings":
        sizes = [heat.candidates for heat in self.heats]
        if sizes != sorted(sizes, reverse=True):
            raise ValueError(
                f"heats measure {sizes} candidates; expected no more from heat to heat"
            )
        if self.candidates > sizes[0]:
            raise ValueError(
                f"candidates is {self.candidates}, but the first heat measures {sizes[0]}: it "
                "measures all, so lower candidates or raise heats[0].candidates"
            )
        return self


class FidelitySettings(Section):
    """Whether the order of proxies is that of larger models; nothing is trained by default."""

    n_thetas: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="thetas of the swarm that are trained at the second scale, spread over the "
        "range of predictions; 8 to 12 give an interval worth reading, 0 trains none",
    )
    architecture: Annotated[str, AfterValidator(_known)] | None = Field(
        default=None,
        description=f"architecture of the second scale ({', '.join(ARCHITECTURES)}), with the "
        "defaults of its recipe; null: that of the proxies, with their recipe",
    )
    n_tokens: PositiveInt | None = Field(
        default=None,
        description="training tokens of each model of the second scale; null: the default of the "
        "architecture, or ten times the proxies' where that is the same",
    )
    seeds: PositiveInt = Field(
        default=1, description="models of the second scale for each theta, with different seeds"
    )

    @model_validator(mode="after")
    def _enough(self) -> "FidelitySettings":
        if 0 < self.n_thetas < 4:
            raise ValueError(
                f"n_thetas is {self.n_thetas}; expected 0, or 4 and more: fewer have no order "
                "worth comparing"
            )
        return self
