"""Fits sigma on the pool, stores it, and measures how far a pool has drifted from it."""

from collections.abc import Sequence

import numpy as np

from quadmix_assets.features.normalizers import Normalizer, fit_normalizer
from quadmix_assets.features.scored_documents import ScoredDocuments
from quadmix_assets.outputs import SCORE_NORMALIZERS
from quadmix_assets.sampling import TokenShareTable
from quadmix_assets.settings import NormalizerSettings
from quadmix_assets.store import Store


def fit_normalizers(
    store: Store,
    pool: ScoredDocuments,
    criteria: Sequence[str],
    settings: NormalizerSettings,
) -> list[Normalizer]:
    """Fit one normalizer per criterion on the whole pool and store them as small tables."""
    normalizers = []
    for n, criterion in enumerate(criteria):
        normalizer = fit_normalizer(
            settings.kind,
            pool.scores[:, n],
            pool.n_tokens,
            max_breakpoints=settings.max_breakpoints,
        )
        store.write_table(store.table_path(SCORE_NORMALIZERS, criterion), normalizer.to_frame())
        normalizers.append(normalizer)
    return normalizers


def load_normalizers(store: Store, criteria: Sequence[str]) -> list[Normalizer]:
    """The stored normalizers, in the order of the criteria.

    Raises:
        MissingOutputError: they have not been fitted.
    """
    return [
        Normalizer.from_frame(store.read_table(store.table_path(SCORE_NORMALIZERS, criterion)))
        for criterion in criteria
    ]


def drift_by_criterion(
    pool: ScoredDocuments, criteria: Sequence[str], normalizers: Sequence[Normalizer]
) -> dict[str, float]:
    """How far the pool has drifted from rank normalizers, by criterion; see `drift`.

    Args:
        pool: D documents of today's pool.
        criteria: the N names.
        normalizers: of kind rank, in the order of the criteria.
    """
    sigma = pool.sigma(normalizers)
    return {
        name: drift(sigma[:, n], -pool.scores[:, n], pool.n_tokens)
        for n, name in enumerate(criteria)
    }


def drift(fitted: np.ndarray, now: np.ndarray, n_tokens: np.ndarray) -> float:
    """Largest distance between two cumulative token shares of the same documents, in [0, 1].

    Args:
        fitted: (D,) share that a table fitted earlier gives each document.
        now: (D,) values whose order is that of `fitted`, from which the share is computed anew.
        n_tokens: (D,) weights.
    """
    if not len(now):
        return 0.0
    exact = TokenShareTable.fit(now, n_tokens, max_breakpoints=max(len(now), 2))(now)
    return float(np.max(np.abs(exact - fitted)))
