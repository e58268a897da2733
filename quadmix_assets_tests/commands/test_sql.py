"""`quadmix sql`, and the queries that docs/sql.md gives."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quadmix_assets.cli import main
from quadmix_assets.commands.sql import TABLE_ROWS, QueryError, run_query
from quadmix_assets.outputs import RAW_SHARDS
from quadmix_assets.report.catalog import open_catalog, write_catalog
from quadmix_assets_tests.commands.sql_page import blocks, query_after, views
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.report.view_lake import N_TOKENS, fill_lake, make_project, put_pool

LAW = int(N_TOKENS[::3].sum())
TRAVEL = int(N_TOKENS.sum()) - LAW


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose lake holds every table; tests only read it."""
    project = make_project(tmp_path_factory.mktemp("sql"))
    fill_lake(project.store)
    return project


def answer(project: Project, query: str) -> list[dict[str, Any]]:
    """The rows of a query."""
    out = io.StringIO()
    run_query(project.store, project.settings, query, "json", out)
    rows: list[dict[str, Any]] = json.loads(out.getvalue())
    return rows


def error_of(project: Project, query: str) -> str:
    """What is said of a query that cannot be answered."""
    with pytest.raises(QueryError) as raised:
        run_query(project.store, project.settings, query, "table", io.StringIO())
    return str(raised.value)


@pytest.mark.parametrize("query", blocks("sql"))
def test_queries_of_the_page_have_an_answer(
    project: Project, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # One of them writes a file.
    rows = answer(project, query)
    assert rows or "HAVING count(*) > 1" in query or "ANTI JOIN" in query, "few documents here"


def test_page_names_every_view(project: Project) -> None:
    with open_catalog(project.store, project.settings) as catalog:
        assert sorted(views()) == sorted(view.name for view in catalog.views)


def test_best_documents_of_a_domain(project: Project) -> None:
    rows = answer(project, query_after("The best documents of a domain by a criterion"))
    scores = [row["heuristics"] for row in rows]
    assert len(rows) == 8 and scores == sorted(scores, reverse=True)
    assert {int(row["id"].split("/")[1]) % 3 for row in rows} == {0}, "every third is of law"


def test_what_a_shard_brought(project: Project) -> None:
    one, two = answer(project, query_after("What did a shard bring"))
    assert (one["shard"], one["n_rows"], one["n_quarantined"]) == ("one.jsonl", 13, 1)
    assert (two["n_documents"], two["n_tokens"], two["in_mix"]) == (12, LAW + TRAVEL, 4)
    assert two["tokens_per_token"] == round(2 * LAW / (LAW + TRAVEL), 3)


def test_quarantine_by_reason(project: Project) -> None:
    (row,) = answer(project, query_after("Why were rows left out"))
    assert (row["reason"], row["n_rows"], row["n_shards"]) == ("empty_text", 1, 1)


def test_tokens_per_domain_in_pool_and_mix(project: Project) -> None:
    law, travel = answer(project, query_after("Tokens of every domain in the pool and in the mix"))
    assert law == {
        "domain": "law",
        "n_tokens_pool": 2 * LAW,
        "n_tokens_mix": 4 * LAW,
        "share_of_pool": round(LAW / (LAW + TRAVEL), 3),
        "share_of_mix": 1.0,
        "tokens_per_token": 2.0,
    }
    assert (travel["domain"], travel["n_tokens_pool"], travel["n_tokens_mix"]) == (
        "travel",
        2 * TRAVEL,
        0,
    )


def test_mixes_side_by_side(project: Project) -> None:
    rows = answer(project, query_after("All mixes side by side"))
    found = [(row["mix"], row["n_documents"], row["n_tokens"], row["mean_copies"]) for row in rows]
    assert found == [("quadmix", 8, 4 * LAW, 2.0), ("random", 16, 4 * TRAVEL, 2.0)]
    (common,) = answer(project, query_after("How much do two mixes have in common"))
    assert common == {"jaccard": 0.0}
    alone = answer(project, query_after("Which documents has one mix and the other not"))
    assert len(alone) == 8 and {row["domain"] for row in alone} == {"law"}


def test_proxies_by_loss_and_their_largest_share(project: Project) -> None:
    rows = answer(project, query_after("Proxies by loss"))
    assert [row["theta_id"] for row in rows] == [3, 2, 1, 0], "the last one learned most"
    # Document 3 (law, 4 tokens) twice, document 4 (travel, 5 tokens) once.
    assert (rows[0]["largest_domain"], rows[0]["share"]) == ("law", round(8 / 13, 3))
    assert rows[1]["largest_domain"] == "travel"


def test_python_of_the_page_opens_the_catalog(project: Project, tmp_path: Path) -> None:
    path = write_catalog(project.store, project.settings)
    (code,) = blocks("python")
    assert "data/lake/demo/catalog/catalog.duckdb" in code
    code = code.replace("data/lake/demo/catalog/catalog.duckdb", str(path))
    script = tmp_path / "page.py"
    script.write_text(code)
    result = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True
    )
    assert "n_documents" in result.stdout and "law" in result.stdout


