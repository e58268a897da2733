"""The catalog: DuckDB views over the lake's Parquet files, no data copied.

`write_catalog` keeps the views in `catalog/catalog.duckdb`, for every program that reads DuckDB;
`open_catalog` makes them in memory, for the lake as it is now. Views name files by patterns, so
that they include new shards without being made again; outputs without any file have no view.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from upath import UPath

from quadmix_assets.outputs import (
    CATALOG,
    MIXES,
    PROXY_METRICS,
    PROXY_READS,
    QUARANTINE,
    RAW_SHARDS,
    mix_output,
)
from quadmix_assets.report.catalog_files import CatalogFiles
from quadmix_assets.report.comparison_views import comparison_views
from quadmix_assets.report.evidence_views import evidence_views
from quadmix_assets.report.mix_views import mix_views
from quadmix_assets.report.pool_views import pool_views
from quadmix_assets.report.proxy_views import proxy_views
from quadmix_assets.report.view import FILES, View, identifier, literal
from quadmix_assets.settings import Settings, assets_with_settings
from quadmix_assets.store import MissingOutputError, Store, carded_file, is_local, one_step

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CATALOG_FILE = "catalog.duckdb"
# The session variable for the root of a lake that is not where the catalog was written.
LAKE_VARIABLE = "lake"
_WRITTEN_BESIDE = {QUARANTINE: RAW_SHARDS, PROXY_READS: PROXY_METRICS}


@dataclass(frozen=True)
class Column:
    """A column of a view: its DuckDB type, its meaning and unit."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Catalog:
    """An open catalog.

    Attributes:
        connection: to a database with the views.
        views: with their columns.
        missing: names of views whose outputs have not been made, each with the asset that makes
            the first such output.
    """

    connection: "DuckDBPyConnection"
    views: Mapping[View, Sequence[Column]]
    missing: Mapping[str, str]

    def n_rows(self, view: View) -> int:
        """Rows of a view; of a table (`View.is_table`) only the footers of files are read."""
        ((n_rows,),) = self.connection.execute(f"SELECT count(*) FROM {view.name}").fetchall()
        return int(n_rows)


def write_catalog(store: Store, settings: Settings) -> UPath:
    """Write the catalog of the lake as it is now, whole or not at all.

    Raises:
        MissingOutputError: the lake holds nothing that a view could show.
    """
    path = store.path(CATALOG, CATALOG_FILE)
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / CATALOG_FILE
        with _made(store, settings, local):
            pass
        with carded_file(path) as file, local.open("rb") as made:
            shutil.copyfileobj(made, file)
    return path


@contextmanager
def open_catalog(store: Store, settings: Settings) -> Iterator[Catalog]:
    """The catalog of the lake as it is now, in memory.

    Raises:
        MissingOutputError: the lake holds nothing that a view could show.
    """
    with _made(store, settings, ":memory:") as catalog:
        yield catalog


@contextmanager
def _made(store: Store, settings: Settings, database: str | Path) -> Iterator[Catalog]:
    """A new database with all views for which there are files."""
    # Imported late: DuckDB prints warnings at the interpreter's end if Dagster loaded it early.
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {
            "autoinstall_known_extensions": False,
            "temp_directory": str(Path(folder) / "spilled"),
        }
        with duckdb.connect(database, config=options) as connection, one_step():
            if not is_local(store.root):
                connection.register_filesystem(CatalogFiles(store.root))
            yield _make_views(connection, store, settings, Path(folder) / "empty")


