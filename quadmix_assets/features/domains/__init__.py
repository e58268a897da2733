"""Domain classifiers: each gives a document one domain label and a confidence."""

from pathlib import Path

from upath import UPath

from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.features.domains.column import ColumnDomains
from quadmix_assets.features.domains.fasttext import FasttextDomains
from quadmix_assets.settings import (
    ColumnDomainsSettings,
    DomainsSettings,
    FasttextDomainsSettings,
)

__all__ = ["ColumnDomains", "DomainClassifier", "FasttextDomains", "make_domain_classifier"]


def make_domain_classifier(
    settings: DomainsSettings, folder: Path | UPath | None = None
) -> DomainClassifier:
    """The classifier that `settings` describe: not fitted yet, or loaded from `folder`.

    Raises:
        FileNotFoundError: `folder` holds no saved classifier.
        StaleModelError: it was fitted with other settings or by other code.
    """
    cls = _class_of(settings)
    return cls(settings) if folder is None else cls.load(settings, folder)


def _class_of(settings: DomainsSettings) -> type[DomainClassifier]:
    match settings:
        case FasttextDomainsSettings():
            return FasttextDomains
        case ColumnDomainsSettings():
            return ColumnDomains
