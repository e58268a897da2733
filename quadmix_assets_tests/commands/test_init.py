"""`quadmix init`: from a folder of shards to a profile that can be checked and run."""

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from quadmix_assets.cli import main
from quadmix_assets.features.criteria.column import ColumnCriterionSettings
from quadmix_assets.features.domains.column import ColumnDomainsSettings
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets_tests.corpus.reading import CORPUS, needs_corpus
from quadmix_assets_tests.lakes import write_lines


def documents(n: int = 60) -> list[dict[str, Any]]:
    return [
        {
            "doc_id": f"d{row}",
            "content": f"Some words about the thing that has the number {row}.",
            "topic": ("Law", "Arts & Crafts", "2d games")[row % 3],
            "quality_score": row / 60,
            "perplexity": 100.0 - row,
            "n_words": row,
        }
        for row in range(n)
    ]


def write_pool(folder: Path, format: str) -> None:
    path = folder / "raw" / f"one.{format}"
    path.parent.mkdir(parents=True)
    rows = documents()
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if format == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        path.write_bytes(gzip.compress(content) if format.endswith(".gz") else content)


def init(folder: Path, *options: str) -> tuple[int, Path]:
    output = folder / "pool.yaml"
    arguments = [str(folder / "raw"), "--targets", str(folder / "targets")]
    return main(["init", *arguments, "--output", str(output), *options]), output


def settings_of(folder: Path) -> Settings:
    status, output = init(folder)
    assert status == 0
    return load_settings(output)


# `.json` is no default pattern; the profile names one.
@pytest.mark.parametrize("format", ["parquet", "jsonl", "jsonl.gz", "json"])
def test_profile_of_a_complete_folder_passes_the_check(
    tmp_path: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pool(tmp_path, format)
    write_lines(tmp_path / "targets" / "qa.jsonl", [{"question": "q", "answer": "a"}] * 60)
    settings = settings_of(tmp_path)
    out = capsys.readouterr().out
    assert f"quadmix --profile {tmp_path / 'pool.yaml'} check" in out
    assert main(["--profile", str(tmp_path / "pool.yaml"), "check"]) == 0
    assert capsys.readouterr().out.endswith("all inputs are there\n")

    corpus, features = settings.corpus, settings.features
    assert (corpus.raw, corpus.text_column, corpus.id_column) == ("raw", "content", "doc_id")
    assert corpus.source_column is None
    assert corpus.carried_columns == {
        "topic": "string", "quality_score": "float", "perplexity": "float"
    }  # fmt: skip
    directions = {
        c.name: c.larger_is_better
        for c in features.criteria
        if isinstance(c, ColumnCriterionSettings)
    }
    assert directions == {"quality_score": True, "perplexity": False}
    assert isinstance(features.domains, ColumnDomainsSettings)
    assert set(features.domains.names) == {"Law", "Arts_Crafts", "domain_2d_games"}
    assert features.domains.mapping["2d games"] == "domain_2d_games"
    (target,) = settings.targets
    assert (target.name, target.path) == ("qa", "targets/qa.jsonl")
    assert target.template == "{question}\n\n{answer}"
    assert settings.objective_of(settings.production_mix) == "qa"


def test_comments_tell_what_is_guessed_and_what_to_decide(tmp_path: Path) -> None:
    write_pool(tmp_path, "jsonl")
    write_lines(tmp_path / "targets" / "qa.jsonl", [{"text": "t"}] * 5)
    _, output = init(tmp_path)
    text = output.read_text()
    assert "about 60 documents" in text
    assert "#   topic          string  100%    3         Law" in text
    assert "DECIDE: is smaller better? Guessed by its name." in text
    assert (
        "# 5 rows; its column 'text' is the text. DECIDE: losses on so few rows are noisy." in text
    )
    assert all(len(line) <= 100 for line in text.splitlines())


def test_parts_for_evaluation_are_offered_as_held_out_sets(tmp_path: Path) -> None:
    write_pool(tmp_path, "jsonl")
    for part in ("train", "test"):
        rows = [{"text": f"{part} {row}"} for row in range(60)]
        write_lines(tmp_path / "targets" / f"qa_{part}.jsonl", rows)
    settings = settings_of(tmp_path)
    assert not settings.evidence.enabled
    assert not settings.evidence.held_out
    output = tmp_path / "pool.yaml"
    text = output.read_text()
    assert "  # held_out:\n  #   - " in text
    # Without the marks of a comment it is what it says.
    before, after = text.split("  # held_out:\n")
    output.write_text(f"{before}  held_out:\n{after.replace('  #   - ', '    - ')}")
    (held_out,) = load_settings(output).evidence.held_out
    assert held_out.path == "targets/qa_test.jsonl"


def test_folder_without_targets_or_labels_is_told_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(tmp_path / "raw" / "one.jsonl", [{"text": f"words {n}"} for n in range(9)])
    settings = settings_of(tmp_path)
    assert (
        "to be corrected before it can be run:\n- targets[target].path" in capsys.readouterr().out
    )
    assert "# DECIDE: targets holds no file" in (tmp_path / "pool.yaml").read_text()
    assert settings.features.domains.kind == "clusters"
    assert (settings.corpus.id_column, settings.corpus.source_column) == (None, None)
    write_lines(tmp_path / "targets" / "target.jsonl", [{"text": f"good {n}"} for n in range(9)])
    assert main(["--profile", str(tmp_path / "pool.yaml"), "check"]) == 0


def test_column_of_text_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(tmp_path / "raw" / "one.jsonl", [{"n": 1}])
    init(tmp_path)
    assert "DECIDE: no column holds text" in (tmp_path / "pool.yaml").read_text()
    assert "it has no column 'text'; its columns are: n" in capsys.readouterr().out


def test_labels_and_examples_of_any_characters(tmp_path: Path) -> None:
    labels = ("Bücher: & 'mehr'", "- no\x00 #", "法律", "医学", "yes", "a b", "a_b")
    rows = [{"text": f"\x07bell\u2028 {n} {{x}}", "topic": labels[n % 7]} for n in range(70)]
    write_lines(tmp_path / "raw" / "one.jsonl", rows)
    settings = settings_of(tmp_path)
    domains = settings.features.domains
    assert isinstance(domains, ColumnDomainsSettings)
    assert domains.mapping.keys() == set(labels) - {"yes", "a_b"}
    assert len(set(domains.mapping.values()) | {"yes", "a_b"}) == len(labels)
    assert len(set(domains.names)) == len(labels)


def test_nothing_is_overwritten_unless_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pool(tmp_path, "jsonl")
    (tmp_path / "pool.yaml").write_text("mine")
    assert init(tmp_path)[0] == 2
    assert "there is a file already" in capsys.readouterr().err
    assert (tmp_path / "pool.yaml").read_text() == "mine"
    assert init(tmp_path, "--force")[0] == 0
    assert load_settings(tmp_path / "pool.yaml").corpus.raw == "raw"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "there is no such folder"),
        ({"raw/a.csv": "x"}, "expected shards that end in .parquet"),
        ({"raw/a.jsonl": ""}, "none of the inspected ones has rows"),
        ({"raw/a.parquet": "x"}, "no readable Parquet footer"),
    ],
)
def test_folder_without_shards_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], expected: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    status, output = init(tmp_path)
    err = capsys.readouterr().err
    assert (status, output.exists(), len(err.splitlines())) == (2, False, 1)
    assert expected in err


