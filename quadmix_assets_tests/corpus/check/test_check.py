from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from quadmix_assets.corpus.check import check_inputs, shards
from quadmix_assets.corpus.readers import FileSample, read_sample
from quadmix_assets.settings import Settings, SettingsError, load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.lakes import write_lines

FASTTEXT = {"kind": "fasttext", "labels": "labels.jsonl", "names": ["a", "b"]}
ROWS = [{"id": "1", "text": "Some words."}]


def inputs_of(folder: Path, **changes: Any) -> tuple[Settings, Store]:
    """Settings of a profile of files whose inputs are all there, but for `changes`."""
    defaults: dict[str, Any] = {
        "corpus": {"source": "files", "raw": "raw", "carried_columns": {}},
        "targets": [{"name": "planted", "path": "target.jsonl"}],
        "features": {"domains": FASTTEXT},
    }
    write_lines(folder / "raw" / "one.jsonl", ROWS)
    write_lines(folder / "target.jsonl", ROWS)
    write_lines(folder / "labels.jsonl", [{"text": "Words.", "domain": name} for name in "ab"])
    for key, change in changes.items():
        defaults[key] = {**defaults.get(key, {}), **change} if isinstance(change, dict) else change
    settings = load_settings(write_profile(folder, **defaults))
    return settings, Store(settings.resolve(settings.lake))


def problems(folder: Path, **changes: Any) -> str:
    with pytest.raises(SettingsError) as error:
        check_inputs(*inputs_of(folder, **changes))
    return str(error.value)


def column_pool(folder: Path, rows: list[dict[str, Any]], **domains: Any) -> dict[str, Any]:
    """Settings of a pool with a column of domains, `topic`; its rows lie in `folder`/pool."""
    write_lines(folder / "pool" / "one.jsonl", rows)
    kind = {"kind": "column", "column": "topic", "names": ["law", "food"]}
    return {
        "corpus": {"raw": "pool", "carried_columns": {"topic": "string"}},
        "features": {"domains": kind | domains},
    }


TOPICS = [{"id": str(n), "text": "words", "topic": "law" if n % 4 else "food"} for n in range(8)]


def test_complete_inputs_are_found_and_nothing_is_written(tmp_path: Path) -> None:
    settings, store = inputs_of(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert [s.key for s in check_inputs(settings, store).shards.discovery.shards] == ["one.jsonl"]
    assert sorted(tmp_path.rglob("*")) == before


def test_everything_that_is_wrong_is_named_in_one_message(tmp_path: Path) -> None:
    message = problems(
        tmp_path,
        corpus={"text_column": "content"},
        targets=[{"name": "planted", "path": "nowhere.jsonl"}],
        features={"domains": {**FASTTEXT, "labels": "none.jsonl"}},
    )
    assert message.startswith("profile 'tiny': the inputs do not match the settings:")
    lines = message.splitlines()[1:]
    assert len(lines) == 3
    assert f"targets[planted].path: {tmp_path / 'nowhere.jsonl'} is not there" in lines[0]
    assert f"features.domains.labels: {tmp_path / 'none.jsonl'} is not there" in lines[1]
    assert "no column 'content'" in lines[2]
    assert "one.jsonl" in lines[2]
    assert "Set corpus.text_column" in lines[2]


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    message = problems(tmp_path, corpus={"raw": "rawww"})
    assert f"corpus.raw: {tmp_path / 'rawww'}: there is no such folder" in message


def test_folder_without_a_shard_names_what_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("x")
    message = problems(tmp_path, corpus={"raw": "other"})
    assert "matches corpus.patterns" in message
    assert "notes.txt" in message


def test_two_files_of_one_key_are_one_clear_error(tmp_path: Path) -> None:
    write_lines(tmp_path / "raw" / "a" / "b.jsonl", ROWS)
    write_lines(tmp_path / "raw" / "a__b.jsonl", ROWS)
    assert "both get the shard key 'a__b.jsonl'" in problems(tmp_path)


def test_text_column_of_a_target_and_of_labels(tmp_path: Path) -> None:
    message = problems(
        tmp_path,
        targets=[{"name": "planted", "path": "target.jsonl", "text_column": "body"}],
        features={"domains": {**FASTTEXT, "text_column": "inhalt"}},
    )
    assert "targets[planted].text_column" in message
    assert "'body'; its columns are: id, text" in message
    assert "features.domains.text_column" in message
    assert "'inhalt'; its columns are: text, domain" in message
    assert "corpus.text_column" not in message


def test_target_with_a_template_needs_no_text_column(tmp_path: Path) -> None:
    write_lines(tmp_path / "pairs.jsonl", [{"prompt": "p", "response": "r"}])
    target = {"name": "planted", "path": "pairs.jsonl", "template": "{prompt} {response}"}
    report = check_inputs(*inputs_of(tmp_path, targets=[target]))
    assert (report.targets[0].n_rows, report.targets[0].example) == (1, "p r")


def test_target_of_a_format_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "target.txt").write_text("words")
    message = problems(tmp_path, targets=[{"name": "planted", "path": "target.txt"}])
    assert "targets[planted].path" in message
    assert "suffix names no format" in message


