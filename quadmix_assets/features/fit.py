"""Fits what the criteria and the domain classifier learn, once, on a sample of the pool."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from upath import UPath

from quadmix_assets.corpus.raw_shard import read_summary
from quadmix_assets.corpus.text_sample import in_sample, sample_texts
from quadmix_assets.features.criteria import Criterion, make_criterion
from quadmix_assets.features.domains import DomainClassifier, make_domain_classifier
from quadmix_assets.features.labels import read_labels
from quadmix_assets.inputs import labels_path
from quadmix_assets.outputs import FITTED_MODELS, TARGET_SETS
from quadmix_assets.settings import FasttextDomainsSettings, Settings
from quadmix_assets.store import Store, atomic_folder

_PURPOSE = "fit"


@dataclass(frozen=True)
class FittedModels:
    """The criteria in the order of the settings, and the domain classifier."""

    criteria: tuple[Criterion, ...]
    domains: DomainClassifier


def fit_models(
    store: Store,
    shards: Sequence[str],
    settings: Settings,
    log: Callable[[str], None],
) -> dict[str, int]:
    """Fit all criteria and the domain classifier, and store them; documents used by each.

    Criteria learn from the `fit` part of their target set and from a sample of the pool.

    Raises:
        MissingOutputError: target sets or raw shards are not there.
        ValueError: the labelled examples hold a label that is no domain.
    """
    used: dict[str, int] = {}
    criteria = [make_criterion(criterion) for criterion in settings.features.criteria]
    n_documents = sum(read_summary(store, shard).n_documents for shard in shards)
    shares = {
        criterion.name: min(1.0, criterion.n_pool_documents / max(n_documents, 1))
        for criterion in criteria
    }
    largest = max(shares.values())
    pool = pl.DataFrame(schema={"id": pl.String, "text": pl.String})
    if largest > 0:
        batches = sample_texts(store, shards, largest, purpose=_PURPOSE, seed=settings.seed)
        pool = pl.concat([pool, *batches])
    with atomic_folder(store.root / FITTED_MODELS) as folder:
        for criterion in criteria:
            target_texts: list[str] = []
            pool_texts: list[str] = []
            if criterion.target is not None:
                path = store.table_path(TARGET_SETS, f"{criterion.target}.fit")
                target_texts = store.read_table(path)["text"].to_list()
            if shares[criterion.name] > 0:
                ids = pool["id"].to_list()
                chosen = in_sample(
                    ids, shares[criterion.name], purpose=_PURPOSE, seed=settings.seed
                )
                pool_texts = pool.filter(pl.Series(chosen, dtype=pl.Boolean))["text"].to_list()
            criterion.fit(target_texts, pool_texts, seed=settings.seed)
            used[criterion.name] = len(target_texts) + len(pool_texts)
            log(f"{criterion.name}: {len(target_texts)} target and {len(pool_texts)} pool texts")
            criterion.save(_criterion_folder(UPath(folder), criterion.name))
        domains = make_domain_classifier(settings.features.domains)
        if isinstance(settings.features.domains, FasttextDomainsSettings):
            labelled = read_labels(
                labels_path(settings, store, settings.features.domains), settings.features.domains
            )
            domains.fit(
                labelled["text"].to_list(), labelled["domain"].to_list(), seed=settings.seed
            )
            used["domains"] = labelled.height
            log(f"domains: {labelled.height} labelled examples")
        domains.save(_domains_folder(UPath(folder)))
    return used


def load_models(folder: Path, settings: Settings) -> FittedModels:
    """Load what `fit_models` stored, from a local copy of the folder."""
    root = UPath(folder)
    return FittedModels(
        criteria=tuple(
            make_criterion(criterion, _criterion_folder(root, criterion.name))
            for criterion in settings.features.criteria
        ),
        domains=make_domain_classifier(settings.features.domains, _domains_folder(root)),
    )


def _criterion_folder(root: UPath, name: str) -> UPath:
    return root / "criteria" / name


def _domains_folder(root: UPath) -> UPath:
    return root / "domains"
