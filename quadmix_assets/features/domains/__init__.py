"""Domain classifiers: each gives a document one domain label and a confidence."""

from pathlib import Path

from upath import UPath

from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.features.domains.clusters import FasttextClusters, SentenceClusters
from quadmix_assets.features.domains.column import ColumnDomains
from quadmix_assets.features.domains.fasttext import FasttextDomains
from quadmix_assets.features.domains.nvidia import NvidiaDomains
from quadmix_assets.features.inference import Runtime
from quadmix_assets.settings import (
    ClustersSettings,
    ColumnDomainsSettings,
    DomainsSettings,
    FasttextDomainsSettings,
    NvidiaDomainsSettings,
)

__all__ = [
    "ColumnDomains",
    "DomainClassifier",
    "FasttextClusters",
    "FasttextDomains",
    "NvidiaDomains",
    "SentenceClusters",
    "make_domain_classifier",
]


def make_domain_classifier(
    settings: DomainsSettings,
    folder: Path | UPath | None = None,
    runtime: Runtime | None = None,
) -> DomainClassifier:
    """The classifier that `settings` describe: not fitted yet, or loaded from `folder`.

    Raises:
        FileNotFoundError: `folder` holds no saved classifier.
        StaleModelError: it was fitted with other settings, by other code, or from another
            checkpoint.
        CheckpointError: the checkpoint that the settings name is not there.
    """
    cls = _class_of(settings)
    if folder is None:
        return cls(settings, runtime)
    return cls.load(settings, folder, runtime)


def _class_of(settings: DomainsSettings) -> type[DomainClassifier]:
    match settings:
        case FasttextDomainsSettings():
            return FasttextDomains
        case ColumnDomainsSettings():
            return ColumnDomains
        case NvidiaDomainsSettings():
            return NvidiaDomains
        case ClustersSettings():
            return FasttextClusters if settings.encoder == "fasttext" else SentenceClusters
