"""Settings of the objectives that theta* minimises."""

from typing import Annotated, Literal

from pydantic import Field

from quadmix_assets.settings.base import Name, Section


class ObjectiveSettings(Section):
    """What is minimised: a weighted mean of the losses on target sets, on one scale."""

    name: Name = Field(description="what the objective is called in tables, files and figures")
    targets: Annotated[dict[Name, Annotated[float, Field(gt=0)]], Field(min_length=1)] = Field(
        description="weight of each target set; weights are divided by their sum"
    )
    scale: Literal["nats", "zscore", "bits_per_byte"] = Field(
        default="nats",
        description="how losses of several targets are brought together: nats, as they are, which "
        "is the paper's; zscore, as standard deviations over the proxies; bits_per_byte, per byte "
        "of the target",
    )
