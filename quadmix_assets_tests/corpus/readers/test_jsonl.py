import json
from pathlib import Path

import pytest

from quadmix_assets.corpus.readers import UnreadableShardError
from quadmix_assets_tests.corpus.reading import read, reasons

GOOD = b'{"id": "a", "text": "fine"}'
GOOD_TOO = b'{"id": "b", "text": "fine"}'

SEPARATED = "a\u2028b\u2029c\u0085d"

ACCEPTED = {
    "byte-order mark": (b"\xef\xbb\xbf" + GOOD, "fine"),
    "CRLF": (GOOD + b"\r", "fine"),
    "blanks around": (b"  " + GOOD + b"\t", "fine"),
    "NUL escape": (b'{"text": "a\\u0000b"}', "a\0b"),
    "raw U+2028, U+2029, U+0085": (
        '{"text": "a\u2028b\u2029c\u0085d"}'.encode(),
        "a\u2028b\u2029c\u0085d",
    ),
    "paired surrogates": (b'{"text": "\\ud83d\\ude00"}', "\U0001f600"),
    "key in the text": (b'{"text": "say \\"text\\" and \\"text\\""}', 'say "text" and "text"'),
    "key in a nested object": (b'{"text": "outer", "meta": {"text": "inner"}}', "outer"),
    "other key twice": (b'{"text": "x", "tag": 1, "tag": 2}', "x"),
    "as large as allowed": (b'{"text": "%s"}' % (b"a" * 100), "a" * 100),
    "kept as it is": (b'{"text": " \\n<b>x</b>\\t "}', " \n<b>x</b>\t "),
    "letter beyond the zero-width ones": ('{"text": "\u200b.\u200b"}'.encode(), "\u200b.\u200b"),
}

REFUSED = {
    "cut": (b'{"text": "abc', "broken_json"),
    "trailing comma": (b'{"text": "abc"},', "broken_json"),
    "two objects": (GOOD + b" " + GOOD, "broken_json"),
    "single quotes": (b"{'text': 'abc'}", "broken_json"),
    "NaN": (b'{"text": "abc", "x": NaN}', "broken_json"),
    "NUL bytes": (bytes(64), "broken_json"),
    "raw control character": (b'{"text": "a\x01b"}', "broken_json"),
    "too deep": (b'{"text": "a", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}", "broken_json"),
    "number beyond floats": (b'{"text": "a", "x": 1e999}', "broken_json"),
    "blank": (b" \t\r", "blank_line"),
    "only a byte-order mark": (b"\xef\xbb\xbf", "blank_line"),
    "list": (b'["text"]', "not_an_object"),
    "string": (b'"text"', "not_an_object"),
    "null": (b"null", "not_an_object"),
    "no text": (b'{"id": "b"}', "missing_text"),
    "null text": (b'{"text": null}', "wrong_type"),
    "number": (b'{"text": 12}', "wrong_type"),
    "list of text": (b'{"text": ["a"]}', "wrong_type"),
    "object as text": (b'{"text": {"text": "a"}}', "wrong_type"),
    "bad byte in text": (b'{"text": "caf\xe9"}', "invalid_utf8"),
    "bad byte elsewhere": (b'{"text": "a", "url": "\xff"}', "invalid_utf8"),
    "encoded surrogate": (b'{"text": "\xed\xa0\x80"}', "invalid_utf8"),
    "lone surrogate": (b'{"text": "a\\ud800b"}', "invalid_utf8"),
    "text twice": (b'{"text": "a", "text": "b"}', "duplicate_key"),
    "id twice": (b'{"id": 1, "text": "a", "id": 2}', "duplicate_key"),
    "empty": (b'{"text": ""}', "empty_text"),
    "white space": ('{"text": " \\n\\t\u00a0\u3000"}'.encode(), "empty_text"),
    "zero-width": ('{"text": "\u200b\u200c\u200d\u2060\ufeff\u00ad"}'.encode(), "empty_text"),
    "text too large": (b'{"text": "%s"}' % (b"a" * 101), "too_large"),
    "line too large": (b'{"text": "%s"}' % (b"a" * 200_000), "too_large"),
    "list id": (b'{"id": ["a"], "text": "a"}', "bad_id"),
    "object id": (b'{"id": {}, "text": "a"}', "bad_id"),
    "true as id": (b'{"id": true, "text": "a"}', "bad_id"),
    "empty id": (b'{"id": "", "text": "a"}', "bad_id"),
    "list as carried string": (b'{"text": "a", "tag": [1]}', "bad_carried_value"),
    "text as carried float": (b'{"text": "a", "score": "high"}', "bad_carried_value"),
    "list as source": (b'{"text": "a", "source": ["web"]}', "bad_carried_value"),
}


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"\n".join(lines))
    return path


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(tmp_path: Path, name: str) -> None:
    line, text = ACCEPTED[name]
    documents, quarantined = read(write(tmp_path / "a.jsonl", line, GOOD_TOO), max_text_bytes=100)
    assert quarantined.num_rows == 0
    assert documents["text"].to_pylist() == [text, "fine"]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_without_harm_to_its_neighbours(tmp_path: Path, name: str) -> None:
    line, reason = REFUSED[name]
    documents, quarantined = read(
        write(tmp_path / "a.jsonl", GOOD, line, GOOD_TOO),
        max_text_bytes=100,
        carried={"tag": "string", "score": "float"},
    )
    assert documents["text"].to_pylist() == ["fine", "fine"]
    (rejected,) = quarantined.to_pylist()
    assert (rejected["shard"], rejected["row"], rejected["reason"]) == ("shard", 2, reason)
    assert rejected["detail"] and len(rejected["excerpt"]) <= 200


