"""Explains a document: where it is, what is known of it, and why each mix takes it or not.

Only what concerns the document is read: the claims of ids, which name its shard, single row groups
of the shard's tables, and the rules of the mixes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.corpus.find_document import (
    Place,
    QuarantinedRow,
    find_document,
    ids_of_hashes,
    nearest_ids,
    quarantined_rows,
    read_row,
    set_aside_of,
)
from quadmix_assets.corpus.set_aside import SetAside
from quadmix_assets.features.scored_documents import ScoredDocuments
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.final_mix import stale
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.rule import Why
from quadmix_assets.mix.stored_rule import LoadedRule, read_dropped, read_rule
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    RAW_SHARDS,
    SCORED_SHARDS,
    mix_output,
)
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import MissingOutputError, Store

_EXCERPT_CHARACTERS = 600
_MOST_NAMES = 5
_RAW_COLUMNS = ["id", "text", "source", "n_bytes"]


@dataclass(frozen=True)
class Known:
    """What the pool knows of a document.

    Attributes:
        document_id: its id.
        place: shard and row.
        excerpt: the start of its text.
        source: where it comes from, as the input says.
        n_bytes: of its text in UTF-8.
        n_tokens: of its text; None before it is scored.
        scores: raw scores by criterion, larger is better; empty before it is scored.
        domain: its domain; None before it is labelled.
        confidence: of the label.
        quarantined: rows with the same id that did not become documents.
        problem: why there are no scores; empty where there are.
    """

    document_id: str
    place: Place
    excerpt: str
    source: str
    n_bytes: int
    n_tokens: int | None
    scores: Mapping[str, float]
    domain: str | None
    confidence: float | None
    quarantined: tuple[QuarantinedRow, ...]
    problem: str


@dataclass(frozen=True, eq=False)
class InMix:
    """What a mix makes of a document.

    Attributes:
        mix: its name.
        method: how it is made.
        is_production: whether it is the mix that is in production.
        copies: that the rule decides on; None where it cannot decide, see `problem`.
        sampling_value: S, the expected copies.
        merged_score: Eq. 1, smaller is better; None where the method has none.
        rank: within the domain, Eq. 2; None where the method has none.
        sigma: normalized scores by criterion, smaller is better; of those that the rule reads.
        weights: alpha of the document's domain by criterion; empty without a theta.
        why: the reasons; of a dropped near-duplicate, those it would have without its duplicates.
        survivor: the id of the near-duplicate that is kept in its place; None if it is not dropped.
        stands_for: ids of near-duplicates that are left out because it is kept, at most five.
        n_stands_for: how many they are.
        stored_copies: in the mix as it is made now, 0 if it is not in it; None: not mixed yet.
        problem: what keeps the rule from deciding; empty if nothing does.
    """

    mix: str
    method: str
    is_production: bool
    copies: int | None = None
    sampling_value: float | None = None
    merged_score: float | None = None
    rank: float | None = None
    sigma: Mapping[str, float] | None = None
    weights: Mapping[str, float] | None = None
    why: Why | None = None
    survivor: str | None = None
    stands_for: tuple[str, ...] = ()
    n_stands_for: int = 0
    stored_copies: int | None = None
    problem: str = ""

    @property
    def is_behind(self) -> bool:
        """Whether the mix as it is made now has other copies than its rule says."""
        return self.copies is not None and self.stored_copies not in (None, self.copies)


@dataclass(frozen=True, eq=False)
class ExplainedDocument:
    """A document of the pool.

    Attributes:
        known: what the pool knows of it.
        in_mixes: what each mix that was asked for makes of it.
    """

    known: Known
    in_mixes: tuple[InMix, ...]


@dataclass(frozen=True)
class UnknownDocument:
    """An id that is none of a document of the pool.

    Attributes:
        document_id: the id.
        quarantined: rows of the input with this id that cannot be used.
        set_aside: the shards that are not in the pool and may hold it, with the reasons.
        nearest: ids of the pool that are like it.
    """

    document_id: str
    quarantined: tuple[QuarantinedRow, ...]
    set_aside: Mapping[str, SetAside]
    nearest: tuple[str, ...]


Explanation = ExplainedDocument | UnknownDocument


def explain(
    store: Store, settings: Settings, document_id: str, mix: str | None = None
) -> Explanation:
    """What is known of a document, and why mixes take it as often as they do.

    Args:
        store: the lake.
        settings: of the profile.
        document_id: of a document in any mix or in none, in quarantine, or unknown.
        mix: the name of one mix; None: all of them.

    Raises:
        ValueError: there is no such mix, or scores and labels are of another version of the shard.
        DamagedOutputError: what was read is not what was written.
    """
    mixes = tuple(each for each in settings.mixes if mix in (None, each.name))
    if not mixes:
        names = ", ".join(each.name for each in settings.mixes)
        raise ValueError(f"there is no mix {mix!r}; the settings have: {names}")
    place = find_document(store, document_id)
    if place is None:
        quarantined = tuple(quarantined_rows(store, document_id))
        return UnknownDocument(
            document_id,
            quarantined,
            set_aside_of(store, document_id),
            () if quarantined else tuple(nearest_ids(store, document_id)),
        )
    known = _known(store, settings, document_id, place)
    found = tuple(_in_mix(store, settings, each, known) for each in mixes)
    return ExplainedDocument(known, found)


def _known(store: Store, settings: Settings, document_id: str, place: Place) -> Known:
    raw = read_row(store, store.table_path(RAW_SHARDS, place.shard), place.row, _RAW_COLUMNS)
    scored: dict[str, Any] = {}
    labelled: dict[str, Any] = {}
    problem = ""
    try:
        scored = _row_of(store, SCORED_SHARDS, place, document_id)
        labelled = _row_of(store, DOMAIN_LABELS, place, document_id)
    except MissingOutputError as error:
        problem = str(error)
    return Known(
        document_id=document_id,
        place=place,
        excerpt=raw["text"][:_EXCERPT_CHARACTERS],
        source=raw["source"],
        n_bytes=raw["n_bytes"],
        n_tokens=scored.get("n_tokens"),
        scores={name: scored[name] for name in settings.score_names if name in scored},
        domain=labelled.get("domain"),
        confidence=labelled.get("confidence"),
        # A row of another shard with this id would have had that shard set aside.
        quarantined=tuple(quarantined_rows(store, document_id, place.shard)),
        problem=problem,
    )


def _row_of(store: Store, asset: str, place: Place, document_id: str) -> dict[str, Any]:
    """The row of a document in the scores or labels of its shard.

    Raises:
        MissingOutputError: they have not been made.
        ValueError: they are of another version of the shard.
    """
    path = store.table_path(asset, place.shard)
    if store.n_rows(path) == place.n_documents:
        row = read_row(store, path, place.row)
        if row["id"] == document_id:
            return row
    raise stale(place.shard, asset)


def _in_mix(store: Store, settings: Settings, mix: NamedMix, known: Known) -> InMix:
    is_production = mix.name == settings.production_mix.name
    outline = InMix(mix.name, mix.method, is_production, problem=known.problem)
    if known.problem:
        return outline
    try:
        loaded = read_rule(store, settings, mix.name)
        document = _as_documents(known, settings, loaded)
        made = loaded.decide(document)
        why = loaded.rule.why(document)
    except (MissingOutputError, ValueError) as error:
        return InMix(mix.name, mix.method, is_production, problem=str(error))
    survivor, stands_for, n_stands_for = _near_duplicates(store, loaded, document)
    return InMix(
        mix=mix.name,
        method=mix.method,
        is_production=is_production,
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
        stored_copies=_stored_copies(store, mix.name, known),
    )


def _as_documents(known: Known, settings: Settings, loaded: LoadedRule) -> Documents:
    """The single document as rules take it."""
    assert known.domain is not None
    if known.domain not in settings.domain_names:
        raise ValueError(
            f"domain_labels holds {known.domain!r}, which the settings do not name: materialise "
            "fitted_models and domain_labels again"
        )
    scored = ScoredDocuments(
        ids=pl.Series([known.document_id]),
        n_tokens=np.array([known.n_tokens], dtype=np.int64),
        domains=np.array([settings.domain_names.index(known.domain)], dtype=np.int32),
        scores=np.array([list(known.scores.values())], dtype=np.float64),
    )
    return Documents(scored, tuple(known.scores), settings.domain_names, loaded.normalizers)


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
    store: Store, loaded: LoadedRule, document: Documents
) -> tuple[str | None, tuple[str, ...], int]:
    """The id that is kept in the document's place, and ids that it is kept in place of."""
    if not len(loaded.dropped):
        return None, (), 0
    own = int(document.id_hashes[0])
    dropped = read_dropped(store, loaded.mix)
    others = dropped.filter(pl.col("survivor") == own)["id_hash"].sort()
    shown = others.head(_MOST_NAMES).to_list()
    kept = dropped.filter(pl.col("id_hash") == own)["survivor"].to_list()
    names = ids_of_hashes(store, [*kept, *shown])
    # Documents may have left the pool since the rule was fitted.
    named = [names.get(each, f"{each:016x} (not in the pool now)") for each in (*kept, *shown)]
    return (named[0] if kept else None), tuple(named[len(kept) :]), len(others)


def _stored_copies(store: Store, mix: str, known: Known) -> int | None:
    path = store.table_path(mix_output(mix, FINAL_MIX), known.place.shard)
    if not path.exists():
        return None
    rows = store.read_table(path, ["id", "copies"]).filter(pl.col("id") == known.document_id)
    return int(rows["copies"][0]) if rows.height else 0


def _first(values: np.ndarray | None) -> float | None:
    return None if values is None else float(values[0])