def test_one_good_shard_is_enough(tmp_path: Path) -> None:
    settings, store = inputs_of(tmp_path)
    (tmp_path / "raw" / "bad.parquet").write_bytes(b"no parquet")
    write_lines(tmp_path / "raw" / "another.jsonl", [{"body": "x"}])
    report = check_inputs(settings, store)
    assert (len(report.shards.discovery.shards), report.shards.n_read) == (3, 1)
    unusable, unreadable = sorted(report.findings.warnings)
    assert "another.jsonl: it has no column 'text'" in unreadable + unusable
    assert "bad.parquet" in unreadable + unusable
    (tmp_path / "raw" / "one.jsonl").unlink()
    with pytest.raises(SettingsError, match="no shard can be used, the first because: .*another"):
        check_inputs(settings, store)


@pytest.mark.parametrize("key", ["id_column", "source_column"])
def test_column_that_the_profile_names_and_no_shard_has(tmp_path: Path, key: str) -> None:
    message = problems(tmp_path, corpus={key: "idd"})
    assert f"corpus.{key}: no inspected shard has it" in message
    assert "one.jsonl: it has no column 'idd'; its columns are: id, text; did you mean 'id'?" in (
        message
    )
    assert "or to null to have" in message


def test_default_columns_may_be_absent(tmp_path: Path) -> None:
    write_lines(tmp_path / "bare" / "one.jsonl", [{"text": "words"}])
    report = check_inputs(*inputs_of(tmp_path, corpus={"raw": "bare"}))
    used = {use.column: use.n_shards for use in report.shards.columns}
    assert (used["id"], used["source"], report.findings.warnings) == (0, 0, [])


def test_misspelt_domain_column(tmp_path: Path) -> None:
    changes = column_pool(tmp_path, TOPICS, column="topics")
    changes["corpus"]["carried_columns"] = {"topics": "string"}
    message = problems(tmp_path, **changes)
    assert "features.domains.column: no inspected shard has it" in message
    assert "did you mean 'topic'?" in message


def test_labels_that_are_no_domain(tmp_path: Path) -> None:
    changes = column_pool(tmp_path, TOPICS, names=["Law", "Food"])
    message = problems(tmp_path, **changes)
    assert "no label in the column 'topic' is one of features.domains.names (Law, Food)" in message
    assert "are: 'law' (6), 'food' (2)" in message


def test_domains_are_counted_and_labels_without_a_name_are_told(tmp_path: Path) -> None:
    rows = [*TOPICS, {"text": "words", "topic": "sports"}, {"text": "words"}]
    changes = column_pool(tmp_path, rows, names=["legal", "food"], mapping={"law": "legal"})
    report = check_inputs(*inputs_of(tmp_path, **changes))
    assert report.shards.domains == {"legal": 6, "food": 2, "unknown": 2}
    (warning,) = report.findings.warnings
    assert "1 of 10 inspected rows have a label that is neither" in warning
    assert "'sports' (1)" in warning


