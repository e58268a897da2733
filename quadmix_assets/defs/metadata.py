"""Metadata that assets show in the UI: figures, tables, counts, cost."""

import base64
import resource
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import dagster as dg
import polars as pl
from matplotlib.figure import Figure
from upath import UPath

from quadmix_assets.defs.resources import SETTINGS
from quadmix_assets.figures import png_of, svg_of
from quadmix_assets.outputs import PLOTS
from quadmix_assets.report.columns import describe
from quadmix_assets.report.markdown import table
from quadmix_assets.store import DamagedOutputError, Store, carded_file, open_table

_DAGSTER_TYPES = {pl.String: "string", pl.Boolean: "bool"}
# Of the rows that are shown of a table; the events of partitions should stay small.
_SAMPLE_ROWS = 5
_SAMPLE_COLUMNS = 16
_SAMPLE_TEXT = 60


def figure(store: Store, asset: str, name: str, fig: Figure) -> dg.MetadataValue:
    """Save a figure in the lake's folder of plots; return it for display in the UI.

    As PNG, which the UI shows, and as SVG, which the report does.
    """
    png = png_of(fig)
    for suffix, content in (("png", png), ("svg", svg_of(fig, f"{asset}.{name}"))):
        with carded_file(store.path(PLOTS, f"{asset}.{name}.{suffix}")) as file:
            file.write(content)
    return dg.MetadataValue.md(f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})")


def markdown_table(frame: pl.DataFrame, markdown: Collection[str] = ()) -> dg.MetadataValue:
    """A small table as Markdown; only the cells of the columns `markdown` are marked up."""
    return dg.MetadataValue.md(table(frame, markdown))


def readable_table(frame: pl.DataFrame) -> dg.MetadataValue:
    """A small table that is no file of the lake: its headings are words, without underscores."""
    return markdown_table(frame.rename({name: name.replace("_", " ") for name in frame.columns}))


# Per column, what it is made from: pairs of asset and column.
Lineage = Mapping[str, Sequence[tuple[str, str]]]


def table_metadata(
    path: UPath,
    schema: Mapping[str, Any],
    n_rows: int | None = None,
    lineage: Lineage | None = None,
) -> dict[str, Any]:
    """A table's path, columns with their meaning, lineage, number of rows, and first rows.

    Path, columns, lineage and number of rows are under the keys that Dagster knows.

    Args:
        path: `<lake>/<asset>/<name>.parquet`; the columns are described as those of the asset.
        schema: types by column.
        n_rows: the table's rows.
        lineage: what each column is made from.
    """
    metadata: dict[str, Any] = {
        "dagster/uri": str(path),
        **columns_metadata(path.parent.name, schema, lineage),
    }
    if n_rows is not None:
        metadata["dagster/row_count"] = n_rows
    if path.exists():
        metadata["first_rows"] = first_rows(path)
    return metadata


def place_metadata(path: UPath, n_rows: int) -> dict[str, Any]:
    """Where a table is and how many rows it has, under the keys that Dagster knows."""
    return {"dagster/uri": str(path), "dagster/row_count": n_rows}


def columns_metadata(
    output: str, schema: Mapping[str, Any], lineage: Lineage | None = None
) -> dict[str, Any]:
    """The columns of an output's tables with their meaning, and what each is made from."""
    columns = [_column(output, name, dtype) for name, dtype in schema.items()]
    metadata: dict[str, Any] = {"dagster/column_schema": dg.TableSchema(columns=columns)}
    if lineage is not None:
        metadata["dagster/column_lineage"] = lineage_metadata(lineage)
    return metadata


def lineage_metadata(lineage: Lineage) -> dg.TableColumnLineage:
    """What columns are made from, as Dagster keeps it."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(dg.AssetKey(asset), name) for asset, name in sources]
            for column, sources in lineage.items()
        }
    )


def _column(output: str, name: str, dtype: Any) -> dg.TableColumn:
    kind = _DAGSTER_TYPES.get(type(dtype), str(dtype).lower())
    described = describe(output, name, SETTINGS)
    if described is None:
        return dg.TableColumn(name=name, type=kind)
    constraints = dg.TableColumnConstraints(nullable=described.nullable, unique=described.unique)
    return dg.TableColumn(name=name, type=kind, description=str(described), constraints=constraints)


def first_rows(path: UPath) -> dg.MetadataValue:
    """The first rows of a Parquet table as Markdown: long texts cut, at most a dozen columns."""
    with open_table(path) as parquet:
        names = parquet.schema_arrow.names
        batches = parquet.iter_batches(batch_size=_SAMPLE_ROWS, columns=names[:_SAMPLE_COLUMNS])
        first = next(batches, None)
    if first is None or not first.num_rows:
        return dg.MetadataValue.md("_no rows_")
    rows = cast(pl.DataFrame, pl.from_arrow(first))
    shown = pl.DataFrame(
        {name: [_excerpt(value) for value in rows[name]] for name in rows.columns},
        # A column of numbers may hold words for what is missing.
        schema=dict.fromkeys(rows.columns, pl.Object),
    )
    left_out = len(names) - rows.width
    note = f"\n\n{left_out} further columns are not shown." if left_out else ""
    return dg.MetadataValue.md(f"{markdown_table(shown).value}{note}")


def _excerpt(value: object) -> object:
    if value is None or isinstance(value, (float, bool)):
        return value
    text = ", ".join(map(str, value[:_SAMPLE_TEXT])) if isinstance(value, pl.Series) else str(value)
    # Cut before it is split, so that a document of megabytes is not read for one line.
    shown = " ".join(text[: 8 * _SAMPLE_TEXT].split())
    is_cut = len(shown) > _SAMPLE_TEXT or len(text) > 8 * _SAMPLE_TEXT
    return shown[: _SAMPLE_TEXT - 1] + "…" if is_cut else shown


class Cost:
    """Wall time of a block and the process's peak memory at its end."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def metadata(
        self,
        *,
        n_documents: int | None = None,
        n_tokens: int | None = None,
        n_bytes: int | None = None,
    ) -> dict[str, Any]:
        """Seconds since the start, the throughput, and the peak resident memory of the process.

        Args:
            n_documents, n_tokens, n_bytes: what the block has processed; None shows no rate.
        """
        seconds = time.perf_counter() - self._start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        scale = 2**20 if sys.platform == "darwin" else 2**10
        amounts = {
            "documents_per_second": n_documents,
            "tokens_per_second": n_tokens,
            "mb_per_second": None if n_bytes is None else n_bytes / 1e6,
        }
        return {
            "seconds": round(seconds, 3),
            **{
                name: float(f"{amount / max(seconds, 1e-6):.4g}")
                for name, amount in amounts.items()
                if amount is not None
            },
            "process_peak_mib": round(peak / scale, 1),
        }


@contextmanager
def clear_errors(*expected: type[Exception]) -> Iterator[None]:
    """Report expected errors and damaged outputs by their message alone, and do not retry them.

    Raises:
        dg.Failure: one of these errors was raised inside.
    """
    failures: tuple[type[Exception], ...] = (*expected, DamagedOutputError)
    try:
        yield
    except failures as error:
        raise dg.Failure(str(error), allow_retries=False) from error
