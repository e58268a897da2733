"""Write an input file into the lake as a table of documents and a table of quarantined rows."""

from dataclasses import dataclass

from quadmix_assets.corpus.discovery import InputShard
from quadmix_assets.corpus.normalize import QUARANTINE_SCHEMA, documents_schema, normalize
from quadmix_assets.corpus.readers import MissingIdColumnError, read_sample
from quadmix_assets.hashing import hash_file
from quadmix_assets.outputs import QUARANTINE, RAW_SHARDS
from quadmix_assets.settings import CorpusSettings
from quadmix_assets.store import Store

_SAMPLE_ROWS = 100


@dataclass(frozen=True)
class RawShardSummary:
    """Counts of the rows of one input file.

    Attributes:
        n_rows: rows of the file.
        n_documents: rows that became documents.
        n_bytes: bytes of the documents' texts in UTF-8.
        quarantined: number of quarantined rows by reason.
        checksum: xxh3-128 of the input file's bytes.
        absent_columns: the columns that the settings name and no row of the file has.
    """

    n_rows: int
    n_documents: int
    n_bytes: int
    quarantined: dict[str, int]
    checksum: str
    absent_columns: tuple[str, ...]

    @property
    def n_quarantined(self) -> int:
        """Number of quarantined rows."""
        return sum(self.quarantined.values())

    @property
    def quarantine_share(self) -> float:
        """Quarantined rows as a share of all rows."""
        return self.n_quarantined / self.n_rows if self.n_rows else 0.0


def write_raw_shard(store: Store, shard: InputShard, settings: CorpusSettings) -> RawShardSummary:
    """Normalize `shard` into the lake, batch by batch.

    Raises:
        UnreadableShardError: the file as a whole cannot be used; nothing is written.
        MissingIdColumnError: the profile names an id column, and no row has it; nothing is written.
    """
    quarantined: dict[str, int] = {}
    n_bytes = 0
    present: frozenset[str] = frozenset()
    checksum = hash_file(shard.path)
    documents_path = store.table_path(RAW_SHARDS, shard.key)
    with (
        store.table_writer(documents_path, documents_schema(settings.carried_columns)) as documents,
        store.table_writer(store.table_path(QUARANTINE, shard.key), QUARANTINE_SCHEMA) as rejected,
    ):
        for batch in normalize(
            shard.path,
            shard_key=shard.key,
            text_column=settings.text_column,
            id_column=settings.id_column,
            source_column=settings.source_column,
            carried_columns=settings.carried_columns,
            max_text_bytes=settings.max_text_bytes,
        ):
            documents.write(batch.documents)
            rejected.write(batch.quarantined)
            present = batch.present
            n_bytes += sum(batch.documents.column("n_bytes").to_pylist())
            for reason in batch.quarantined.column("reason").to_pylist():
                quarantined[reason] = quarantined.get(reason, 0) + 1
        absent = _absent_columns(settings, present) if documents.n_rows else ()
        id_column = settings.id_column
        if id_column is not None and settings.names_id_column and id_column in absent:
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
        documents.describe(
            {
                "input": {"file": shard.path.name, "checksum": checksum},
                "n_rows": summary.n_rows,
                "n_documents": summary.n_documents,
                "n_bytes": n_bytes,
                "quarantined": summary.quarantined,
                "absent_columns": absent,
            }
        )
    return summary


def read_summary(store: Store, key: str) -> RawShardSummary:
    """The summary of a shard, from the footer of its table in the lake.

    Raises:
        MissingOutputError: the shard has not been materialised in raw_shards.
    """
    stored = store.summary(store.table_path(RAW_SHARDS, key))
    return RawShardSummary(
        n_rows=stored["n_rows"],
        n_documents=stored["n_documents"],
        n_bytes=stored["n_bytes"],
        quarantined=stored["quarantined"],
        checksum=stored["input"]["checksum"],
        # Tables written by version 0.1 lack this entry.
        absent_columns=tuple(stored.get("absent_columns", ())),
    )


def _absent_columns(settings: CorpusSettings, present: frozenset[str]) -> tuple[str, ...]:
    named = [settings.id_column, settings.source_column, *settings.carried_columns]
    return tuple(name for name in named if name is not None and name not in present)
