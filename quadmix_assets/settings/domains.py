"""The base class of the settings of domain classifiers.

The settings of a kind are in the module of its implementation, in
`quadmix_assets.features.domains`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from upath import UPath

from quadmix_assets.settings.base import Name, Share
from quadmix_assets.settings.models import ModelSettings

if TYPE_CHECKING:
    from quadmix_assets.features.domains.base import DomainClassifier
    from quadmix_assets.features.inference import Runtime

UNKNOWN_DOMAIN = "unknown"
"""The domain of documents without a usable label; always the last of the domains."""


@dataclass(frozen=True)
class LabelledExamples:
    """The file of labelled examples that a domain classifier is fitted to.

    Attributes:
        path: file or URI, as given in the settings; None for those of the generated corpus.
        text_column: the column or key of an example's text.
        domain_column: the column or key of an example's domain.
    """

    path: str | None
    text_column: str
    domain_column: str


class DomainsSettings(ModelSettings):
    """Settings of the domain classifier; subclasses override what differs."""

    names: tuple[Name, ...] = Field(
        description="the domains, in the order of theta's domain axis; `unknown` is added as the "
        "last one where it is not named"
    )
    confidence_floor: Share = Field(
        default=0.0,
        description="minimum confidence (0 to 1) of a label; documents below it are `unknown`. 0 "
        "keeps every label, because confidences of different classifiers are not comparable",
    )

    @abstractmethod
    def implementation(self) -> type[DomainClassifier[Any]]:
        """The class that labels documents with these settings."""

    def make(self, runtime: Runtime | None = None) -> DomainClassifier[Any]:
        """The classifier, not fitted yet."""
        return self.implementation()(self, runtime)

    def load(self, folder: Path | UPath, runtime: Runtime | None = None) -> DomainClassifier[Any]:
        """The classifier that was saved in `folder`.

        Raises:
            FileNotFoundError: the folder holds no saved classifier.
            StaleModelError: it was fitted with other settings, by other code, or from another
                checkpoint.
            CheckpointError: the checkpoint that the settings name is not there.
        """
        return self.implementation().load(self, folder, runtime)

    @property
    def label_column(self) -> str | None:
        """The column of the input that holds the labels; None where they are computed."""
        return None

    def domain_of(self, label: str) -> str:
        """The domain of a label of the input: itself if it is one of `names`, else `unknown`."""
        return label if label in self.names else UNKNOWN_DOMAIN

    @property
    def labelled_examples(self) -> LabelledExamples | None:
        """The labelled examples that the classifier learns from; None if it learns from none."""
        return None
