"""Fits sigma on the pool, stores and loads it."""

from collections.abc import Sequence
from dataclasses import dataclass

from quadmix_assets.features.normalizers import Normalizer, NormalizerFit
from quadmix_assets.features.scored_documents import iter_scores
from quadmix_assets.outputs import SCORE_NORMALIZERS
from quadmix_assets.settings import NormalizerSettings
from quadmix_assets.store import Store


@dataclass(frozen=True, eq=False)
class FittedNormalizers:
    """The normalizers of a pool, and what it holds.

    Attributes:
        normalizers: one per criterion, in the order of the criteria.
        n_documents: of the pool.
        n_tokens: of the pool.
        max_error: the largest bound of the error of a share of tokens that a table is made from.
    """

    normalizers: list[Normalizer]
    n_documents: int
    n_tokens: int
    max_error: float


def fit_normalizers(
    store: Store, shards: Sequence[str], criteria: Sequence[str], settings: NormalizerSettings
) -> FittedNormalizers:
    """Fit one normalizer per criterion on the whole pool and store each as a small table.

    The pool is read shard by shard in the order of their names, whatever the order given, and in
    bounded memory.

    Args:
        store: the lake.
        shards: scored ones, which are the pool.
        criteria: the N names.
        settings: kind of the normalizers, and size of their tables.

    Raises:
        MissingOutputError: a shard is not scored.
        ValueError: the pool has no tokens, a score is not finite, or a criterion has no scores.
    """
    fits = [
        NormalizerFit(settings.kind, max_breakpoints=settings.max_breakpoints) for _ in criteria
    ]
    n_documents = n_tokens = 0
    for shard, tokens, scores in iter_scores(store, sorted(shards), criteria):
        n_documents += len(tokens)
        n_tokens += int(tokens.sum())
        for n, (name, fit) in enumerate(zip(criteria, fits, strict=True)):
            try:
                fit.add(scores[:, n], tokens)
            except ValueError as error:
                raise ValueError(f"{name} of the shard {shard!r}: {error}") from error
    normalizers = [fit.normalizer() for fit in fits]
    for name, normalizer in zip(criteria, normalizers, strict=True):
        store.write_table(store.table_path(SCORE_NORMALIZERS, name), normalizer.to_frame())
    max_error = max((fit.max_error for fit in fits), default=0.0)
    return FittedNormalizers(normalizers, n_documents, n_tokens, max_error)


def load_normalizers(store: Store, criteria: Sequence[str]) -> list[Normalizer]:
    """The stored normalizers, in the order of the criteria.

    Raises:
        MissingOutputError: a criterion has no fitted normalizer.
    """
    return [
        Normalizer.from_frame(store.read_table(store.table_path(SCORE_NORMALIZERS, criterion)))
        for criterion in criteria
    ]
