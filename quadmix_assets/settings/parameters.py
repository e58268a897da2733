"""Settings of the thetas: how many are drawn by Algorithm 1, and from which ranges."""

from typing import Annotated, Literal

from pydantic import Field

from quadmix_assets.settings.base import PositiveInt, Section


class ParametersSettings(Section):
    """How many thetas are drawn by Algorithm 1, and from which ranges."""

    n: PositiveInt = Field(
        default=128,
        description="number of thetas, one proxy each; enough for a regressor on a small pool "
        "(the paper has 3,000)",
    )
    omega_max: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.1,
        description="upper bound of omega, the share of a domain's tokens that is sampled by "
        "quality; the paper's, small pools need more",
    )
    lambda_prior: Literal["log_uniform", "uniform"] = Field(
        default="log_uniform",
        description="how lambda is drawn: 10^(3u) or 1000u with u uniform in [0, 1], the two "
        "readings of the paper; log_uniform has as many small values as large ones",
    )
    scale_max: Annotated[float, Field(ge=1.0)] | None = Field(
        default=None,
        description="an extension of the paper's space: a factor from 1 to this on each domain's "
        "sampling function; null, as in the paper, leaves it out",
    )
