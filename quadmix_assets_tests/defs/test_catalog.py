"""The asset that writes the catalog: what it shows, when it runs, and that it fits real tables."""

import datetime
import io
import re
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from quadmix_assets.commands.sql import run_query
from quadmix_assets.definitions import defs as load_definitions
from quadmix_assets.defs.catalog import catalog
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.outputs import (
    CATALOG,
    FINAL_MIX,
    MIX_MANIFEST,
    NEAR_DUPLICATES,
    OPTIMUM_CHECK,
    PROXY_EVALUATION,
    PROXY_READS,
    QUARANTINE,
    RAW_SHARDS,
    mix_of,
    mix_output,
)
from quadmix_assets.report.catalog import open_catalog
from quadmix_assets.report.comparison_views import comparison_views
from quadmix_assets.report.evidence_views import evidence_views
from quadmix_assets.report.view import FILES
from quadmix_assets_tests.commands.sql_page import blocks
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.report.view_lake import fill_lake, make_project

# Of the mix in production; keys of assets are parts of the name.
DOCUMENTS, MANIFEST = (mix_output("quadmix", what) for what in (FINAL_MIX, MIX_MANIFEST))


def materialize(project: Project) -> dg.ExecuteInProcessResult:
    """Run the asset alone."""
    return dg.materialize(
        [catalog],
        resources={"project": ProjectResource(profile=str(project.profile))},
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )


def test_asset_shows_views_columns_rows_and_an_example(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    fill_lake(project.store)
    (event,) = materialize(project).asset_materializations_for_node(CATALOG)
    metadata = {name: str(value.value) for name, value in event.metadata.items()}
    assert "| documents | 24 | " in metadata["views"]
    assert "| sigma | not counted | " in metadata["views"]
    assert re.search(r"\| mix \| copies \| BIGINT \| \w+", metadata["columns"])
    query = metadata["example"].split('"')[1]
    with duckdb.connect(metadata["dagster/uri"], read_only=True) as connection:
        assert connection.execute(query).fetchall() == [
            ("quadmix", "law", 88),
            ("random", "travel", 224),
        ]


def test_empty_lake_is_one_clear_error(tmp_path: Path) -> None:
    result = materialize(make_project(tmp_path))
    assert not result.success
    (failure,) = result.get_step_failure_events()
    error = failure.step_failure_data.error
    assert error is not None and "materialise the asset 'raw_shards' first" in error.message


def test_everything_that_views_read_is_upstream(tmp_path: Path) -> None:
    project = Project(
        tmp_path,
        features={"near_duplicates": {"enabled": True}},
        mixes=[
            {"method": "quadmix", "drop_duplicates": True},
            {"method": "climb", "tokens": 1_000},
        ],
        evidence={"enabled": True},
    )
    graph = project.definitions().resolve_asset_graph()
    upstream = dg.AssetSelection.assets(CATALOG).upstream().resolve(graph)
    names = {key.to_user_string() for key in upstream}
    names |= {mix[1] for mix in map(mix_of, names) if mix is not None}
    # Two are written beside raw_shards and proxy_metrics; some assets have several tables.
    read = {name.split("/")[0] for name in FILES}
    assert read - {QUARANTINE, PROXY_READS} <= names - {CATALOG}


def test_catalog_follows_the_mix_and_no_single_shard() -> None:
    """In one run with the manifest, and not again after it."""
    definitions, instance = load_definitions(), dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("shard", ["one.jsonl"])
    now, cursor = datetime.datetime(2026, 1, 1, 0, 0, 30), None

    def requested_after(*materialized: dg.AssetMaterialization) -> set[str]:
        nonlocal now, cursor
        for event in materialized:
            instance.report_runless_asset_event(event)
        now += datetime.timedelta(minutes=1)
        result = dg.evaluate_automation_conditions(
            definitions, instance, evaluation_time=now, cursor=cursor
        )
        cursor = result.cursor
        keys = {one.key for one in result.results if not one.true_subset.is_empty}
        return {key.to_user_string() for key in keys} & {CATALOG, MANIFEST}

    made = [dg.AssetMaterialization(asset) for asset in (OPTIMUM_CHECK, "input_listing")]
    assert requested_after(*made) == set()
    assert requested_after(dg.AssetMaterialization(RAW_SHARDS, partition="one.jsonl")) == set()
    both = {CATALOG, MANIFEST}
    assert (
        requested_after(dg.AssetMaterialization(DOCUMENTS.split("/"), partition="one.jsonl"))
        == both
    )
    requested_after(dg.AssetMaterialization(MANIFEST.split("/")), dg.AssetMaterialization(CATALOG))
    assert requested_after() == set()
    assert requested_after(dg.AssetMaterialization(MANIFEST.split("/"))) == {CATALOG}, (
        "made by hand"
    )
    assert requested_after() == set()


def test_views_and_queries_fit_the_tables_of_the_graph(
    tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_catalog(tiny.store, tiny.settings) as opened:
        # All losses are current: no proxy was evaluated after its training.
        assert opened.missing.keys() == {PROXY_EVALUATION}
        unnamed = [(v.name, c.name) for v, cs in opened.views.items() for c in cs if not c.meaning]
        assert unnamed == []
        versions = opened.connection.execute("SELECT DISTINCT evidence_version FROM losses")
        assert [len(version) for (version,) in versions.fetchall()] == [8]
    of_evidence = {view.name for view in (*evidence_views(), *comparison_views())}
    for query in blocks("sql"):
        if NEAR_DUPLICATES in query or any(view in query for view in of_evidence):
            continue
        run_query(tiny.store, tiny.settings, query, "table", io.StringIO())
