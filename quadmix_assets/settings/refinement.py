"""Settings of further rounds of proxies."""

from typing import Annotated

from pydantic import Field

from quadmix_assets.settings.base import Section, Share


class RefineSettings(Section):
    """Further rounds of proxies, near the optimum and where the regressor is least sure."""

    rounds: Annotated[int, Field(ge=0)] = Field(
        default=0, description="rounds that `quadmix run` makes by itself; the paper makes none"
    )
    share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.25,
        description="thetas of a round, as a share of parameters.n; a quarter costs a quarter of "
        "the first round",
    )
    explore: Share = Field(
        default=0.3,
        description="share of a round that goes where the regressor is least sure; the rest goes "
        "near the optima, where precision pays",
    )
