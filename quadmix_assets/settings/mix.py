"""Settings that hold for all mixes."""

from typing import Annotated, Literal

from pydantic import Field

from quadmix_assets.settings.base import Section

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
        description="file format of the export of the mix that is in production, one file per "
        "shard; none: no export is written. Other mixes export where mixes[].export says so",
    )


class MixSettings(Section):
    """What holds for all mixes."""

    max_breakpoints: Annotated[int, Field(ge=2)] = Field(
        default=20_000,
        description="maximum rows of the rank calibration of a domain; ranks are exact up to that "
        "many distinct merged scores, else off by at most 1 / (rows - 1); see "
        "features.normalizer.max_breakpoints for large pools",
    )
    export: ExportSettings = Field(
        default=ExportSettings(), description="the files for trainers, written next to a mix"
    )
    keep_versions: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="versions that each mix keeps, the newest ones; older ones are removed when "
        "its manifest is written, and named in the log of the step. What the mix is now, which "
        "its export is made of, is never removed. null: all are kept, until `quadmix versions "
        "--remove`",
    )
    accept: tuple[Guard, ...] = Field(
        default=(),
        description="names of failed checks that mixes do not wait for: with them a mix is a "
        "guess rather than a result, and the manifest says so",
    )
