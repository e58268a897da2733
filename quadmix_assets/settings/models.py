"""What the settings of criteria and domain classifiers have in common, whatever their kind."""

from abc import ABC

from pydantic import Field

from quadmix_assets.settings.base import Section

TEXT_COLUMN = "text"
"""The column of raw_shards that holds a document's text."""


class ModelSettings(Section, ABC):
    """Settings of a model that reads documents; a kind overrides what is different for it."""

    kind: str = Field(description="which model this is; the kind decides what else can be set")

    @property
    def columns_read(self) -> tuple[str, ...]:
        """The columns of raw_shards that the model reads."""
        return (TEXT_COLUMN,)

    @property
    def pool_sample_size(self) -> int:
        """How many documents of the pool the model learns from; 0 if it learns nothing there."""
        return 0

    @property
    def runs_network(self) -> bool:
        """Whether the model is a neural network, which takes long and runs on a device."""
        return False
