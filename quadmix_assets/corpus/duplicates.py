"""Find document ids that occur more than once in the pool."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BATCH_ROWS = 100_000
_MAX_SHARDS_SHOWN = 20


@dataclass(frozen=True)
class DuplicateIds:
    """Ids that more than one document has.

    Attributes:
        n_duplicate_ids: number of such ids.
        n_documents_affected: number of documents with such an id.
        examples: the ids that occur most often (ties by id), each with the shards of its
            occurrences, at most 20; a shard that holds the id twice is named twice.
    """

    n_duplicate_ids: int
    n_documents_affected: int
    examples: list[tuple[str, list[str]]]


def find_duplicate_ids(
    paths: Sequence[str | UPath], *, max_examples: int = 20, memory_limit: str = "1GB"
) -> DuplicateIds:
    """Find repeated values in the `id` columns of normalized shards.

    A shard is named by its file's stem. Memory stays within about `memory_limit` (DuckDB's
    notation); what does not fit is spilled to a temporary folder. The ids are read twice if there
    are duplicates, else once.

    Raises:
        ValueError: a file has no `id` column.
    """
    # Imported late: Dagster keeps modules that it loaded alive at the interpreter's end, where
    # DuckDB's bindings then print a page of warnings about everything that was not freed.
    import duckdb

    files = [UPath(path) for path in paths]
    with tempfile.TemporaryDirectory() as spill, duckdb.connect() as connection:
        connection.execute("SET memory_limit = ?", [memory_limit])
        connection.execute("SET temp_directory = ?", [spill])
        connection.execute("SET preserve_insertion_order = false")
        # Hashes take eight bytes per id, whatever its length. Two ids may share a hash, so
        # repeated hashes are candidates only.
        connection.execute("CREATE TABLE hashes (h UBIGINT)")
        _scan(connection, files, "INSERT INTO hashes SELECT hash(id) FROM ids")
        connection.execute(
            "CREATE TABLE candidates AS SELECT h FROM hashes GROUP BY h HAVING count(*) > 1"
        )
        connection.execute("DROP TABLE hashes")
        if not connection.execute("SELECT h FROM candidates LIMIT 1").fetchall():
            return DuplicateIds(0, 0, [])
        connection.execute("CREATE TABLE suspects (id VARCHAR, shard INTEGER)")
        _scan(
            connection,
            files,
            "INSERT INTO suspects SELECT id, shard FROM ids "
            "WHERE hash(id) IN (SELECT h FROM candidates)",
        )
        connection.execute(
            "CREATE TABLE duplicates AS "
            "SELECT id, count(*) AS n FROM suspects GROUP BY id HAVING count(*) > 1"
        )
        ((n_ids, n_documents),) = connection.execute(
            "SELECT count(*), coalesce(sum(n), 0) FROM duplicates"
        ).fetchall()
        examples = []
        for (id_,) in connection.execute(
            "SELECT id FROM duplicates ORDER BY n DESC, id LIMIT ?", [max_examples]
        ).fetchall():
            shards = connection.execute("SELECT shard FROM suspects WHERE id = ?", [id_]).fetchall()
            names = sorted(files[shard].stem for (shard,) in shards)
            examples.append((id_, names[:_MAX_SHARDS_SHOWN]))
    return DuplicateIds(int(n_ids), int(n_documents), examples)


def _scan(connection: "DuckDBPyConnection", files: Sequence[UPath], query: str) -> None:
    """Run `query` once per batch of ids; in it, the batch is the view `ids` (id, shard)."""
    for batch in _ids(files):
        connection.register("ids", batch)
        connection.execute(query)
        connection.unregister("ids")


def _ids(files: Sequence[UPath]) -> Iterator[pa.Table]:
    for shard, path in enumerate(files):
        with path.open("rb") as stream, pq.ParquetFile(stream) as file:
            if "id" not in file.schema_arrow.names:
                raise ValueError(
                    f"{path}: expected a normalized shard with a column 'id', found the columns "
                    f"{', '.join(file.schema_arrow.names)}. Materialise raw_shards again."
                )
            for batch in file.iter_batches(_BATCH_ROWS, columns=["id"]):
                shards = pa.repeat(pa.scalar(shard, pa.int32()), batch.num_rows)
                yield pa.table({"id": batch.column(0), "shard": shards})
