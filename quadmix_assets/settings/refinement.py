"""Settings of further rounds of proxies."""

from typing import Annotated

from pydantic import Field

from quadmix_assets.settings.acquisition import AcquisitionChoice
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
    acquisition: AcquisitionChoice = Field(
        default="lcb",
        validate_default=True,
        description="how a round's thetas are chosen: the name of a kind, or a mapping with its "
        "options; lcb: near the predicted optima, thompson and noisy_ei: by joint samples of a "
        "Gaussian process, genetic: crossings of trained thetas",
    )
    explore: Share = Field(
        default=0.3,
        description="share of a round's thetas where the regressor is most uncertain; the "
        "acquisition chooses the others",
    )
