"""`quadmix sql`: runs SQL queries over the lake's views, or lists the views."""

import csv
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal, TextIO

import orjson

from quadmix_assets.report.catalog import Catalog, open_catalog
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Format = Literal["table", "csv", "json"]
# Maximum rows of a printed table, and characters of a cell.
TABLE_ROWS = 100
CELL_WIDTH = 60
_BATCH_ROWS = 1_000
_UNKNOWN_TABLE = re.compile(r"Table with name (\S+) does not exist")

Rows = Iterator[Sequence[Any]]


class QueryError(Exception):
    """A query that cannot be answered; the message tells its author why."""


def answer(store: Store, settings: Settings, query: str | None, file_format: Format) -> int:
    """Write the result of a query, or the list of views if `query` is None, to standard output.

    Returns:
        The exit status: 0, or 2 for a query that cannot be answered.

    Raises:
        MissingOutputError: the lake holds nothing yet.
    """
    try:
        if query is None:
            list_views(store, settings, sys.stdout)
        else:
            run_query(store, settings, query, file_format, sys.stdout)
        sys.stdout.flush()
    except QueryError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe. Python flushes standard output at exit,
        # which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def run_query(
    store: Store, settings: Settings, query: str, file_format: Format, out: TextIO
) -> None:
    """Write the result of a query over the lake's views to `out`, row by row.

    Raises:
        QueryError: the query is invalid, or a file that it reads cannot be read.
        MissingOutputError: the lake holds nothing yet.
    """
    # Imported late: Dagster keeps modules that it loaded alive at the end of the interpreter, where
    # DuckDB's bindings then print a page of warnings about everything that was not freed.
    import duckdb

    with open_catalog(store, settings) as catalog:
        try:
            result = catalog.connection.execute(query)
            if result is None or result.description is None:
                raise QueryError("the query is empty")
            names = [name for name, *_ in result.description]
            _WRITERS[file_format](names, _rows(result), out)
        except duckdb.Error as error:
            raise QueryError(_explained(str(error), catalog)) from error


def list_views(store: Store, settings: Settings, out: TextIO) -> None:
    """Write the names of the views to `out`, with what they hold and the meaning of every column.

    Raises:
        MissingOutputError: the lake holds nothing yet.
    """
    with open_catalog(store, settings) as catalog:
        for view, columns in catalog.views.items():
            out.write(f"{view.name}\n  {view.comment}\n")
            width = max(len(column.name) for column in columns)
            for column in columns:
                out.write(f"    {column.name:<{width}}  {column.type:<8}  {column.meaning}\n")
            out.write("\n")
        for name, output in catalog.missing.items():
            out.write(f"{name}: not there yet, materialise {output}\n")


def _rows(result: "DuckDBPyConnection") -> Rows:
    while batch := result.fetchmany(_BATCH_ROWS):
        yield from batch


def _write_csv(names: Sequence[str], rows: Rows, out: TextIO) -> None:
    csv.writer(out, lineterminator="\n").writerows(chain([names], rows))


def _write_json(names: Sequence[str], rows: Rows, out: TextIO) -> None:
    separator = "[\n"
    for row in rows:
        record = dict(zip(names, row, strict=True))
        out.write(separator + orjson.dumps(record, default=str).decode())
        separator = ",\n"
    out.write("[]\n" if separator == "[\n" else "\n]\n")


def _write_table(names: Sequence[str], rows: Rows, out: TextIO) -> None:
    """Aligned columns, numbers to the right; the first `TABLE_ROWS` rows only."""
    shown = list(islice(rows, TABLE_ROWS))
    more = next(rows, None) is not None
    cells = [[_cell(value) for value in row] for row in shown]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    is_number = [any(isinstance(row[n], int | float) for row in shown) for n in range(len(names))]

    def line(values: Sequence[str]) -> str:
        aligned = (
            value.rjust(width) if right else value.ljust(width)
            for value, width, right in zip(values, widths, is_number, strict=True)
        )
        return "  ".join(aligned).rstrip() + "\n"

    out.write(line(names))
    out.write(line(["-" * width for width in widths]))
    out.writelines(line(row) for row in cells)
    if more:
        out.write(f"(the first {TABLE_ROWS} rows; --format csv or json writes all)\n")


_WRITERS: dict[Format, Callable[[Sequence[str], Rows, TextIO], None]] = {
    "table": _write_table,
    "csv": _write_csv,
    "json": _write_json,
}


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= CELL_WIDTH else text[: CELL_WIDTH - 1] + "…"


def _explained(message: str, catalog: Catalog) -> str:
    """DuckDB's message without the query, or for an unknown view the ones that there are."""
    unknown = _UNKNOWN_TABLE.search(message)
    if unknown is None:
        return message.split("\n\n")[0]
    name = unknown[1]
    if output := catalog.missing.get(name.lower()):
        return f"the view {name} is not there yet: materialise the asset {output!r} first"
    names = ", ".join(view.name for view in catalog.views)
    return f"there is no view {name}; there are {names} (`quadmix sql` describes them)"
