"""Settings of the tokenizer."""

from typing import Annotated

from pydantic import Field, model_validator

from quadmix_assets.settings.base import PositiveInt, Section
from quadmix_assets.settings.locations import Location


class TokenizerSettings(Section):
    """The tokenizer that counts the pool's tokens and encodes text for the proxies."""

    source: Location | None = Field(
        default=None,
        description="a tokenizer.json, a folder that holds one, or a hub id; null: one is trained "
        "on a sample of the pool",
    )
    revision: str | None = Field(
        default=None, description="branch, tag or commit of the hub id; needed for a hub id"
    )
    vocab_size: Annotated[int, Field(ge=300, le=1_000_000)] = Field(
        default=8_192,
        description="vocabulary size of a trained tokenizer; small, since the embeddings are most "
        "of the parameters of a proxy with a million parameters",
    )
    sample_bytes: PositiveInt = Field(
        default=30_000_000,
        description="approximate bytes of text that it is trained on; with more text, training "
        "takes longer and a vocabulary of this size hardly changes",
    )

    @model_validator(mode="after")
    def _revision_needs_source(self) -> "TokenizerSettings":
        if self.revision is not None and self.source is None:
            raise ValueError("revision is given without source: name the tokenizer it belongs to")
        return self
