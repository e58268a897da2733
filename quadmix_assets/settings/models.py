"""The base class of the settings of criteria and of domain classifiers."""

from abc import ABC

from pydantic import Field

from quadmix_assets.settings.base import Section

TEXT_COLUMN = "text"
"""The column of raw_shards that holds a document's text."""


class ModelSettings(Section, ABC):
    """Settings of a model that reads documents; subclasses override what differs."""

    kind: str = Field(description="which model this is; the kind decides what else can be set")

    @property
    def columns_read(self) -> tuple[str, ...]:
        """The columns of raw_shards that the model reads."""
        return (TEXT_COLUMN,)

    @property
    def pool_sample_size(self) -> int:
        """How many documents of the pool the model is fitted to; 0 if it is fitted to none."""
        return 0

    @property
    def runs_network(self) -> bool:
        """Whether the model is a neural network: slow, and run on `features.inference.device`."""
        return False
