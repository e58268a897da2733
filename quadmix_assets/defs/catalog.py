"""Group `report`: the lake as SQL views."""

import dagster as dg
import polars as pl

from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, markdown_table
from quadmix_assets.defs.mix_comparison import WITH_A_MIX, mix_comparison
from quadmix_assets.defs.mix_names import mix_key
from quadmix_assets.defs.optimum_check import optimum_check
from quadmix_assets.defs.proxy_fidelity import proxy_fidelity
from quadmix_assets.defs.resources import (
    DUPLICATES,
    OWNERS,
    SETTINGS,
    ProjectResource,
    version_of,
)
from quadmix_assets.defs.target_overlap import target_overlap
from quadmix_assets.outputs import CATALOG, COMPARISON_TABLE, MIX_MANIFEST
from quadmix_assets.report.catalog import Catalog, open_catalog, write_catalog
from quadmix_assets.settings import evidence_of_mixes
from quadmix_assets.store import MissingOutputError

_EXAMPLE = (
    "SELECT mix, domain, sum(n_tokens * copies) AS n_tokens FROM mix GROUP BY ALL ORDER BY ALL"
)

_MANIFESTS = [mix_key(mix, MIX_MANIFEST) for mix in SETTINGS.mixes]


@dg.asset(
    group_name="report",
    kinds={"duckdb"},
    owners=OWNERS,
    code_version=version_of(CATALOG, 2),
    # All other tables that views read are upstream of these.
    deps=[
        target_overlap,
        *DUPLICATES,
        optimum_check,
        proxy_fidelity,
        *_MANIFESTS,
        *map(dg.AssetKey.from_user_string, evidence_of_mixes(SETTINGS)),
        mix_comparison,
        *([COMPARISON_TABLE] if SETTINGS.evidence.enabled else []),
    ],
    # Views include new shards and new proxies without being made again; outputs that were made
    # since its last materialisation have no view yet.
    automation_condition=WITH_A_MIX,
)
@faults_in_words
def catalog(project: ProjectResource) -> dg.MaterializeResult:
    """SQL views over the lake in one DuckDB file: documents, scores, thetas, losses, mix.

    No data is copied, and views include new shards without making the catalog again. `quadmix sql
    "SELECT ..."` queries the same views; any program that reads DuckDB opens the file. Outputs that
    have not been made have no view yet.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError):
        path = write_catalog(store, settings)
        with open_catalog(store, settings) as opened:
            views, columns = _views_table(opened), _columns_table(opened)
    return materialized(
        project,
        CATALOG,
        {
            "dagster/uri": str(path),
            "n_views": views.height,
            "views": markdown_table(views),
            "columns": markdown_table(columns),
            "example": dg.MetadataValue.md(
                f'```sh\nquadmix --profile {settings.profile} sql "{_EXAMPLE}"\n```'
            ),
            **cost.metadata(),
        },
        path=path,
    )


def _views_table(opened: Catalog) -> pl.DataFrame:
    """Every view with its number of rows, except for joins, whose rows are expensive to count."""
    return pl.DataFrame(
        [
            {
                "view": view.name,
                "rows": f"{opened.n_rows(view):,}" if view.is_table else "not counted",
                "columns": len(columns),
                "rows_are": view.comment,
            }
            for view, columns in opened.views.items()
        ]
    )


def _columns_table(opened: Catalog) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "view": view.name,
                "column": column.name,
                "type": column.type,
                "meaning": column.meaning,
            }
            for view, columns in opened.views.items()
            for column in columns
        ]
    )
