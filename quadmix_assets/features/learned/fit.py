"""Fits the criteria and the domain classifier once, and loads them again."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from upath import UPath

from quadmix_assets.corpus.inputs import labels_path
from quadmix_assets.corpus.labels import read_labels
from quadmix_assets.corpus.raw_shard import read_summary
from quadmix_assets.corpus.text_sample import in_sample, sample_texts
from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.features.inference import Runtime
from quadmix_assets.outputs import FITTED_MODELS, TARGET_SETS
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, atomic_folder

DOMAINS = "domains"
_PURPOSE = "fit"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedModels:
    """The fitted criteria and the fitted domain classifier.

    Attributes:
        criteria: in the order of the settings.
        domains: the domain classifier.
        fingerprints: of the saved files, by criterion (and `domains`): equal for equal models.
    """

    criteria: tuple[Criterion, ...]
    domains: DomainClassifier
    fingerprints: dict[str, str]


@dataclass(frozen=True)
class FitSummary:
    """What was fitted, for display.

    Attributes:
        n_documents: documents learned from, by criterion (and `domains`, if it learns).
        domains: the domains that the classifier found, see `DomainClassifier.describe`; else None.
    """

    n_documents: dict[str, int]
    domains: pl.DataFrame | None


def fit_models(store: Store, shards: Sequence[str], settings: Settings) -> FitSummary:
    """Fit all criteria and the domain classifier, and store them.

    Criteria learn from the `fit` part of their target set and from a sample of the pool. The domain
    classifier learns from labelled examples, or from a sample of the pool. Published models are
    looked up and checked, and the checkpoints found are pinned.

    Raises:
        MissingOutputError: target sets or raw shards are not there.
        CheckpointError: a published model is not there, or not of the right kind.
        ValueError: the texts or labels are not sufficient to fit a criterion or the classifier.
    """
    n_texts: dict[str, int] = {}
    runtime = Runtime.of(settings)
    criteria = [chosen.make(runtime) for chosen in settings.features.criteria]
    domains = settings.features.domains.make(runtime)
    n_documents = sum(read_summary(store, shard).n_documents for shard in shards)
    sample_sizes = {chosen.name: chosen.pool_sample_size for chosen in settings.features.criteria}
    sample_sizes[DOMAINS] = settings.features.domains.pool_sample_size
    shares = {name: min(1.0, n / max(n_documents, 1)) for name, n in sample_sizes.items()}
    largest_share = max(shares.values())
    sample = pl.DataFrame(schema={"id": pl.String, "text": pl.String})
    if largest_share > 0:
        batches = sample_texts(store, shards, largest_share, purpose=_PURPOSE, seed=settings.seed)
        sample = pl.concat([sample, *batches])
    with atomic_folder(store.root / FITTED_MODELS) as folder:
        for criterion in criteria:
            target_texts: list[str] = []
            pool_texts = _sampled_texts(sample, shares[criterion.name], settings.seed)
            target = criterion.settings.target_learned_from
            if target is not None:
                path = store.table_path(TARGET_SETS, f"{target}.fit")
                target_texts = store.read_table(path)["text"].to_list()
            criterion.fit(target_texts, pool_texts, seed=settings.seed)
            n_texts[criterion.name] = len(target_texts) + len(pool_texts)
            _LOG.info(
                "%s: fitted on %d target and %d pool texts",
                criterion.name,
                len(target_texts),
                len(pool_texts),
            )
            criterion.save(_criterion_folder(UPath(folder), criterion.name))
        texts: list[str] = _sampled_texts(sample, shares[DOMAINS], settings.seed)
        labels: list[str] = []
        examples = settings.features.domains.labelled_examples
        if examples is not None:
            labelled = read_labels(labels_path(settings, store, examples), examples)
            texts, labels = labelled["text"].to_list(), labelled["domain"].to_list()
        domains.fit(texts, labels, seed=settings.seed)
        if texts:
            n_texts[DOMAINS] = len(texts)
            kind = "labelled examples" if labels else "pool texts"
            _LOG.info("%s: fitted on %d %s", DOMAINS, len(texts), kind)
        domains.save(_domains_folder(UPath(folder)))
    return FitSummary(n_texts, domains.describe())


def load_models(folder: Path, settings: Settings, runtime: Runtime | None = None) -> FittedModels:
    """Load what `fit_models` stored, from a local copy of the folder.

    Raises:
        FileNotFoundError: the folder does not hold a model of the settings.
        StaleModelError: a model was fitted with other settings, or by other code.
        CheckpointError: a published model is not there.
    """
    store, root = Store(UPath(folder)), UPath(folder)
    folders = {name: _criterion_folder(root, name) for name in settings.criterion_names}
    return FittedModels(
        criteria=tuple(
            chosen.load(folders[chosen.name], runtime) for chosen in settings.features.criteria
        ),
        domains=settings.features.domains.load(_domains_folder(root), runtime),
        fingerprints={
            name: store.fingerprint(path)
            for name, path in {**folders, DOMAINS: _domains_folder(root)}.items()
        },
    )


def _sampled_texts(sample: pl.DataFrame, share: float, seed: int) -> list[str]:
    """The texts of a sample of the given share of the pool; `sample` is a larger sample of it."""
    if share <= 0:
        return []
    chosen = in_sample(sample["id"].to_list(), share, purpose=_PURPOSE, seed=seed)
    texts: list[str] = sample.filter(pl.Series(chosen, dtype=pl.Boolean))["text"].to_list()
    return texts


def _criterion_folder(root: UPath, name: str) -> UPath:
    return root / "criteria" / name


def _domains_folder(root: UPath) -> UPath:
    return root / "domains"
