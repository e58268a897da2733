"""The rule that a kept version of a mix was made with, and why it decided as it did."""

from dataclasses import dataclass
from typing import cast

import polars as pl
from pydantic import ValidationError

from quadmix_assets.corpus.find_document import find_document, read_row
from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.mix.documents import one_document
from quadmix_assets.mix.methods.registry import METHODS
from quadmix_assets.mix.rule import StoredRule
from quadmix_assets.mix.selections import MixRows
from quadmix_assets.mix.stored_rule import DROPPED_TABLE, LoadedRule
from quadmix_assets.mix.versions import kept_table
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    RAW_SHARDS,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    SELECTION_RULE,
)
from quadmix_assets.settings import NamedMix
from quadmix_assets.store import MissingOutputError, Store

_EXCERPT_CHARACTERS = 300


@dataclass(frozen=True, eq=False)
class PoolDocument:
    """A document as the pool has it now.

    Attributes:
        excerpt: the start of its text.
        domain: its label.
        n_tokens: its length.
        scores: by score column.
    """

    document_id: str
    excerpt: str
    domain: str
    n_tokens: int
    scores: dict[str, float]


def find_in_pool(store: Store, document_id: str) -> PoolDocument | None:
    """A document with its scores; None if the pool has no such document, or not its scores.

    Raises:
        DamagedOutputError: what was read is not what was written.
    """
    place = find_document(store, document_id)
    if place is None:
        return None
    try:
        raw, scored, label = (
            read_row(store, store.table_path(asset, place.shard), place.row)
            for asset in (RAW_SHARDS, SCORED_SHARDS, DOMAIN_LABELS)
        )
    except (MissingOutputError, IndexError):
        return None
    if not scored["id"] == label["id"] == document_id:
        return None
    numbers = {
        name: float(value) for name, value in scored.items() if isinstance(value, int | float)
    }
    return PoolDocument(
        document_id,
        raw["text"][:_EXCERPT_CHARACTERS],
        label["domain"],
        int(numbers.pop("n_tokens")),
        numbers,
    )


def rule_of_version(rows: MixRows) -> LoadedRule:
    """The rule of a version, from the tables that were kept with it.

    Raises:
        MissingOutputError: one of them is gone, or another version of the software has stored it
            otherwise.
    """
    manifest = rows.manifest
    options = {**manifest["options"], "method": manifest["method"], "name": rows.mix}
    tables = _tables(rows, SELECTION_RULE)
    tables.pop(DROPPED_TABLE, None)
    try:
        found = METHODS.settings_class(manifest["method"]).model_validate(options)
        mix = cast(NamedMix, found)
        rule = mix.implementation().rule.restored(StoredRule(manifest["rule"], tables))
    except (KeyError, ValidationError) as error:
        raise MissingOutputError(
            f"the rule of {rows}, of the method {manifest['method']!r}, was stored by another "
            "version of this software, which stored rules otherwise"
        ) from error
    return LoadedRule(
        rows.mix,
        rule,
        {
            name: Normalizer.from_frame(table)
            for name, table in _tables(rows, SCORE_NORMALIZERS).items()
        },
        dropped_of_version(rows)["id_hash"].sort().to_numpy(),
        manifest,
        manifest["fingerprints"],
    )


def dropped_of_version(rows: MixRows) -> pl.DataFrame:
    """The near-duplicates that the rule of a version never takes; without rows if it drops none.

    Returns:
        Columns id_hash and survivor, the id hash of the document that is kept instead.

    Raises:
        MissingOutputError: the table is gone.
    """
    table = _tables(rows, SELECTION_RULE, DROPPED_TABLE).get(DROPPED_TABLE)
    schema = {"id_hash": pl.UInt64, "survivor": pl.UInt64}
    return pl.DataFrame(schema=schema) if table is None else table.select(*schema)


def reason(
    loaded: LoadedRule, domains: tuple[str, ...], document: PoolDocument, copies: int
) -> str:
    """Why a version has a document as often as it has, in a few words.

    Args:
        loaded: its rule.
        domains: that its rule knows.
        document: as the pool has it now.
        copies: that the version has of it, 0 for none.
    """
    if document.domain not in domains:
        return f"its domain was not {document.domain} then"
    single = one_document(
        document.document_id,
        document.n_tokens,
        domains.index(document.domain),
        document.scores,
        domains,
        loaded.normalizers,
    )
    try:
        decided = int(loaded.decide(single).copies[0])
        why = loaded.rule.why(single)
    except ValueError as error:
        return f"its scores are not those of then: {error}"
    if decided != copies:
        return f"scores, domain or shard have changed since (now it would be {decided} copies)"
    if loaded.is_dropped(single)[0]:
        return "a better near-duplicate is kept in its place"
    return why.short


def _tables(rows: MixRows, asset: str, only: str | None = None) -> dict[str, pl.DataFrame]:
    """The kept tables of an asset, by their names: all, or one of them."""
    found = {}
    for name, fingerprint in rows.manifest["tables"].items():
        folder, _, file = name.partition("/")
        wanted = f"{only}.parquet" if only is not None else file
        if folder == asset and file.endswith(".parquet") and file == wanted:
            path = kept_table(rows.store, rows.mix, fingerprint)
            if not path.exists():
                raise MissingOutputError(f"{path} is gone, a table of the rule of {rows}")
            found[file.removesuffix(".parquet")] = rows.store.read_table(path)
    return found
