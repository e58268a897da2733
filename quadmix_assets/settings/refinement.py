"""Settings of further rounds of proxies."""

from typing import Annotated

from pydantic import Field

from quadmix_assets.settings.base import Section, Share


class RefineSettings(Section):
    """Further rounds of proxies, near the optima and where the regressor is most uncertain."""

    rounds: Annotated[int, Field(ge=0)] = Field(
        default=0, description="further rounds of a `quadmix run`; the paper has none"
    )
    share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.25,
        description="thetas of a round, as a share of parameters.n; a quarter costs a quarter of "
        "the first round",
    )
    explore: Share = Field(
        default=0.3,
        description="share of a round's thetas where the regressor is most uncertain; the others "
        "are near the predicted optima, where its errors matter most",
    )
