"""Fits the criteria and the domain classifier once, and loads them again."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
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
from quadmix_assets.features.learned.precisions import (
    RankCheck,
    asks_for_a_check,
    check_ranks,
    runtimes_of,
    write_precisions,
)
from quadmix_assets.outputs import FITTED_MODELS, TARGET_SETS
from quadmix_assets.settings import CriterionSettings, InferenceSettings, Settings
from quadmix_assets.store import Store, atomic_folder

DOMAINS = "domains"
_PURPOSE = "fit"
_PURPOSE_OF_CHECKS = "precision"
# The documents, about, on which 16 bits are compared with float32; from the whole pool.
_N_COMPARED = 500
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedModels:
    """The fitted criteria and the fitted domain classifier.

    Attributes:
        criteria: in the order of the settings.
        domains: the domain classifier.
        fingerprints: by criterion (and `domains`), of the saved files and of how a network is run:
            equal for models that give equal outputs.
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
        rank_checks: by criterion, whether it ranks alike in 16 bits; empty where not asked for.
    """

    n_documents: dict[str, int]
    domains: pl.DataFrame | None
    rank_checks: dict[str, RankCheck]


def fit_models(store: Store, shards: Sequence[str], settings: Settings) -> FitSummary:
    """Fit all criteria and the domain classifier, and store them.

    Criteria learn from the `fit` part of their target set and from a sample of the pool. The domain
    classifier learns from labelled examples, or from a sample of the pool. Published models are
    looked up and checked, and the checkpoints found are pinned. Where networks shall run in 16 bits
    on a CPU, it is decided for each criterion whether it may, and stored.

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
        share = min(1.0, _N_COMPARED / max(n_documents, 1))
        checks = _rank_checks(UPath(folder), store, shards, share, settings, runtime)
        if checks:
            write_precisions(UPath(folder), checks, runtime)
    return FitSummary(n_texts, domains.describe(), checks)


def _rank_checks(
    folder: UPath,
    store: Store,
    shards: Sequence[str],
    share: float,
    settings: Settings,
    runtime: Runtime,
) -> dict[str, RankCheck]:
    """By criterion with a network, how it ranks that share of the pool in 16 bits."""
    networks = [chosen for chosen in settings.features.criteria if chosen.runs_network]
    if not networks or not asks_for_a_check(runtime):
        return {}
    read = {"id", *(column for chosen in networks for column in chosen.columns_read)}
    sampled = list(
        sample_texts(
            *(store, shards, share),
            purpose=_PURPOSE_OF_CHECKS,
            seed=settings.seed,
            columns=sorted(read),
        )
    )
    if not sampled:
        raise ValueError(
            f"the reference pool holds too few documents to see whether networks rank them alike "
            f"in {runtime.settings.precision}: set features.inference.precision to auto"
        )
    # In one order, whatever the shards are.
    documents = pl.concat(sampled).sort("id")
    checks = {}
    for chosen in networks:
        load = partial(_load_criterion, chosen, _criterion_folder(folder, chosen.name))
        checks[chosen.name] = check_ranks(load, documents, runtime)
        alike = checks[chosen.name].used == runtime.settings.precision
        level = logging.INFO if alike else logging.WARNING
        _LOG.log(level, "%s: %s", chosen.name, checks[chosen.name].in_words())
    return checks


def _load_criterion(chosen: CriterionSettings, folder: UPath, runtime: Runtime) -> Criterion:
    return chosen.load(folder, runtime)


def load_models(folder: Path, settings: Settings, runtime: Runtime | None = None) -> FittedModels:
    """Load what `fit_models` stored, from a local copy of the folder.

    Raises:
        FileNotFoundError: the folder does not hold a model of the settings.
        StaleModelError: a model was fitted with other settings, or by other code, or networks
            shall run in 16 bits on a CPU and it was not decided whether they may.
        CheckpointError: a published model is not there.
    """
    store, root = Store(UPath(folder)), UPath(folder)
    runtime = runtime or Runtime()
    folders = {name: _criterion_folder(root, name) for name in settings.score_names}
    networks = [chosen.name for chosen in settings.features.criteria if chosen.runs_network]
    runtimes = {
        **dict.fromkeys(settings.score_names, runtime),
        **runtimes_of(root, networks, runtime),
    }
    if settings.features.domains.runs_network:
        networks.append(DOMAINS)
        runtimes[DOMAINS] = runtime
    return FittedModels(
        criteria=tuple(
            chosen.load(folders[chosen.name], runtimes[chosen.name])
            for chosen in settings.features.criteria
        ),
        domains=settings.features.domains.load(_domains_folder(root), runtime),
        fingerprints={
            name: store.fingerprint(path)
            + (_how_it_runs(runtimes[name].settings) if name in networks else "")
            for name, path in {**folders, DOMAINS: _domains_folder(root)}.items()
        },
    )


def _how_it_runs(inference: InferenceSettings) -> str:
    """What changes a network's outputs beside its weights; empty for the default settings."""
    default = InferenceSettings()
    if (inference.precision, inference.engine) == (default.precision, default.engine):
        return ""
    return f" {inference.precision} {inference.engine}"


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
