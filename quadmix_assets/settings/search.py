"""Settings of the search and of what follows it: mix, comparison, automation."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import Name, PositiveInt, Section


class ObjectiveSettings(Section):
    """What is minimised: a weighted mean of the losses on target sets."""

    name: Name
    targets: Annotated[dict[Name, Annotated[float, Field(gt=0)]], Field(min_length=1)]


class SearchSettings(Section):
    """The regressors and the search for theta*."""

    objectives: Annotated[tuple[ObjectiveSettings, ...], Field(min_length=1)]
    held_out_share: Annotated[float, Field(gt=0.0, lt=0.5)] = 1 / 15
    n_points: PositiveInt = 100_000
    top: PositiveInt = 10
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

    objective: Name
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
