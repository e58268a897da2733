"""A domain classifier that the project does not know: its settings and its implementation.

With one line in the registry of domain classifiers it can be named in a profile.
"""

from typing import Literal

import polars as pl
from pydantic import Field

from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.settings import UNKNOWN_DOMAIN
from quadmix_assets.settings.domains import DomainsSettings

ENTRY = f"{__name__}:FirstWordSettings"


class FirstWordSettings(DomainsSettings):
    """The domain that the first word of a document names."""

    kind: Literal["first_word"]
    lower_case: bool = Field(default=True, description="whether `Law` names the domain `law`")

    def implementation(self) -> "type[FirstWord]":
        """See `DomainsSettings`."""
        return FirstWord


class FirstWord(DomainClassifier[FirstWordSettings]):
    """The first word; the confidence is 1, and 0 where it is no domain."""

    code_version = "1"

    def classify(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Domain and confidence of each document."""
        words = documents["text"].str.split(" ").list.first()
        words = words.str.to_lowercase() if self.settings.lower_case else words
        known = words.is_in(list(self.settings.names))
        return pl.DataFrame({"word": words, "known": known}).select(
            domain=pl.when("known").then("word").otherwise(pl.lit(UNKNOWN_DOMAIN)),
            confidence=pl.col("known").cast(pl.Float64),
        )
