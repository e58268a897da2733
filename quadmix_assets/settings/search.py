"""Settings of the regressors and of the search for theta*."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import PositiveInt, Section
from quadmix_assets.settings.constraints import ConstraintsSettings
from quadmix_assets.settings.objectives import ObjectiveSettings
from quadmix_assets.settings.refinement import RefineSettings
from quadmix_assets.settings.regressor import RegressorChoice
from quadmix_assets.settings.strategy import StrategyChoice


class SearchSettings(Section):
    """The regressors and the search for theta*."""

    objectives: tuple[ObjectiveSettings, ...] = Field(
        default=(),
        description="what is minimised; the search finds one theta* for each. Empty: the paper's "
        "openhermes and bmk, as far as their target sets are there, else the mean of all targets",
    )
    held_out_share: Annotated[float, Field(gt=0.0, lt=0.5)] = Field(
        default=1 / 15,
        description="share of the proxies that regressors are evaluated on and never fitted to; "
        "the paper holds out 200 of 3,000",
    )
    regressor: RegressorChoice = Field(
        default="auto",
        validate_default=True,
        description="what predicts losses of thetas: the name of a kind, or a mapping with its "
        "options; auto is the best of the others and their mean by cross-validation, lightgbm is "
        "the paper's",
    )
    compared: tuple[RegressorChoice, ...] = Field(
        default=("lightgbm", "svr_linear", "svr_rbf", "ridge_log", "gaussian_process"),
        validate_default=True,
        description="further regressors, whose errors are reported for comparison; the search does "
        "not use them",
    )
    regressor_inputs: Literal["theta", "mixture"] = Field(
        default="mixture",
        description="what regressors see of a theta. theta: its entries, as in the paper; mixture: "
        "token share and mean quality per domain of the mix that it makes, which predict better",
    )
    strategy: StrategyChoice = Field(
        default="random_top_mean",
        validate_default=True,
        description="how theta* is searched: the name of a kind, or a mapping with its options; "
        "random_top_mean is the paper's",
    )
    n_points: PositiveInt = Field(
        default=100_000,
        description="thetas whose losses the search predicts, in each of its stages; the paper's "
        "number",
    )
    top: PositiveInt = Field(
        default=10,
        description="how many thetas with the best predictions are averaged; the paper's number",
    )
    constraints: ConstraintsSettings = Field(
        default=ConstraintsSettings(),
        description="what every theta* must satisfy; by default nothing",
    )
    stay_within_evidence: bool = Field(
        default=True,
        description="whether predictions for thetas outside the range of those that proxies were "
        "trained for, in any regressor input or in the size of the mix, count as worse the "
        "further they lie outside",
    )
    reuse_proxies: bool = Field(
        default=True,
        description="whether regressors learn from proxies of earlier thetas too, trained before "
        "criteria, domains or proxy pool changed: by what those proxies read, as far as the proxy "
        "pool holds it, and with regressor_inputs: mixture alone",
    )
    refine: RefineSettings = Field(
        default_factory=RefineSettings, description="further rounds of proxies; by default none"
    )
    check_seeds: PositiveInt = Field(
        default=3,
        description="models that optimum_check trains with different seeds, at theta* and at each "
        "theta that it is compared with; a single one gives no confidence interval",
    )
    n_threads: PositiveInt = Field(
        default=1,
        description="CPU threads of regressors and linear algebra; fixed, since their number can "
        "change the last bits of results",
    )

    @model_validator(mode="after")
    def _top_fits(self) -> "SearchSettings":
        if self.top > self.n_points:
            raise ValueError(
                f"top is {self.top}, more than n_points ({self.n_points}): lower top or raise "
                "n_points"
            )
        return self