def test_same_folder_gives_the_same_profile(tmp_path: Path) -> None:
    write_pool(tmp_path, "parquet")
    _, output = init(tmp_path)
    before = output.read_bytes()
    init(tmp_path, "--force")
    assert output.read_bytes() == before


@needs_corpus
def test_real_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "real.yaml"
    docs, targets = CORPUS / "docs", CORPUS / "targets"
    assert main(["init", str(docs), "--targets", str(targets), "--output", str(output)]) == 0
    settings = load_settings(output)
    corpus = settings.corpus
    assert (corpus.text_column, corpus.id_column, corpus.source_column) == ("text", "id", "source")
    assert isinstance(settings.features.domains, ColumnDomainsSettings)
    assert settings.features.domains.column == "domain26"
    assert len(settings.features.domains.names) >= 25
    assert {"instruct", "arc_easy_train"} <= set(settings.target_names)
    assert "arc_easy_test" not in settings.target_names, "a test set is for evaluation"
    assert main(["--profile", str(output), "check"]) == 0
    assert capsys.readouterr().out.endswith("all inputs are there\n")


@needs_corpus
def test_awkward_files(tmp_path: Path) -> None:
    output = tmp_path / "awkward.yaml"
    awkward, targets = CORPUS / "awkward", CORPUS / "targets"
    assert main(["init", str(awkward), "--targets", str(targets), "--output", str(output)]) == 0
    settings = load_settings(output)
    assert settings.corpus.text_column == "text"
    assert settings.corpus.id_column is None, "the ids of these files repeat"
    assert "of the inspected shards cannot be read" in output.read_text()
    assert main(["--profile", str(output), "check"]) == 0
