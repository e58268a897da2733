"""Explains a document: where it is, what is known of it, and why each mix takes it or not.

Only what concerns the document is read: the claims of ids, which name its shard, single row groups
of the shard's tables, and the rules of the mixes.
"""

from dataclasses import replace
from typing import Any

import polars as pl

from quadmix_assets.corpus.find_document import (
    Place,
    find_document,
    nearest_ids,
    quarantined_rows,
    read_row,
    set_aside_of,
)
from quadmix_assets.mix.documents import Documents, one_document
from quadmix_assets.mix.explain_rule import decided
from quadmix_assets.mix.explain_version import in_version
from quadmix_assets.mix.explanation import (
    ExplainedDocument,
    Explanation,
    InMix,
    Known,
    UnknownDocument,
)
from quadmix_assets.mix.final_mix import stale
from quadmix_assets.mix.selections import names_version, read_named
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
_RAW_COLUMNS = ["id", "text", "source", "n_bytes"]


def explain(
    store: Store, settings: Settings, document_id: str, mix: str | None = None
) -> Explanation:
    """What is known of a document, and why mixes take it as often as they do.

    Args:
        store: the lake.
        settings: of the profile.
        document_id: of a document in any mix or in none, in quarantine, or unknown.
        mix: the name of one mix, or `name@version` of a kept version; None: all mixes.

    Raises:
        ValueError: there is no such mix, or scores and labels are of another version of the shard.
        MissingOutputError: there is no such kept version.
        DamagedOutputError: what was read is not what was written.
    """
    rows = read_named(store, mix) if mix is not None and names_version(mix) else None
    mixes = tuple(each for each in settings.mixes if mix in (None, each.name))
    if not mixes and rows is None:
        names = ", ".join(each.name for each in settings.mixes)
        raise ValueError(f"there is no mix {mix!r}; the mixes of the settings are: {names}")
    place = find_document(store, document_id)
    version = None if rows is None else in_version(store, rows, document_id, place)
    if place is None:
        quarantined = tuple(quarantined_rows(store, document_id))
        return UnknownDocument(
            document_id,
            quarantined,
            set_aside_of(store, document_id),
            () if quarantined or version is not None else tuple(nearest_ids(store, document_id)),
            version,
        )
    known = _known(store, settings, document_id, place)
    if version is not None:
        return ExplainedDocument(known, (version,))
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
        found = decided(store, outline, loaded, read_dropped(store, mix.name), document)
    except (MissingOutputError, ValueError) as error:
        return replace(outline, problem=str(error))
    return replace(found, stored_copies=_stored_copies(store, mix.name, known))


def _as_documents(known: Known, settings: Settings, loaded: LoadedRule) -> Documents:
    """The single document as rules take it."""
    assert known.domain is not None
    if known.domain not in settings.domain_names:
        raise ValueError(
            f"domain_labels holds {known.domain!r}, which the settings do not name: materialise "
            "fitted_models and domain_labels again"
        )
    return one_document(
        known.document_id,
        known.n_tokens or 0,
        settings.domain_names.index(known.domain),
        known.scores,
        settings.domain_names,
        loaded.normalizers,
    )


def _stored_copies(store: Store, mix: str, known: Known) -> int | None:
    path = store.table_path(mix_output(mix, FINAL_MIX), known.place.shard)
    if not path.exists():
        return None
    rows = store.read_table(path, ["id", "copies"]).filter(pl.col("id") == known.document_id)
    return int(rows["copies"][0]) if rows.height else 0
