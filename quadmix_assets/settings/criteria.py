"""The base class of the settings of quality criteria.

The settings of a kind are in the module of its implementation, in
`quadmix_assets.features.criteria`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from upath import UPath

from quadmix_assets.settings.base import Name
from quadmix_assets.settings.models import ModelSettings

if TYPE_CHECKING:
    from quadmix_assets.features.criteria.base import Criterion
    from quadmix_assets.features.inference import Runtime


class CriterionSettings(ModelSettings):
    """Settings of one quality criterion; subclasses override what differs."""

    name: Name = Field(
        default_factory=lambda values: values["kind"],
        description="name of the criterion, and of its score column in all tables; by default its "
        "kind. Two criteria of the same kind need different names",
    )

    weighed: bool = Field(
        default=True,
        description="whether theta gives the criterion a weight; false: its scores are only for "
        "methods of mixes that name it, for tables and for reports",
    )

    @abstractmethod
    def implementation(self) -> type[Criterion[Any]]:
        """The class that scores documents with these settings."""

    def make(self, runtime: Runtime | None = None) -> Criterion[Any]:
        """The criterion, not fitted yet."""
        return self.implementation()(self, runtime)

    def load(self, folder: Path | UPath, runtime: Runtime | None = None) -> Criterion[Any]:
        """The criterion that was saved in `folder`.

        Raises:
            FileNotFoundError: the folder holds no saved criterion.
            StaleModelError: it was fitted with other settings, by other code, or from another
                checkpoint.
            CheckpointError: the checkpoint that the settings name is not there.
        """
        return self.implementation().load(self, folder, runtime)

    @property
    def target_learned_from(self) -> str | None:
        """The target set whose `fit` part the criterion learns from; None if it learns nothing."""
        return None

    @property
    def score_column(self) -> str | None:
        """The column of the input that holds the scores; None where they are computed."""
        return None

    @property
    def reversed_by(self) -> str | None:
        """The setting, as `key: value`, that reverses the scores' direction; None without one."""
        return None

    @property
    def score_meaning(self) -> str:
        """What a raw score is, for the descriptions of columns."""
        return f"raw score by the criterion {self.name}, larger is better"

    @property
    def score_unit(self) -> str:
        """The unit or the range of raw scores, for the descriptions of columns."""
        return "raw score"

    @property
    def extra_meanings(self) -> Mapping[str, str]:
        """What each of the criterion's extra columns holds, by column."""
        return {}