def scored(folder: Path, values: list[Any], kind: str = "float") -> dict[str, Any]:
    rows = [{"text": "words", "score": value} for value in values]
    write_lines(folder / "pool" / "one.jsonl", rows)
    criteria = [{"kind": "column", "name": "quality", "column": "score"}]
    return {
        "corpus": {"raw": "pool", "carried_columns": {"score": kind}},
        "features": {"domains": FASTTEXT, "criteria": criteria},
    }


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["good", "bad"], "float", "row 1: column 'score': expected float, got a string ('good')"),
        (["good", "bad"], "string", "the type string, but a score must be a number"),
        ([None, None], "float", "every value is null"),
    ],
)
def test_score_that_is_no_number(
    tmp_path: Path, values: list[Any], kind: str, expected: str
) -> None:
    message = problems(tmp_path, **scored(tmp_path, values, kind))
    assert "features.criteria[quality].column: " in message
    assert expected in message


@pytest.mark.parametrize("key", ["topic", "note"])
def test_column_of_nulls(tmp_path: Path, key: str) -> None:
    """A column that only goes through to the mix may be empty; one that gives domains may not."""
    rows = [{"text": "words", "topic": "law", key: None}]
    changes = column_pool(tmp_path, rows)
    changes["corpus"]["carried_columns"]["note"] = "string"
    if key == "topic":
        changes["corpus"]["carried_columns"].pop("note")
        message = problems(tmp_path, **changes)
        assert "features.domains.column: no inspected row has a usable value" in message
    else:
        (warning,) = check_inputs(*inputs_of(tmp_path, **changes)).findings.warnings
        assert warning == "corpus.carried_columns: every inspected value of 'note' is null"


