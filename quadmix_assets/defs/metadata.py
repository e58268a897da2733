"""Metadata that assets show in the UI: figures, tables, counts, cost."""

import base64
import io
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import polars as pl
from matplotlib.figure import Figure
from upath import UPath

from quadmix_assets.outputs import PLOTS
from quadmix_assets.store import Store, atomic_file

_DAGSTER_TYPES = {pl.String: "string", pl.Boolean: "bool"}


def figure(store: Store, asset: str, name: str, fig: Figure) -> dg.MetadataValue:
    """Save a figure as PNG in the lake's folder of plots; return it for display in the UI."""
    buffer = io.BytesIO()
    # Without the library's version in the PNG's header, equal figures have equal bytes.
    fig.savefig(buffer, format="png", dpi=100, bbox_inches="tight", metadata={"Software": None})
    png = buffer.getvalue()
    with atomic_file(store.path(PLOTS, f"{asset}.{name}.png")) as file:
        file.write(png)
    return dg.MetadataValue.md(f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})")


def markdown_table(frame: pl.DataFrame) -> dg.MetadataValue:
    """A small table as Markdown."""

    def cell(value: object) -> str:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        return text.replace("|", "\\|").replace("\n", " ")

    lines = [
        "| " + " | ".join(frame.columns) + " |",
        "|" + " --- |" * frame.width,
        *("| " + " | ".join(cell(value) for value in row) + " |" for row in frame.iter_rows()),
    ]
    return dg.MetadataValue.md("\n".join(lines))


# Per column, what it is made from: pairs of asset and column.
Lineage = Mapping[str, Sequence[tuple[str, str]]]


def table_metadata(
    path: UPath,
    schema: Mapping[str, Any],
    n_rows: int | None = None,
    lineage: Lineage | None = None,
) -> dict[str, Any]:
    """A table's path, columns, their lineage, and number of rows, under Dagster's own keys."""
    columns = [
        dg.TableColumn(name=name, type=_DAGSTER_TYPES.get(type(dtype), str(dtype).lower()))
        for name, dtype in schema.items()
    ]
    metadata: dict[str, Any] = {
        "dagster/uri": str(path),
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }
    if lineage is not None:
        metadata["dagster/column_lineage"] = dg.TableColumnLineage(
            {
                column: [dg.TableColumnDep(dg.AssetKey(asset), name) for asset, name in sources]
                for column, sources in lineage.items()
            }
        )
    if n_rows is not None:
        metadata["dagster/row_count"] = n_rows
    return metadata


class Cost:
    """Wall time of a block and the process's peak memory at its end."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def metadata(self) -> dict[str, Any]:
        """Seconds since the start, and the peak resident memory of the process so far."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        scale = 2**20 if sys.platform == "darwin" else 2**10
        return {
            "seconds": round(time.perf_counter() - self._start, 3),
            "process_peak_mib": round(peak / scale, 1),
        }


@contextmanager
def clear_errors(*expected: type[Exception]) -> Iterator[None]:
    """Report expected errors by their message alone, and do not retry them.

    Raises:
        dg.Failure: one of the expected errors was raised inside.
    """
    try:
        yield
    except expected as error:
        raise dg.Failure(str(error), allow_retries=False) from error
