"""What a rule makes of a single document."""

from dataclasses import replace

import numpy as np
import polars as pl

from quadmix_assets.corpus.find_document import ids_of_hashes
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.explanation import InMix
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.stored_rule import LoadedRule
from quadmix_assets.store import Store

_MOST_NAMES = 5


def decided(
    store: Store, outline: InMix, loaded: LoadedRule, dropped: pl.DataFrame, document: Documents
) -> InMix:
    """An explanation with what a rule decides on a document, and why.

    Args:
        store: the lake.
        outline: what is known of the mix and the document before.
        loaded: the rule.
        dropped: id_hash and survivor of the near-duplicates that the rule never takes.
        document: a single one.

    Raises:
        ValueError: the rule reads scores that the document does not have.
        DamagedOutputError: what was read is not what was written.
    """
    made, why = loaded.decide(document), loaded.rule.why(document)
    survivor, stands_for, n_stands_for = _near_duplicates(store, dropped, document)
    return replace(
        outline,
        copies=int(made.copies[0]),
        sampling_value=float(made.sampling_value[0]),
        merged_score=_first(made.merged_score),
        rank=_first(made.rank),
        sigma=_sigma(document),
        weights=_weights(loaded, document),
        why=why,
        survivor=survivor,
        stands_for=stands_for,
        n_stands_for=n_stands_for,
    )


def _sigma(document: Documents) -> dict[str, float]:
    names = [name for name in document.score_names if name in document.normalizers]
    if not names:
        return {}
    return dict(zip(names, document.sigma(*names)[0].tolist(), strict=True))


def _weights(loaded: LoadedRule, document: Documents) -> dict[str, float]:
    """alpha of the document's domain by criterion, of rules with a theta."""
    rule = loaded.rule
    if not isinstance(rule, ThetaRule):
        return {}
    alpha = rule.theta.alpha[int(document.domains[0])]
    return dict(zip(rule.criteria, alpha.tolist(), strict=True))


def _near_duplicates(
    store: Store, dropped: pl.DataFrame, document: Documents
) -> tuple[str | None, tuple[str, ...], int]:
    """The id that is kept in the document's place, and ids that it is kept in place of."""
    if dropped.is_empty():
        return None, (), 0
    own = int(document.id_hashes[0])
    others = dropped.filter(pl.col("survivor") == own)["id_hash"].sort()
    shown = others.head(_MOST_NAMES).to_list()
    kept = dropped.filter(pl.col("id_hash") == own)["survivor"].to_list()
    names = ids_of_hashes(store, [*kept, *shown])
    # Documents may have left the pool since the rule was fitted.
    named = [names.get(each, f"{each:016x} (not in the pool now)") for each in (*kept, *shown)]
    return (named[0] if kept else None), tuple(named[len(kept) :]), len(others)


def _first(values: np.ndarray | None) -> float | None:
    return None if values is None else float(values[0])