def test_key_that_comes_late_is_found(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": "words"} for _ in range(999)]
    changes = column_pool(tmp_path, [*rows, {"text": "words", "topic": "law"}])
    report = check_inputs(*inputs_of(tmp_path, **changes))
    assert report.shards.domains["law"] == 1


def test_documents_without_a_score_are_told(tmp_path: Path) -> None:
    settings, store = inputs_of(tmp_path, **scored(tmp_path, [1, 2.5, None, "x"]))
    report = check_inputs(settings, store)
    conversion, absence = report.findings.warnings
    assert "1 inspected rows have a value in 'score' that cannot be used" in conversion
    assert "1 inspected rows have no score in 'score', the first: " in absence
    assert "one.jsonl, row 3" in absence


def test_score_column_that_is_not_there(tmp_path: Path) -> None:
    changes = scored(tmp_path, [1.0])
    changes["corpus"]["carried_columns"] = {"scores": "float"}
    changes["features"]["criteria"][0]["column"] = "scores"
    message = problems(tmp_path, **changes)
    assert "features.criteria[quality].column: no inspected shard has it" in message
    assert "did you mean 'score'?" in message


@pytest.mark.parametrize("content", ["", "\n"])
def test_empty_target(tmp_path: Path, content: str) -> None:
    (tmp_path / "none.jsonl").write_text(content)
    message = problems(tmp_path, targets=[{"name": "planted", "path": "none.jsonl"}])
    assert "targets[planted].path: " in message
    assert "none.jsonl" in message


def test_template_that_names_a_missing_key(tmp_path: Path) -> None:
    write_lines(tmp_path / "pairs.jsonl", [{"prompt": "p", "response": "r"}])
    target = {"name": "planted", "path": "pairs.jsonl", "template": "{prompt} {reponse}"}
    message = problems(tmp_path, targets=[target])
    assert "pairs.jsonl, row 1: targets[planted].template '{prompt} {reponse}'" in message
    assert "KeyError: 'reponse'" in message
    assert "prompt, response (did you mean 'response'?)" in message


def test_labelled_examples_that_are_no_domain(tmp_path: Path) -> None:
    write_lines(tmp_path / "l.jsonl", [{"text": "w", "domain": "A"}, {"text": "w", "domain": "B"}])
    message = problems(tmp_path, features={"domains": {**FASTTEXT, "labels": "l.jsonl"}})
    assert "2 labels in the column 'domain' are not among the names (a, b)" in message
    assert "'A', 'B'" in message


def test_domain_without_a_labelled_example(tmp_path: Path) -> None:
    message = problems(tmp_path, features={"domains": {**FASTTEXT, "names": ["a", "b", "c"]}})
    assert "features.domains.names: " in message
    assert "no example for c" in message


def test_misspelt_domain_column_of_labelled_examples(tmp_path: Path) -> None:
    message = problems(tmp_path, features={"domains": {**FASTTEXT, "domain_column": "domian"}})
    assert "features.domains.domain_column: " in message
    assert "did you mean 'domain'?" in message


def test_ids_that_repeat_and_rows_without_text_are_told(tmp_path: Path) -> None:
    rows = [{"id": "x", "text": "words"}, {"id": "x", "text": "more"}, {"id": "y", "text": " "}]
    write_lines(tmp_path / "pool" / "one.jsonl", rows)
    report = check_inputs(*inputs_of(tmp_path, corpus={"raw": "pool"}))
    empty, repeated = report.findings.warnings
    assert "1 of 3 inspected rows hold no text" in empty
    assert "'x' (2 times)" in repeated


def test_of_many_shards_a_bounded_number_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        rows = [{"text": "words " * 4, "id": f"{number}-{row}"} for row in range(3)]
        write_lines(tmp_path / "pool" / f"{number:03}.jsonl", rows)
    read: list[str] = []

    def noted(path: UPath, n_rows: int) -> FileSample:
        read.append(path.name)
        return read_sample(path, n_rows=2)

    monkeypatch.setattr(shards, "read_sample", noted)
    report = check_inputs(*inputs_of(tmp_path, corpus={"raw": "pool"}))
    assert len(read) == len(set(read)) == report.shards.n_read == shards.N_SHARDS
    assert {"000.jsonl", "099.jsonl"} <= set(read)
    assert (report.shards.n_rows_read, report.shards.n_rows) == (64, 300)


def test_column_that_few_shards_have_is_looked_for_in_others(tmp_path: Path) -> None:
    for number in range(40):
        topic = {"topic": "law"} if number == 1 else {}
        rows = [{"text": "words", "id": str(number), **topic}]
        write_lines(tmp_path / "pool" / f"{number:02}.jsonl", rows)
    changes = column_pool(tmp_path, [{"text": "words"}])
    report = check_inputs(*inputs_of(tmp_path, **changes))
    assert report.shards.domains["law"] == 1
    assert any("have no column 'topic'" in warning for warning in report.findings.warnings)


def test_questions_of_tasks_are_read_all(tmp_path: Path) -> None:
    row = {"question": "Which?", "choices": ["a", "b"], "answer": 0}
    write_lines(tmp_path / "good.jsonl", [row] * 3)
    write_lines(tmp_path / "bad.jsonl", [row] * 300 + [row | {"answer": 2}])
    tasks = [{"name": "piqa", "path": "good.jsonl"}, {"name": "mmlu"}]
    settings, store = inputs_of(tmp_path, evidence={"enabled": True, "tasks": tasks})
    piqa, mmlu = check_inputs(settings, store).tasks
    assert (piqa.n_questions, piqa.is_open, piqa.example) == (3, False, "Which?")
    assert mmlu.n_questions == 0
    tasks += [{"name": "own", "path": "bad.jsonl"}, {"name": "svamp", "path": "nowhere.jsonl"}]
    message = problems(tmp_path, evidence={"enabled": True, "tasks": tasks})
    assert f"evidence.tasks[own]: {tmp_path / 'bad.jsonl'}, row 301: answer is 2" in message
    assert f"evidence.tasks[svamp]: {tmp_path / 'nowhere.jsonl'}: there is no such file" in message
    off = {"enabled": False, "tasks": tasks}
    assert check_inputs(*inputs_of(tmp_path, evidence=off)).tasks == []
