"""Settings of the final mix."""

from typing import Annotated, Literal

from pydantic import Field

from quadmix_assets.settings.base import Name, Section

# The checks that a mix waits for: where one fails, going on gives a guess instead of a result.
Guard = Literal[
    "regressor_learned_something",
    "theta_star_is_within_evidence",
    "few_proxies_failed",
    "labels_cover_the_pool",
]


class ExportSettings(Section):
    """The export for trainers: files that hold each selected text once per copy."""

    format: Literal["parquet", "jsonl.zst", "none"] = Field(
        default="parquet",
        description="file format of the export, one file per shard; none: no export is written",
    )


class MixSettings(Section):
    """The final mix."""

    objective: Name | None = Field(
        default=None,
        description="name of the objective whose theta* makes the mix; null: the first objective",
    )
    max_breakpoints: Annotated[int, Field(ge=2)] = Field(
        default=20_000,
        description="maximum rows of the rank calibration of a domain; ranks are exact up to that "
        "many distinct merged scores, else off by at most 1 / (rows - 1)",
    )
    export: ExportSettings = Field(
        default=ExportSettings(), description="the files for trainers, written next to the mix"
    )
    accept: tuple[Guard, ...] = Field(
        default=(),
        description="names of failed checks that the mix does not wait for: with them it is a "
        "guess rather than a result, and the manifest says so",
    )