def test_command_prints_a_table(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    query = "SELECT shard, n_rows, NULL AS nothing FROM shards ORDER BY shard"
    assert main(["--profile", str(project.profile), "sql", query]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "shard      n_rows  nothing",
        "---------  ------  -------",
        "one.jsonl      13",
        "two.jsonl      12",
    ]


def test_table_shows_the_first_rows_and_says_so(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    for n_rows, more in ((TABLE_ROWS, 0), (TABLE_ROWS + 1, 1)):
        query = f"SELECT range AS n, repeat('long ', 50) AS text FROM range({n_rows})"
        assert main(["--profile", str(project.profile), "sql", query]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2 + TABLE_ROWS + more
        assert lines[TABLE_ROWS + 1].startswith(f"{TABLE_ROWS - 1}  long long")
        assert max(map(len, lines)) < 100


def test_csv_and_json_write_all_rows(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    query = "SELECT range AS n, 'a, \"b\"' AS text, NULL AS nothing FROM range(2500)"
    command = ["--profile", str(project.profile), "sql", query, "--format"]
    assert main([*command, "csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["n", "text", "nothing"] and len(rows) == 2501
    assert rows[-1] == ["2499", 'a, "b"', ""]
    assert main([*command, "json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert len(records) == 2500
    assert records[-1] == {"n": 2499, "text": 'a, "b"', "nothing": None}


def test_command_without_a_query_lists_views_and_columns(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--profile", str(project.profile), "sql"]) == 0
    out = capsys.readouterr().out
    assert "\nmix\n  One row per mix and document in it" in out
    assert re.search(r"heuristics +DOUBLE +how far the document satisfies the quality rules", out)


def test_wrong_names_are_told_what_is_there(project: Project, tmp_path: Path) -> None:
    message = error_of(project, "SELECT * FROM document")
    assert message.startswith("there is no view document; there are shards, documents, ")
    message = error_of(project, "SELECT quality_score FROM mix")
    assert "quality_score" in message and "Traceback" not in message and "LINE" not in message
    young = make_project(tmp_path)
    put_pool(young.store)
    assert error_of(young, "SELECT * FROM Mix") == (
        "the view Mix is not there yet: materialise the asset 'mixes/quadmix/final_mix' first"
    )


def test_what_is_no_query_is_an_error(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert "syntax error" in error_of(project, "SELEC 1")
    assert error_of(project, " -- nothing") == "the query is empty"
    assert main(["--profile", str(project.profile), "sql", "SELECT * FROM nothing"]) == 2
    assert capsys.readouterr().err.startswith("there is no view nothing")


def test_lake_without_tables_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path)
    assert main(["--profile", str(project.profile), "sql"]) == 2
    assert "materialise the asset 'raw_shards'" in capsys.readouterr().err


def test_queries_change_nothing_in_the_lake(project: Project) -> None:
    before = project.store.fingerprint(project.store.root / RAW_SHARDS)
    answer(project, "CREATE OR REPLACE VIEW mix AS SELECT 1 AS nothing")
    assert project.store.fingerprint(project.store.root / RAW_SHARDS) == before
    assert len(answer(project, "SELECT id FROM mix")) == 24


def test_reader_that_stops_early_is_no_error(project: Project) -> None:
    query = "SELECT repeat('x', 1000) AS x FROM range(100000)"
    command = [sys.executable, "-m", "quadmix_assets.cli", "--profile", str(project.profile), "sql"]
    with subprocess.Popen(
        [*command, query, "--format", "csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"x\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
