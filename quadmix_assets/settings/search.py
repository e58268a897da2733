"""Settings of the search and of what follows it: mix, comparison, automation."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import Name, PositiveInt, Section, Share
from quadmix_assets.settings.constraints import ConstraintsSettings


class ObjectiveSettings(Section):
    """What is minimised: a weighted mean of the losses on target sets, on one scale."""

    name: Name
    targets: Annotated[dict[Name, Annotated[float, Field(gt=0)]], Field(min_length=1)]
    scale: Literal["nats", "zscore", "bits_per_byte"] = Field(
        default="nats",
        description="how losses of several targets are brought together: as they are, as standard "
        "deviations over the proxies, or per byte of the target",
    )


RegressorKind = Literal[
    "lightgbm", "svr_linear", "svr_rbf", "ridge_log", "gaussian_process", "ensemble"
]


class RefineSettings(Section):
    """Further rounds of proxies, near the optimum and where the regressor is least sure."""

    rounds: Annotated[int, Field(ge=0)] = 0
    share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.25, description="thetas of a round, as a share of parameters.n"
    )
    explore: Share = Field(
        default=0.3, description="share of a round that goes where the regressor is least sure"
    )


class SearchSettings(Section):
    """The regressors and the search for theta*."""

    objectives: tuple[ObjectiveSettings, ...] = Field(
        default=(),
        description="empty: openhermes and bmk of the paper, as far as their target sets are "
        "there, else the mean of all targets",
    )
    held_out_share: Annotated[float, Field(gt=0.0, lt=0.5)] = 1 / 15
    regressor: RegressorKind = "lightgbm"
    compared: tuple[RegressorKind, ...] = Field(
        default=("svr_linear", "svr_rbf", "ridge_log", "gaussian_process", "ensemble"),
        description="regressors whose errors are reported beside",
    )
    regressor_inputs: Literal["theta", "mixture"] = Field(
        default="mixture",
        description="what regressors see of a theta: its entries, as in the paper, or the mix that "
        "it makes",
    )
    strategy: Literal["random_top_mean", "cma_es"] = "random_top_mean"
    caution: Annotated[float, Field(ge=0.0)] = Field(
        default=1.0,
        description="standard deviations of the regressor that are added to a predicted loss by "
        "strategy cma_es",
    )
    n_points: PositiveInt = 100_000
    top: PositiveInt = 10
    constraints: ConstraintsSettings = ConstraintsSettings()
    refine: RefineSettings = RefineSettings()
    check_seeds: PositiveInt = Field(
        default=3, description="trainings of theta* and of what it has to beat, in optimum_check"
    )
    n_threads: PositiveInt = 1

    @model_validator(mode="after")
    def _top_fits(self) -> "SearchSettings":
        if self.top > self.n_points:
            raise ValueError(f"top is {self.top}, more than the {self.n_points} points searched")
        return self


class ExportSettings(Section):
    """The plain files that a trainer reads: text, repeated by copies."""

    format: Literal["parquet", "jsonl.zst", "none"] = "parquet"


class MixSettings(Section):
    """The final mix."""

    objective: Name | None = Field(
        default=None, description="whose theta* makes the mix; null takes the first objective"
    )
    max_breakpoints: Annotated[int, Field(ge=2)] = 20_000
    export: ExportSettings = ExportSettings()


class ComparisonSettings(Section):
    """The same model trained on the mix and on a random mix of the same size."""

    n_seeds: PositiveInt = 3
    n_tokens: PositiveInt | None = Field(
        default=None, description="training tokens of each model; null takes the proxies' budget"
    )


class AutomationSettings(Section):
    """How new and changed shards are noticed and worked off."""

    enabled: bool = True
    cron: str = "* * * * *"
    discovery_seconds: PositiveInt = 30
    shards_per_run: PositiveInt = 100
