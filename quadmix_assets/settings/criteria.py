"""What the settings of every quality criterion have, and answer to the rest of the project.

The settings of a kind stand beside its implementation, in `quadmix_assets.features.criteria`.
"""

from __future__ import annotations

from abc import abstractmethod
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
    """Settings of one quality criterion; a kind overrides what is different for it."""

    name: Name = Field(
        default_factory=lambda values: values["kind"],
        description="the column of the scores in every table; its kind by default, which must be "
        "changed where two criteria are of one kind",
    )

    @abstractmethod
    def implementation(self) -> type[Criterion[Any]]:
        """The class that scores documents by these settings."""

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
        """The setting that turns the scores upside down, as in `key: value`; None without one."""
        return None
