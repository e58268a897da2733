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
        "quality; the default is the paper's, and small pools need more",
    )
    lambda_prior: Literal["log_uniform", "uniform"] = Field(
        default="log_uniform",
        description="distribution of lambda: 10^(3u) or 1000u with u uniform in [0, 1], the two "
        "readings of the paper; log_uniform gives each power of ten the same probability",
    )
    scale_max: Annotated[float, Field(ge=1.0)] = Field(
        default=1.0,
        description="upper bound of a factor (at least 1) on each domain's sampling function, an "
        "extension of the paper's parameter space; 1, as in the paper, leaves it out",
    )
