"""One input file becomes one normalised Parquet table and one quarantine table."""

from dataclasses import dataclass

from quadmix_assets.corpus.discovery import InputShard
from quadmix_assets.corpus.normalise import QUARANTINE_SCHEMA, documents_schema, normalise
from quadmix_assets.hashing import hash_file
from quadmix_assets.outputs import QUARANTINE, RAW_SHARDS
from quadmix_assets.settings import CorpusSettings
from quadmix_assets.store import Store


@dataclass(frozen=True)
class RawShardSummary:
    """What became of the rows of one input file."""

    n_rows: int
    n_documents: int
    n_bytes: int
    quarantined: dict[str, int]
    checksum: str

    @property
    def n_quarantined(self) -> int:
        """Rows that could not be used."""
        return sum(self.quarantined.values())

    @property
    def quarantine_share(self) -> float:
        """Share of the rows that could not be used."""
        return self.n_quarantined / self.n_rows if self.n_rows else 0.0


def write_raw_shard(store: Store, shard: InputShard, settings: CorpusSettings) -> RawShardSummary:
    """Normalise `shard` into the lake, in a stream.

    Raises:
        UnreadableShardError: the file as a whole cannot be used; nothing is written.
    """
    quarantined: dict[str, int] = {}
    n_bytes = 0
    checksum = hash_file(shard.path)
    documents_path = store.table_path(RAW_SHARDS, shard.key)
    with (
        store.table_writer(documents_path, documents_schema(settings.carried_columns)) as documents,
        store.table_writer(store.table_path(QUARANTINE, shard.key), QUARANTINE_SCHEMA) as rejected,
    ):
        for batch in normalise(
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
            n_bytes += sum(batch.documents.column("n_bytes").to_pylist())
            for reason in batch.quarantined.column("reason").to_pylist():
                quarantined[reason] = quarantined.get(reason, 0) + 1
        summary = RawShardSummary(
            n_rows=documents.n_rows + rejected.n_rows,
            n_documents=documents.n_rows,
            n_bytes=n_bytes,
            quarantined=dict(sorted(quarantined.items())),
            checksum=checksum,
        )
        documents.describe(
            {
                "input": {"file": shard.path.name, "checksum": checksum},
                "n_rows": summary.n_rows,
                "n_documents": summary.n_documents,
                "n_bytes": n_bytes,
                "quarantined": summary.quarantined,
            }
        )
    return summary


def read_summary(store: Store, key: str) -> RawShardSummary:
    """The summary of a shard that was written before, from its footer."""
    stored = store.summary(store.table_path(RAW_SHARDS, key))
    return RawShardSummary(
        n_rows=stored["n_rows"],
        n_documents=stored["n_documents"],
        n_bytes=stored["n_bytes"],
        quarantined=stored["quarantined"],
        checksum=stored["input"]["checksum"],
    )
