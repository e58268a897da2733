"""Fits sigma on the pool, stores and loads it, and measures how far the pool has drifted since."""

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
    """Fit one normalizer per criterion on the whole pool and store each as a small table.

    Args:
        store: the lake.
        pool: all D documents, with scores (D, N).
        criteria: the N names, in the order of the columns of the scores.
        settings: kind of the normalizers, and size of their tables.

    Raises:
        ValueError: the pool has no tokens, or a score is not finite.
    """
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
        MissingOutputError: a criterion has no fitted normalizer.
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
        pool: all D documents, as the pool is now.
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

    It is the Kolmogorov-Smirnov distance between the pool that a table was fitted on and the pool
    as it is now.

    Args:
        fitted: (D,) share that the table gives each document.
        now: (D,) values that sort the documents as `fitted` does; their exact share is computed.
        n_tokens: (D,) token counts.
    """
    if not len(now):
        return 0.0
    exact = TokenShareTable.fit(now, n_tokens, max_breakpoints=max(len(now), 2))(now)
    return float(np.max(np.abs(exact - fitted)))