def _make_views(
    connection: "DuckDBPyConnection", store: Store, settings: Settings, folder: Path
) -> Catalog:
    """Create all views; `folder` receives a lake of empty tables.

    DuckDB opens the files of a view when the view is created. The lake is then the one of empty
    tables, each with the columns of the first file of its output, so that a catalog of thousands
    of shards takes no longer than one of a single shard.
    """
    places: dict[str, str] = {}
    columns = _write_empty_tables(store, folder, places)
    if not columns:
        raise MissingOutputError(
            f"{store.root} holds no tables yet: materialise the asset 'raw_shards' first"
        )
    views = [
        *pool_views(settings.score_names, columns),
        *proxy_views(settings.domain_names),
        *mix_views(settings.domain_names),
        *evidence_views(),
        *comparison_views(),
    ]
    missing = {
        view.name: _asset_of(next(one for one in view.outputs if one not in columns), settings)
        for view in views
        if not columns.keys() >= set(view.outputs)
    }
    # Some assets exist only where the settings ask for them.
    promised = {name: asset for name, asset in missing.items() if asset is not None}
    lake = literal(_escaped(str(store.root)))
    connection.execute(
        f"CREATE MACRO lake() AS coalesce(getvariable({literal(LAKE_VARIABLE)}), {lake})"
    )
    connection.execute(f"SET VARIABLE {LAKE_VARIABLE} = {literal(_escaped(str(folder)))}")
    made = {
        view: _make_view(connection, view, settings, places)
        for view in views
        if view.name not in missing
    }
    connection.execute(f"RESET VARIABLE {LAKE_VARIABLE}")
    return Catalog(connection, made, promised)


def _make_view(
    connection: "DuckDBPyConnection", view: View, settings: Settings, places: Mapping[str, str]
) -> list[Column]:
    """Create a view with its comments; return its columns, in order."""
    query = view.query
    for pattern, place in places.items():
        query = query.replace(literal(f"/{pattern}"), literal(f"/{place}"))
    connection.execute(f"CREATE VIEW {view.name} AS {query}")
    connection.execute(f"COMMENT ON VIEW {view.name} IS {literal(view.comment)}")
    rows = connection.execute(f"DESCRIBE {view.name}").fetchall()
    columns = [Column(name, kind, view.meaning(name, settings)) for name, kind, *_ in rows]
    for column in columns:
        name = f"{view.name}.{identifier(column.name)}"
        connection.execute(f"COMMENT ON COLUMN {name} IS {literal(column.meaning)}")
    return columns


def _write_empty_tables(store: Store, folder: Path, places: dict[str, str]) -> dict[str, list[str]]:
    """Write an empty table for every output that is there; return the columns of each.

    Args:
        store: the lake.
        folder: where they are written, at the same paths.
        places: receives the patterns of files that lie in a version of their folder, and where.
    """
    columns: dict[str, list[str]] = {}
    for output, patterns in FILES.items():
        for pattern in patterns:
            place = _placed(store, pattern)
            first = min(store.root.glob(place), default=None) if place is not None else None
            if place is None or first is None:
                continue
            if place != pattern:
                places[pattern] = place
            with store.open_table(first) as parquet:
                schema = parquet.schema_arrow
            copy = folder / first.relative_to(store.root).as_posix()
            copy.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(schema.empty_table(), copy)
            columns.setdefault(output, schema.names)
    return columns


def _asset_of(output: str, settings: Settings) -> str | None:
    """The asset that makes an output, of mixes the one in production first; None if none does."""
    asset = _WRITTEN_BESIDE.get(output, output)
    names = [asset]
    if FILES[output][0].startswith(f"{MIXES}/"):
        mixes = (settings.production_mix.name, *settings.mix_names)
        names = [mix_output(mix, asset) for mix in mixes]
    made = assets_with_settings(settings)
    return next((name for name in names if name in made), None)


def _placed(store: Store, pattern: str) -> str | None:
    """The pattern of the files where they lie; None if there is no folder of the asset."""
    folder, rest = pattern.split("/", 1)
    if not (store.root / folder).exists():
        return None
    place = store.located(store.root / folder)
    return f"{place.relative_to(store.root).as_posix()}/{rest}"


def _escaped(path: str) -> str:
    """A path as a glob pattern that matches it alone."""
    return re.sub(r"([*?[])", r"[\1]", path)
