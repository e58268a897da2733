"""Settings of the objectives that theta* minimises."""

from typing import Annotated, Literal

from pydantic import Field

from quadmix_assets.settings.base import Name, Section


class ObjectiveSettings(Section):
    """What theta* minimises: a weighted mean of the losses on target sets, on one scale."""

    name: Name = Field(description="name of the objective in tables, files and figures")
    targets: Annotated[dict[Name, Annotated[float, Field(gt=0)]], Field(min_length=1)] = Field(
        description="weight of each target set; weights are divided by their sum"
    )
    scale: Literal["nats", "zscore", "bits_per_byte"] = Field(
        default="nats",
        description="scale of the losses before they are averaged. nats: per token, as measured, "
        "as in the paper; zscore: standard deviations from the mean of all proxies; "
        "bits_per_byte: bits per UTF-8 byte of the target set",
    )
    weigh_by_reliability: bool = Field(
        default=False,
        description="whether weights are multiplied by the reliability of each target set, the "
        "share of its losses' variance that is not noise (proxies.repeated_thetas)",
    )

    @property
    def loss_unit(self) -> str:
        """The unit of the losses of language models under it, which have no zscores."""
        return "bits per byte" if self.scale == "bits_per_byte" else "nats per token"
