"""What the tests of the readers share."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from upath import UPath

from quadmix_assets.corpus.normalize import QUARANTINE_SCHEMA, documents_schema, normalize

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
AWKWARD = CORPUS / "awkward"


def needs_corpus(test: object) -> object:
    """Skip a test where the real corpus does not lie beside the checkout."""
    reason = f"the real corpus is not there ({CORPUS}); small files test the same rules"
    return pytest.mark.corpus(pytest.mark.skipif(not AWKWARD.is_dir(), reason=reason)(test))


def read(
    path: Path | UPath,
    *,
    shard_key: str = "shard",
    text: str = "text",
    id_column: str | None = "id",
    source: str | None = "source",
    carried: Mapping[str, str] | None = None,
    max_text_bytes: int = 4_000_000,
    batch_rows: int = 4096,
) -> tuple[pa.Table, pa.Table]:
    """All documents and all quarantined rows of a file."""
    batches = list(
        normalize(
            UPath(path),
            shard_key=shard_key,
            text_column=text,
            id_column=id_column,
            source_column=source,
            carried_columns=carried or {},
            max_text_bytes=max_text_bytes,
            batch_rows=batch_rows,
        )
    )
    schema = documents_schema(carried or {})
    for batch in batches:
        assert batch.documents.schema == schema
        assert batch.quarantined.schema == QUARANTINE_SCHEMA
        batch.documents.validate(full=True)
        batch.quarantined.validate(full=True)
    documents = pa.concat_tables([schema.empty_table(), *(b.documents for b in batches)])
    quarantined = pa.concat_tables(
        [QUARANTINE_SCHEMA.empty_table(), *(b.quarantined for b in batches)]
    )
    return documents, quarantined


def reasons(quarantined: pa.Table) -> dict[int, str]:
    """Row -> reason."""
    rows = quarantined.to_pylist()
    return {row["row"]: row["reason"] for row in rows}
