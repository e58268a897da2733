"""A criterion that the project does not know: its settings and its implementation, as users write.

With one line in the registry of criteria it can be named in a profile.
"""

from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.settings.criteria import CriterionSettings

ENTRY = f"{__name__}:VowelShareSettings"


class VowelShareSettings(CriterionSettings):
    """The share of vowels among the characters of a text."""

    kind: Literal["vowel_share"]
    vowels: str = Field(default="aeiou", description="the characters that count")

    def implementation(self) -> "type[VowelShare]":
        """See `CriterionSettings`."""
        return VowelShare


class VowelShare(Criterion[VowelShareSettings]):
    """The share of vowels in [0, 1]."""

    code_version = "1"

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """Shares (D,) float64."""
        texts = documents["text"].to_list()
        vowels = self.settings.vowels
        shares = [sum(map(text.lower().count, vowels)) / max(len(text), 1) for text in texts]
        return np.array(shares, dtype=np.float64)
