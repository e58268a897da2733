"""The arguments and results of all readers, independent of the file format."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from quadmix_assets.corpus.readers.errors import Reason

MAX_EXCERPT_CHARACTERS = 200


@dataclass(frozen=True)
class Columns:
    """The input columns to read; "a.b" means field b of column a where no column is named "a.b".

    Attributes:
        text: column of the document's text.
        id: column of its id; None without one.
        source: column of its source; None without one.
        carried: columns that go through to the mix, each with its type: string, int, float or bool.
    """

    text: str
    id: str | None = None
    source: str | None = None
    carried: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All named columns, each once."""
        named = [self.text, self.id, self.source, *self.carried]
        return list(dict.fromkeys(name for name in named if name is not None))


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that cannot be used.

    Attributes:
        row: counted from 1; the line number in JSON lines.
        id: of the document, where it is known.
        reason: a code, stable between versions.
        detail: an explanation for the user.
        excerpt: the start of the row or of its text.
    """

    row: int
    id: str | None
    reason: Reason
    detail: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """Consecutive rows of a file: R usable ones as arrays (R,), and the rejected ones.

    Attributes:
        rows: int64, row numbers from 1.
        text: large_string, without nulls.
        ids, source: string, null where the input has no value.
        carried: by column, an array with null where the input has no value.
        rejected: the rows that cannot be used.
        present: the requested columns that exist: in the schema of a Parquet file, in any row so
            far of JSON lines.
    """

    rows: pa.Array
    text: pa.Array
    ids: pa.Array
    source: pa.Array
    carried: dict[str, pa.Array]
    rejected: list[Rejection]
    present: frozenset[str]

    @property
    def n_rows(self) -> int:
        """Usable and rejected rows."""
        return len(self.rows) + len(self.rejected)


def excerpt(value: object) -> str:
    """The first 200 characters of a text, of bytes (undecodable ones replaced) or of a repr."""
    if isinstance(value, bytes):
        value = value[: 4 * MAX_EXCERPT_CHARACTERS].decode(errors="replace")
    elif not isinstance(value, str):
        value = repr(value)
    return value[:MAX_EXCERPT_CHARACTERS]
