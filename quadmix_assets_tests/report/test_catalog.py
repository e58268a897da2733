"""Views over a small lake: what they hold, and that they follow the lake."""

import shutil
from pathlib import Path

import duckdb
import fsspec
import numpy as np
import pytest

from quadmix_assets.features.normalizers import Normalizer, NormalizerKind
from quadmix_assets.outputs import CATALOG, PROXY_METRICS, SCORE_NORMALIZERS, SCORED_SHARDS
from quadmix_assets.report.catalog import LAKE_VARIABLE, open_catalog, write_catalog
from quadmix_assets.store import MissingOutputError
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import put_raw
from quadmix_assets_tests.report.view_lake import (
    BATCHES,
    CRITERIA,
    MIXES,
    N_TOKENS,
    SHARDS,
    N,
    fill_lake,
    make_project,
    put_normalizers,
    put_pool,
)

VIEWS = {
    "shards",
    "documents",
    "quarantine",
    "scores",
    "domains",
    "scored_documents",
    "near_duplicates",
    "normalizers",
    "sigma",
    "targets",
    "target_overlap",
    "proxy_pool",
    "thetas",
    "samples",
    "reads",
    "losses",
    "proxy_evaluation",
    "verification",
    "proxy_fidelity",
    "optimum_check",
    "proxy_repeats",
    "domain_proxies",
    "climb_proxies",
    "calibration",
    "mix",
    "mix_shards",
    "mix_comparison",
    "mix_domains",
    "mix_criteria",
    "mix_overlaps",
    "language_models",
    "benchmark_results",
    "comparison_table",
    "comparison_pairs",
    "comparison_budgets",
    "comparison_ablations",
    "comparison_regressors",
    "published_results",
}

