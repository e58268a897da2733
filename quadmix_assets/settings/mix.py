"""Settings of the final mix."""

from typing import Annotated, Literal

from pydantic import Field

from quadmix_assets.settings.base import Name, Section


class ExportSettings(Section):
    """The plain files that a trainer reads: text, repeated by copies."""

    format: Literal["parquet", "jsonl.zst", "none"] = Field(
        default="parquet",
        description="file format of the export, one file a shard; none writes no export",
    )


class MixSettings(Section):
    """The final mix."""

    objective: Name | None = Field(
        default=None, description="whose theta* makes the mix; null takes the first objective"
    )
    max_breakpoints: Annotated[int, Field(ge=2)] = Field(
        default=20_000,
        description="rows of the rank calibration for a domain, at most; ranks are exact below "
        "that many distinct scores, else off by 1 / (rows - 1) at most",
    )
    export: ExportSettings = Field(
        default=ExportSettings(), description="what is written for trainers beside the mix"
    )
