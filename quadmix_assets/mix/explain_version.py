"""Explains why a kept version of a mix has a document as often as it has."""

from dataclasses import replace
from typing import Any

import polars as pl

from quadmix_assets.corpus.find_document import Place
from quadmix_assets.mix.documents import one_document
from quadmix_assets.mix.explain_rule import decided
from quadmix_assets.mix.explanation import InMix
from quadmix_assets.mix.selections import MixRows
from quadmix_assets.mix.version_rule import (
    PoolDocument,
    dropped_of_version,
    find_in_pool,
    rule_of_version,
)
from quadmix_assets.store import MissingOutputError, Store

_KEPT = "it was asked with the scores and the domain that the version keeps with the document"
_NOW = (
    "the version keeps no scores of documents that it leaves out: it was asked with those that the "
    "pool has now"
)


def in_version(store: Store, rows: MixRows, document_id: str, place: Place | None) -> InMix | None:
    """What a kept version makes of a document, by its own rule.

    A document that the version takes is judged by what it keeps of it; of others only the present
    scores and domain are there. What is gone is said in `problem` and `notes`.

    Args:
        store: the lake.
        rows: the version.
        document_id: of the document.
        place: where the pool has it now; None: nowhere.

    Returns:
        None if neither the version nor the pool has the document.

    Raises:
        DamagedOutputError: what was read is not what was written.
    """
    outline = InMix(str(rows), rows.manifest["method"], is_production=False, is_version=True)
    try:
        kept = _kept(rows, document_id, place)
    except MissingOutputError as error:
        return replace(outline, problem=str(error))
    document = _document_of(kept, rows) if kept is not None else find_in_pool(store, document_id)
    if place is None and document is None:
        return None
    was_there = place is None or rows.checksum(place.shard) is not None
    copies = 0 if kept is None else int(kept["copies"])
    outline = replace(outline, stored_copies=copies if was_there or copies else None)
    notes = [] if place is not None else ["the pool has it no longer, so that its text is gone"]
    if outline.stored_copies is None:
        notes.append("the version was made without its shard")
    if document is None:
        return replace(outline, problem="it is not scored and labelled now", notes=tuple(notes))
    notes.append(_KEPT if kept is not None else _NOW)
    outline = replace(outline, scores=document.scores, notes=tuple(notes))
    if document.domain not in rows.domains:
        return replace(outline, problem=f"its domain was not {document.domain} then")
    try:
        loaded = rule_of_version(rows)
        one = one_document(
            document_id,
            document.n_tokens,
            rows.domains.index(document.domain),
            document.scores,
            rows.domains,
            loaded.normalizers,
        )
        return decided(store, outline, loaded, dropped_of_version(rows), one)
    except MissingOutputError as error:
        return replace(outline, problem=str(error))
    except ValueError as error:
        return replace(outline, problem=f"its scores are not those of then: {error}")


def _kept(rows: MixRows, document_id: str, place: Place | None) -> dict[str, Any] | None:
    """The row of the version that has the document; None if it leaves it out.

    Raises:
        MissingOutputError: the rows of the shard are gone.
    """
    is_known = place is not None and rows.checksum(place.shard) is not None
    for shard in [place.shard] if place is not None and is_known else rows.shards:
        found = rows.rows(shard).filter(pl.col("id") == document_id)
        if found.height:
            return found.row(0, named=True)
    return None


def _document_of(kept: dict[str, Any], rows: MixRows) -> PoolDocument:
    scores = {name: float(kept[name]) for name in rows.score_names() if kept[name] is not None}
    return PoolDocument(kept["id"], "", kept["domain"], int(kept["n_tokens"]), scores)
