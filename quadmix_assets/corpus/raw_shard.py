"""Write an input file into the lake as a table of documents and a table of quarantined rows.

A file that cannot be used is set aside: its two tables have no rows, and the footer says why.
"""

import errno
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa

from quadmix_assets.corpus.discovery import InputShard, present_fingerprint
from quadmix_assets.corpus.document_ids import DocumentIds
from quadmix_assets.corpus.normalize import (
    QUARANTINE_SCHEMA,
    NormalizedBatch,
    documents_schema,
    normalize,
)
from quadmix_assets.corpus.readers import MissingIdColumnError, UnreadableShardError, read_sample
from quadmix_assets.corpus.set_aside import Kind, SetAside
from quadmix_assets.faults import is_fault, may_pass
from quadmix_assets.hashing import hash_file
from quadmix_assets.outputs import QUARANTINE, RAW_SHARDS
from quadmix_assets.settings import CorpusSettings
from quadmix_assets.store import Store, is_local

NO_CONTENT = "set aside"
"""What stands for the checksum of the file of a shard that is set aside: its table is empty."""
_SAMPLE_ROWS = 100
# Seconds before a file that changed, or a storage that did not answer, is tried again.
_PAUSES = (1.0, 4.0)
# Operating system errors that do not pass by themselves.
_LASTING = frozenset({errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOENT, errno.ENOTDIR})


@dataclass(frozen=True)
class RawShardSummary:
    """Counts of the rows of one input file.

    Attributes:
        n_rows: rows of the file; 0 if it is set aside.
        n_documents: rows that became documents.
        n_bytes: bytes of the documents' texts in UTF-8.
        quarantined: number of quarantined rows by reason.
        checksum: xxh3-128 of the input file's bytes, or `NO_CONTENT`.
        absent_columns: the columns that the settings name and no row of the file has.
        set_aside: why the shard has no documents in the pool; None if it is accepted.
    """

    n_rows: int
    n_documents: int
    n_bytes: int
    quarantined: dict[str, int]
    checksum: str
    absent_columns: tuple[str, ...]
    set_aside: SetAside | None = None

    @property
    def n_quarantined(self) -> int:
        """Number of quarantined rows."""
        return sum(self.quarantined.values())

    @property
    def quarantine_share(self) -> float:
        """Quarantined rows as a share of all rows."""
        return self.n_quarantined / self.n_rows if self.n_rows else 0.0