def test_what_quarantine_tells(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", GOOD, b'{"id": 5, "text": "' + b"x" * 300 + b'", "tag": []}')
    _, quarantined = read(path, carried={"tag": "int"})
    assert quarantined.to_pylist() == [
        {
            "shard": "shard",
            "row": 2,
            "id": "5",
            "reason": "bad_carried_value",
            "detail": "column 'tag': expected int, got a list ([])",
            "excerpt": '{"id": 5, "text": "' + "x" * 181,
        }
    ]


def test_ids_sources_and_carried_columns(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "text": "é", "source": "web", "n": 3, "meta": {"url": "u"}},
        {"id": 17, "text": "b", "n": None},
        {"id": None, "text": "c", "source": None, "n": 4.0, "meta": None},
        {"text": "d", "source": 5, "n": "6"},
    ]
    path = write(tmp_path / "a.jsonl", *(json.dumps(row).encode() for row in rows))
    documents, _ = read(path, shard_key="key", carried={"n": "int", "meta.url": "string"})
    assert documents.to_pydict() == {
        "id": ["a", "17", "key:3", "key:4"],
        "text": ["é", "b", "c", "d"],
        "source": ["web", "key", "key", "5"],
        "n_bytes": [2, 1, 1, 1],
        "n": [3, None, 4, 6],
        "meta.url": ["u", None, None, None],
    }
    documents, _ = read(path, shard_key="key", id_column=None, source=None)
    assert documents["id"].to_pylist() == ["key:1", "key:2", "key:3", "key:4"]
    assert set(documents["source"].to_pylist()) == {"key"}


def test_nested_text(tmp_path: Path) -> None:
    lines = [b'{"data": {"text": "a"}}', b'{"data": {}}', b'{"data": 1}', b'{"data.text": "b"}']
    documents, quarantined = read(write(tmp_path / "a.jsonl", *lines), text="data.text")
    assert documents["text"].to_pylist() == ["a", "b"]
    assert reasons(quarantined) == {2: "missing_text", 3: "missing_text"}


def test_no_row_has_the_text_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", b'{"content": "a", "url": "u"}', b"broken")
    message = r"a\.jsonl: it has no column 'text'; its columns are: content, url.*corpus\.text_col"
    with pytest.raises(UnreadableShardError, match=message):
        read(path)
    assert read(path, text="content")[0].num_rows == 1


def test_files_without_any_object_are_quarantined_not_refused(tmp_path: Path) -> None:
    documents, quarantined = read(write(tmp_path / "a.jsonl", b"x", b"[]"))
    assert documents.num_rows == 0
    assert reasons(quarantined) == {1: "broken_json", 2: "not_an_object"}


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_empty_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    documents, quarantined = read(tmp_path / "a.jsonl")
    assert documents.num_rows == 0
    assert quarantined.num_rows == len(content)