# Views over assets that the tests' profile, without such mixes and without evidence, does not have.
NOT_IN_THE_PROFILE = {
    *("domain_proxies", "climb_proxies", "published_results"),
    *("language_models", "benchmark_results"),
    *(f"comparison_{table}" for table in ("table", "pairs", "budgets", "ablations", "regressors")),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose lake holds every table; tests only read it."""
    project = make_project(tmp_path_factory.mktemp("views"))
    fill_lake(project.store)
    return project


def query(project: Project, sql: str) -> list[tuple]:
    """Rows of a query over the views of a project's lake as it is now."""
    with open_catalog(project.store, project.settings) as catalog:
        return catalog.connection.execute(sql).fetchall()


def query_file(path: Path, sql: str, *, lake: Path | None = None) -> list[tuple]:
    """Rows of a query over a written catalog, as any other program would ask it."""
    with duckdb.connect(path, read_only=True) as connection:
        if lake is not None:
            connection.execute(f"SET VARIABLE {LAKE_VARIABLE} = '{lake}'")
        return connection.execute(sql).fetchall()


def test_every_view_and_column_says_what_it_holds(project: Project) -> None:
    path = write_catalog(project.store, project.settings)
    views = query_file(
        Path(str(path)), "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"
    )
    assert {name for name, _ in views} == VIEWS
    assert all(comment for _, comment in views)
    columns = "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
    assert [row for row in query_file(Path(str(path)), columns) if not row[2]] == []


def test_rows_are_those_of_the_tables(project: Project) -> None:
    with open_catalog(project.store, project.settings) as catalog:
        counts = {view.name: catalog.n_rows(view) for view in catalog.views}
    assert counts == {
        "shards": 2,
        "documents": 2 * N,
        "quarantine": 1,
        "scores": 2 * N,
        "domains": 2 * N,
        "scored_documents": 2 * N,
        "near_duplicates": 2,
        "normalizers": sum(
            project.store.n_rows(project.store.table_path(SCORE_NORMALIZERS, name))
            for name in CRITERIA
        ),
        "sigma": 2 * N * len(CRITERIA),
        "targets": 3,
        "target_overlap": 1,
        "proxy_pool": N,
        "thetas": 4 * (2 + 4) * 3,
        "samples": 2 * 4,
        "reads": 2 * 4,
        "losses": 4,
        "proxy_evaluation": 4,
        "proxy_repeats": 3,
        "domain_proxies": 2,
        "climb_proxies": 1,
        "verification": 2,
        "proxy_fidelity": 2,
        "optimum_check": 4,
        "calibration": 3,
        "mix": 2 * N,
        "mix_shards": 2 * len(MIXES),
        "mix_comparison": len(MIXES),
        "mix_domains": 3 * len(MIXES),
        "mix_criteria": 2 * len(MIXES),
        "mix_overlaps": len(MIXES) ** 2,
        "language_models": 4,
        "benchmark_results": 4 * len(MIXES),
        "comparison_table": 3,
        "comparison_pairs": 2,
        "comparison_budgets": 1,
        "comparison_ablations": 1,
        "comparison_regressors": 1,
        "published_results": 100,
    }  # fmt: skip


def test_documents_know_their_shard_and_what_became_of_it(project: Project) -> None:
    assert query(
        project, "SELECT id, text, year FROM documents WHERE shard = 'two.jsonl' LIMIT 1"
    ) == [("two.jsonl/0", "Text 0.", 2000)]
    assert query(
        project,
        "SELECT shard, n_rows, n_documents, n_quarantined, n_tokens_in, n_documents_out, "
        "n_copies_out FROM shards JOIN mix_shards USING (shard) WHERE mix = 'quadmix' "
        "ORDER BY shard",
    ) == [
        ("one.jsonl", N + 1, N, 1, N_TOKENS.sum(), N // 3, 2 * N // 3),
        ("two.jsonl", N, N, 0, N_TOKENS.sum(), N // 3, 2 * N // 3),
    ]


def test_mixes_are_told_apart_by_name(project: Project) -> None:
    for mix, domain in MIXES.items():
        rows = "SELECT DISTINCT domain, copies FROM mix WHERE mix = '{}'"
        assert query(project, rows.format(mix)) == [(domain, 2)]
    assert query(
        project,
        "SELECT mix, sum(n_tokens * copies) FROM mix GROUP BY mix ORDER BY mix",
    ) == query(project, "SELECT mix, sum(n_tokens_out) FROM mix_shards GROUP BY mix ORDER BY mix")
    assert query(project, "SELECT DISTINCT mix FROM calibration") == [("quadmix",)]
    texts = "SELECT text FROM mix JOIN documents USING (shard, id) WHERE mix = 'random' LIMIT 1"
    assert query(project, texts) == [("Text 1.",)]


def test_query_of_one_mix_reads_its_files_alone(project: Project) -> None:
    asked = "SELECT * FROM mix WHERE mix = 'random' AND shard = 'two.jsonl'"
    plan = query(project, f"EXPLAIN ANALYZE {asked}")[0][1]
    assert "Scanning Files: 1/4" in plan


def test_query_of_one_shard_reads_that_file_alone(project: Project) -> None:
    plan = query(project, "EXPLAIN ANALYZE SELECT * FROM documents WHERE shard = 'two.jsonl'")
    assert "two.jsonl.parquet" in plan[0][1]
    assert "one.jsonl.parquet" not in plan[0][1]


@pytest.mark.parametrize("max_breakpoints", [100, 4])
@pytest.mark.parametrize("kind", ["rank", "zscore", "minmax"])
def test_sigma_is_what_the_normalizers_give(
    tmp_path: Path, kind: NormalizerKind, max_breakpoints: int
) -> None:
    project = make_project(tmp_path)
    store = project.store
    put_pool(store)
    put_normalizers(store, kind, max_breakpoints=max_breakpoints)
    for name in CRITERIA:
        table = store.read_table(store.table_path(SCORE_NORMALIZERS, name))
        scores = np.concatenate(
            [store.read_table(store.table_path(SCORED_SHARDS, shard))[name] for shard in SHARDS]
        )
        expected = Normalizer.from_frame(table).apply(scores)
        found = query(
            project,
            "SELECT score, sigma FROM sigma JOIN (SELECT shard, id, row_number() OVER () AS row "
            f"FROM scores) USING (shard, id) WHERE criterion = '{name}' ORDER BY row",
        )
        np.testing.assert_array_equal([score for score, _ in found], scores)
        np.testing.assert_allclose([sigma for _, sigma in found], expected, rtol=1e-12)


def test_thetas_name_domain_and_criterion(project: Project) -> None:
    rows = query(project, "SELECT * EXCLUDE (value) FROM thetas WHERE theta_id = 3 ORDER BY value")
    assert rows[:2] == [
        (3, 1, "round-1-batch-00000", "alpha", "law", "heuristics"),
        (3, 1, "round-1-batch-00000", "alpha", "law", "importance"),
    ]
    assert rows[6:9] == [
        (3, 1, "round-1-batch-00000", "lam", domain, None)
        for domain in ("law", "travel", "unknown")
    ]


def test_thetas_are_there_before_any_refinement(tmp_path: Path, project: Project) -> None:
    copy = project.copy(tmp_path / "copy")
    shutil.rmtree(str(copy.store.root / "refinement"))
    assert query(copy, "SELECT DISTINCT round FROM thetas") == [(0,)]


def test_samples_name_the_documents_of_each_proxy(project: Project) -> None:
    found = query(
        project, "SELECT id, domain, n_tokens, copies FROM samples WHERE theta_id = 3 ORDER BY ALL"
    )
    assert found == [("one.jsonl/3", "law", 4, 2), ("one.jsonl/4", "travel", 5, 1)]


def test_losses_of_other_evidence_can_be_told_apart(project: Project) -> None:
    versions = dict(
        query(project, "SELECT proxy_batch, any_value(evidence_version) FROM losses GROUP BY ALL")
    )
    assert versions.keys() == set(BATCHES)
    assert len(set(versions.values())) == 2 and all(versions.values())
    assert [row[0] for row in query(project, "SELECT round FROM losses ORDER BY theta_id")] == [
        0,
        0,
        0,
        1,
    ]


def test_new_shards_show_without_a_new_catalog(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    put_raw(project.store, "one.jsonl", [{"text": "first"}], carried_columns={"shard": "string"})
    path = Path(str(write_catalog(project.store, project.settings)))
    put_raw(
        project.store,
        "two.jsonl",
        [{"text": "second", "shard": "S", "year": 1}],
        carried_columns={"year": "int", "shard": "string"},
    )
    rows = query_file(path, "SELECT shard, text, year, input_shard FROM documents ORDER BY shard")
    assert rows == [("one.jsonl", "first", None, None), ("two.jsonl", "second", 1, "S")]


def test_outputs_that_have_not_been_made_have_no_view(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    with pytest.raises(MissingOutputError, match="holds no tables yet: materialise .*'raw_shards'"):
        write_catalog(project.store, project.settings)
    assert not project.store.path(CATALOG, "catalog.duckdb").exists()
    put_pool(project.store)
    with open_catalog(project.store, project.settings) as catalog:
        made = {view.name for view in catalog.views}
        assert made == {
            "shards",
            "documents",
            "quarantine",
            "scores",
            "domains",
            "scored_documents",
        }
        assert made | catalog.missing.keys() == VIEWS - NOT_IN_THE_PROFILE
        assert catalog.missing["samples"] == "sampled_subset"
        assert catalog.missing["sigma"] == "score_normalizers"
        assert catalog.missing["mix"] == "mixes/quadmix/final_mix"
        assert catalog.missing["reads"] == "proxy_metrics"
    mixes = [{"method": "quadmix"}, {"method": "climb", "tokens": 1_000}]
    with open_catalog(project.store, make_project(tmp_path, mixes=mixes).settings) as catalog:
        assert catalog.missing["domain_proxies"] == "domain_proxies"
        assert catalog.missing["climb_proxies"] == "mixes/climb/climb_proxies"


def test_lake_that_was_moved(tmp_path: Path, project: Project) -> None:
    old = project.copy(tmp_path / "old [1] 'lake'")
    ask = "SELECT count(*) FROM documents"
    written = write_catalog(old.store, old.settings)
    assert query_file(Path(str(written)), ask) == [(2 * N,)]
    moved = old.copy(tmp_path / "new")
    shutil.rmtree(old.folder)
    path = Path(str(moved.store.path(CATALOG, "catalog.duckdb")))
    with pytest.raises(duckdb.IOException, match="No files found"):
        query_file(path, ask)
    assert query_file(path, ask, lake=Path(str(moved.store.root))) == [(2 * N,)]
    assert query(moved, ask) == [(2 * N,)]


def test_lake_on_object_storage(tmp_path: Path) -> None:
    local = make_project(tmp_path / "local")
    fill_lake(local.store)
    lake = f"memory://{tmp_path.name}/lake"
    fsspec.filesystem("memory").put(str(local.store.root), lake, recursive=True)
    project = make_project(tmp_path, lake=lake)
    counts = "count(*), count(DISTINCT evidence_version)"
    ask = f"SELECT {counts} FROM losses JOIN samples USING (theta_id)"
    assert query(project, ask) == [(8, 2)]
    path = write_catalog(project.store, project.settings)
    copy = tmp_path / "catalog.duckdb"
    copy.write_bytes(path.read_bytes())
    with duckdb.connect(copy, read_only=True) as connection:
        connection.register_filesystem(fsspec.filesystem("memory"))
        assert connection.execute(ask).fetchall() == [(8, 2)]


def test_catalog_is_replaced_whole(project: Project, tmp_path: Path) -> None:
    copy = project.copy(tmp_path / "copy")
    path = Path(str(write_catalog(copy.store, copy.settings)))
    with duckdb.connect(path, read_only=True) as reader:
        shutil.rmtree(str(copy.store.root / PROXY_METRICS))
        write_catalog(copy.store, copy.settings)
        assert reader.execute("SELECT count(*) FROM documents").fetchall() == [(2 * N,)]
    files = {file.name for file in path.parent.iterdir()}
    assert files == {"catalog.duckdb", ".catalog.duckdb.card"}
    names = {
        name
        for (name,) in query_file(path, "SELECT view_name FROM duckdb_views() WHERE NOT internal")
    }
    assert names == VIEWS - {"losses"}