class _InputError(Exception):
    """The storage of an input file reported an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _ChangedError(Exception):
    """An input file was written to while it was read."""


class _DuplicateError(Exception):
    """Another shard holds the ids or the content of this one."""

    def __init__(self, reason: SetAside) -> None:
        super().__init__(reason.message)
        self.reason = reason


def write_raw_shard(
    store: Store, shard: InputShard, settings: CorpusSettings, claims: DocumentIds | None = None
) -> RawShardSummary:
    """Normalize `shard` into the lake, batch by batch, or set it aside.

    A file that changes while it is read, or whose storage does not answer, is read three times in
    all before it is set aside.

    Args:
        store: the lake.
        shard: the input file.
        settings: which columns are used.
        claims: the ids of all shards, for a run over many of them; read from the lake by default.
    """
    claims = DocumentIds(store) if claims is None else claims
    reason = None
    for pause in (*_PAUSES, 0.0):
        try:
            return _write_accepted(store, shard, settings, claims)
        except _DuplicateError as error:
            reason = error.reason
            break
        except (UnreadableShardError, _InputError) as error:
            reason = _unusable(error)
            if reason.kind is not Kind.UNREACHABLE:
                break
        except _ChangedError:
            reason = SetAside(
                Kind.CHANGING,
                "it was written to each time that it was read. It is read again when it has not "
                "changed for automation.settle_seconds; writers that need longer can set a done "
                "marker (automation.done_marker).",
            )
        time.sleep(pause)
    assert reason is not None
    return write_set_aside(store, shard.key, settings, reason, claims)


def write_set_aside(
    store: Store,
    key: str,
    settings: CorpusSettings,
    reason: SetAside,
    claims: DocumentIds | None = None,
) -> RawShardSummary:
    """Give the shard `key` tables without rows, and its ids free for other shards."""
    claims = DocumentIds(store) if claims is None else claims
    summary = RawShardSummary(0, 0, 0, {}, NO_CONTENT, (), reason)
    with claims.lock():
        claims.set_aside(key, reason)
        documents_path = store.table_path(RAW_SHARDS, key)
        schema = documents_schema(settings.carried_columns)
        with (
            store.table_writer(documents_path, schema) as documents,
            store.table_writer(store.table_path(QUARANTINE, key), QUARANTINE_SCHEMA),
        ):
            documents.describe(_footer(summary, key))
    return summary


def read_summary(store: Store, key: str) -> RawShardSummary:
    """The summary of a shard, from the footer of its table in the lake.

    Raises:
        MissingOutputError: the shard has not been materialised in raw_shards.
    """
    return summary_of(store.summary(store.table_path(RAW_SHARDS, key)))


def summary_of(stored: Mapping[str, Any]) -> RawShardSummary:
    """The summary of a shard, from what the footer of its table holds."""
    set_aside = stored.get("set_aside")
    return RawShardSummary(
        n_rows=stored["n_rows"],
        n_documents=stored["n_documents"],
        n_bytes=stored["n_bytes"],
        quarantined=stored["quarantined"],
        checksum=stored["input"]["checksum"],
        # Tables written by version 0.1 lack this entry.
        absent_columns=tuple(stored.get("absent_columns", ())),
        set_aside=None if set_aside is None else SetAside.of_json(set_aside),
    )


def _write_accepted(
    store: Store, shard: InputShard, settings: CorpusSettings, claims: DocumentIds
) -> RawShardSummary:
    """Write the tables of a shard and claim its ids.

    Raises:
        UnreadableShardError: the file as a whole cannot be used.
        MissingIdColumnError: the profile names an id column, and no row has it.
        _InputError: the storage of the file reported an error.
        _ChangedError: the file was written to meanwhile.
        _DuplicateError: another shard holds ids of it, or has the same content.
        (In all cases nothing is written.)
    """
    quarantined: dict[str, int] = {}
    n_bytes = 0
    present: frozenset[str] = frozenset()
    ids: list[pa.ChunkedArray] = []
    before = _version(shard)
    checksum = _checksum(shard)
    documents_path = store.table_path(RAW_SHARDS, shard.key)
    # The lock is released after the tables have been published: another process that finds the
    # claim can compare ids with the table.
    with (
        ExitStack() as held,
        store.table_writer(documents_path, documents_schema(settings.carried_columns)) as documents,
        store.table_writer(store.table_path(QUARANTINE, shard.key), QUARANTINE_SCHEMA) as rejected,
    ):
        try:
            for batch in _batches(shard, settings):
                documents.write(batch.documents)
                rejected.write(batch.quarantined)
                present = batch.present
                ids.append(batch.documents.column("id"))
                n_bytes += sum(batch.documents.column("n_bytes").to_pylist())
                for reason in batch.quarantined.column("reason").to_pylist():
                    quarantined[reason] = quarantined.get(reason, 0) + 1
        except UnreadableShardError as error:
            if _unusable(error).kind is Kind.UNREADABLE and _version(shard) != before:
                raise _ChangedError from error
            raise
        # Local files are hashed again: a clock may be too coarse to tell two writes apart.
        if _version(shard) != before or (is_local(shard.path) and _checksum(shard) != checksum):
            raise _ChangedError
        absent = _absent_columns(settings, present) if documents.n_rows else ()
        id_column = settings.id_column
        if id_column is not None and settings.names_id_column and id_column in absent:
            with _reading():
                columns = read_sample(shard.path, n_rows=_SAMPLE_ROWS).columns
            raise MissingIdColumnError.of(shard.path, id_column, columns)
        summary = RawShardSummary(
            n_rows=documents.n_rows + rejected.n_rows,
            n_documents=documents.n_rows,
            n_bytes=n_bytes,
            quarantined=dict(sorted(quarantined.items())),
            checksum=checksum,
            absent_columns=absent,
        )
        documents.describe(_footer(summary, shard.path.name))
        all_ids = list(chain.from_iterable(column.to_pylist() for column in ids))
        held.enter_context(claims.lock())
        duplicate = claims.duplicate(shard.key, all_ids, checksum)
        if duplicate is not None:
            raise _DuplicateError(duplicate)
        claims.accept(shard.key, all_ids, checksum)
    return summary


def _batches(shard: InputShard, settings: CorpusSettings) -> Iterator[NormalizedBatch]:
    batches = normalize(
        shard.path,
        shard_key=shard.key,
        text_column=settings.text_column,
        id_column=settings.id_column,
        source_column=settings.source_column,
        carried_columns=settings.carried_columns,
        max_text_bytes=settings.max_text_bytes,
    )
    with _reading():
        yield from batches


def _version(shard: InputShard) -> str:
    with _reading():
        return present_fingerprint(shard.path)


def _checksum(shard: InputShard) -> str:
    with _reading():
        return hash_file(shard.path)


@contextmanager
def _reading() -> Iterator[None]:
    """Tell errors of the storage of the input from those of the lake.

    Raises:
        _InputError: the operating system or a client of remote storage reported an error inside.
    """
    try:
        yield
    except Exception as error:
        if is_fault(error):
            raise _InputError(error) from error
        raise


def _unusable(error: UnreadableShardError | _InputError) -> SetAside:
    """Why a file could not be used, by the error of the storage that is behind it, if any."""
    cause = error.error if isinstance(error, _InputError) else error.__cause__
    if isinstance(cause, FileNotFoundError):
        return gone()
    is_lasting = isinstance(cause, OSError) and cause.errno in _LASTING
    if cause is not None and not is_lasting and (may_pass(cause) or _has_number(cause)):
        return SetAside(
            Kind.UNREACHABLE,
            f"its storage reported an error each time that it was read ({cause}). It is tried "
            "again from time to time; look after the storage or the network.",
        )
    if isinstance(error, UnreadableShardError):
        return SetAside(Kind.UNREADABLE, f"{error.reason} {error.remedy}")
    return SetAside(
        Kind.UNREADABLE, f"the file cannot be read ({cause}). Make it readable, or replace it."
    )


def _has_number(error: BaseException) -> bool:
    """Whether it is an error of the operating system, not of Arrow, which has damage as OSError."""
    return isinstance(error, OSError) and error.errno is not None


def gone() -> SetAside:
    """The reason for a shard whose file is not there."""
    return SetAside(
        Kind.GONE,
        "its file is not there any more. Put it back, or leave it: the shard is removed from the "
        "pool by the sensor discover_shards (or delete the partition: Partitions > shard).",
    )


def not_marked() -> SetAside:
    """The reason for a shard whose file has no done marker."""
    return SetAside(
        Kind.CHANGING,
        "its done marker (automation.done_marker) is not there: the file may still be written. It "
        "is read when the marker is there.",
    )


def _footer(summary: RawShardSummary, name: str) -> dict[str, Any]:
    footer: dict[str, Any] = {
        "input": {"file": name, "checksum": summary.checksum},
        "n_rows": summary.n_rows,
        "n_documents": summary.n_documents,
        "n_bytes": summary.n_bytes,
        "quarantined": summary.quarantined,
        "absent_columns": summary.absent_columns,
    }
    if summary.set_aside is not None:
        footer["set_aside"] = summary.set_aside.as_json()
    return footer


def _absent_columns(settings: CorpusSettings, present: frozenset[str]) -> tuple[str, ...]:
    named = [settings.id_column, settings.source_column, *settings.carried_columns]
    return tuple(name for name in named if name is not None and name not in present)
