import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from quadmix_assets.corpus.normalize import documents_schema, normalize
from quadmix_assets.corpus.readers import UnreadableShardError
from quadmix_assets_tests.corpus.reading import AWKWARD, CORPUS, needs_corpus, read, reasons

FOLDER = UPath("memory://normalize")


@pytest.fixture(autouse=True, scope="module")
def _folder() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)


def memory_file(name: str, content: bytes) -> UPath:
    path = FOLDER / name
    path.write_bytes(content)
    return path


# Lines that are nearly what is expected, and lines that are anything.
values: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.just("\ud800")
    | st.just([])
)
rows = st.dictionaries(st.sampled_from(["id", "text", "source", "tag", "x"]), values).map(
    lambda row: json.dumps(row).encode()
)
lines = st.lists(rows | st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")))


@given(lines, st.integers(1, 7))
@settings(deadline=None)
def test_every_line_is_a_document_or_in_quarantine(lines: list[bytes], batch_rows: int) -> None:
    head = b'{"text": "first"}'  # a first line that says what the file is
    content = b"".join(line + b"\n" for line in [head, *lines])
    options: dict[str, Any] = {"carried": {"tag": "int"}, "max_text_bytes": 5, "id_column": None}
    documents, quarantined = read(memory_file("a.jsonl", content), **options)
    document_rows = [int(id_.removeprefix("shard:")) for id_ in documents["id"].to_pylist()]
    bad_rows = quarantined["row"].to_pylist()
    assert sorted(document_rows + bad_rows) == list(range(1, len(lines) + 2))
    assert document_rows == sorted(document_rows) and bad_rows == sorted(bad_rows)
    for row, text in zip(document_rows, documents["text"].to_pylist(), strict=True):
        assert json.loads([head, *lines][row - 1])["text"] == text
    # Neither the size of the batches nor the compression shows.
    for name, data in (
        ("a.jsonl", content),
        ("a.jsonl.gz", gzip.compress(content)),
        ("a.ndjson.zst", zstandard.compress(content)),
    ):
        again = read(memory_file(name, data), batch_rows=batch_rows, **options)
        assert again[0].equals(documents) and again[1].equals(quarantined)


records = st.fixed_dictionaries(
    {
        "id": st.none() | st.text(max_size=4),
        "text": st.none() | st.text(max_size=12),
        "source": st.none() | st.text(max_size=4),
        "number": st.none() | st.integers(-(2**63), 2**63 - 1),
        "share": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.none() | st.booleans(),
    }
)


@given(st.lists(records), st.permutations(["string", "int", "float", "bool"]))
@settings(deadline=None)
def test_parquet_and_json_lines_give_the_same(rows: list[dict[str, Any]], kinds: list[str]) -> None:
    schema = pa.schema(
        [(name, pa.string()) for name in ("id", "text", "source")]
        + [("number", pa.int64()), ("share", pa.float64()), ("flag", pa.bool_())]
    )
    options: dict[str, Any] = {
        "carried": dict(zip(("number", "share", "flag"), kinds, strict=False)),
        "max_text_bytes": 9,
    }
    lines = b"\n".join(json.dumps(row).encode() for row in rows)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    from_lines = read(memory_file("a.jsonl", lines), **options)
    from_parquet = read(memory_file("a.parquet", sink.getvalue().to_pybytes()), **options)
    assert from_lines[0].equals(from_parquet[0])
    assert reasons(from_lines[1]) == reasons(from_parquet[1])


def test_batches_are_bounded_by_bytes(tmp_path: Path) -> None:
    texts = ["x" * 3_000_000] * 30
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", use_dictionary=False)
    for name in ("a.jsonl", "a.parquet"):
        sizes = [
            batch.documents.nbytes
            for batch in normalize(
                UPath(tmp_path / name),
                shard_key="s",
                text_column="text",
                id_column=None,
                source_column=None,
                carried_columns={},
                max_text_bytes=4_000_000,
            )
        ]
        assert sum(sizes) > 90_000_000
        assert max(sizes) < 40_000_000, name


def test_reserved_and_unknown_carried_columns() -> None:
    with pytest.raises(ValueError, match=r"corpus\.carried_columns: 'source' is a column of every"):
        documents_schema({"source": "string"})
    with pytest.raises(ValueError, match="'score' has the type 'double'; expected one of string"):
        documents_schema({"score": "double"})
    assert documents_schema({"score": "float"}).names == [
        "id",
        "text",
        "source",
        "n_bytes",
        "score",
    ]


def test_unsupported_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nx")
    with pytest.raises(UnreadableShardError, match=r"a\.csv: its suffix .* supported are: \.p"):
        read(tmp_path / "a.csv")


# Of the lines of broken_lines.jsonl, by what is said to be wrong with them. Accepted, besides good
# lines: a byte-order mark, CRLF and an escaped NUL, none of which makes the text doubtful.
ACCEPTED = {"ok", "BOM before the object", "CRLF line end", "NUL escape in text"}
REFUSED = {
    "cut in the middle": "broken_json",
    "blank line": "blank_line",
    "trailing comma": "broken_json",
    "a list, not an object": "not_an_object",
    "a bare string": "not_an_object",
    "no text key": "missing_text",
    "text is null": "wrong_type",
    "text is a number": "wrong_type",
    "bytes that are not UTF-8 inside text": "invalid_utf8",
    "lone surrogate escape": "invalid_utf8",
    "key text given twice": "duplicate_key",
    "two objects on one line": "broken_json",
    "text is a list": "wrong_type",
    "single quotes (Python repr style)": "broken_json",
    "NaN literal": "broken_json",
    "64 NUL bytes": "broken_json",
    "text is empty": "empty_text",
    "cut, no newline at the end of the file": "broken_json",
}


@needs_corpus
def test_broken_lines_one_by_one() -> None:
    table = (AWKWARD / "broken_lines.expected.tsv").read_text().splitlines()[1:]
    kinds = {int(line.split("\t")[0]): line.split("\t")[1] for line in table}
    assert set(kinds.values()) == ACCEPTED | set(REFUSED)
    documents, quarantined = read(AWKWARD / "broken_lines.jsonl", id_column=None)
    assert reasons(quarantined) == {
        row: REFUSED[kind] for row, kind in kinds.items() if kind not in ACCEPTED
    }
    assert documents["id"].to_pylist() == [
        f"shard:{row}" for row, kind in sorted(kinds.items()) if kind in ACCEPTED
    ]


# file -> documents, quarantined rows by reason
COUNTS: dict[str, tuple[int, dict[str, int]]] = {
    "shard-00000.jsonl.gz": (2000, {}),
    "shard-00000.jsonl.zst": (2000, {}),
    "multi_member.jsonl.gz": (300, {}),
    "multi_frame.jsonl.zst": (300, {}),
    "zero_bytes.jsonl": (0, {}),
    "zero_rows.parquet": (0, {}),
    "empty_docs.parquet": (103, {"empty_text": 6, "wrong_type": 1}),
    "long_docs.jsonl.gz": (5, {}),
    "other_languages.jsonl": (266, {}),
    "duplicates.parquet": (1356, {}),
    "duplicate_ids.jsonl": (10, {"duplicate_id": 90}),
    "uuencoded_noise.jsonl": (25, {}),
    "unicode_line_separators.jsonl": (100, {}),
    "mixed_schema/part-0.parquet": (200, {}),
    "mixed_schema/part-1.parquet": (200, {}),
    "mixed_schema/part-2.parquet": (200, {}),
}


@needs_corpus
@pytest.mark.parametrize("name", COUNTS)
def test_awkward_files(name: str) -> None:
    documents, quarantined = read(AWKWARD / name, carried={"quality": "float"})
    n_documents, expected = COUNTS[name]
    found = quarantined["reason"].to_pylist()
    assert documents.num_rows == n_documents
    assert {reason: found.count(reason) for reason in set(found)} == expected


UNREADABLE = {
    "truncated.jsonl.gz": r"ends in the middle, after \d+ whole lines",
    "truncated.parquet": "no readable Parquet footer",
    "utf16.jsonl": "iconv -f UTF-16 -t UTF-8",
    "non_utf8_20news_0.txt": "supported are",
    "non_utf8_reuters_reut2-017.sgm": "supported are",
    "html_named_csv.csv": "supported are",
}


@needs_corpus
@pytest.mark.parametrize("name", UNREADABLE)
def test_awkward_files_that_cannot_be_read(name: str) -> None:
    with pytest.raises(UnreadableShardError, match=UNREADABLE[name]):
        read(AWKWARD / name)


def test_later_rows_with_the_id_of_an_earlier_document_go_to_quarantine() -> None:
    """Over the bounds of batches; a row that is no document does not count."""
    rows = [
        {"id": "a", "text": ""},
        {"id": "a", "text": "first"},
        {"id": "b", "text": "second"},
        {"id": "a", "text": "third"},
        {"text": "without an id"},
        {"id": "shard:5", "text": "the id that row 5 was given"},
        {"id": "b", "text": "last"},
    ]
    path = FOLDER / "repeats.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for batch_rows in (1, 2, 3, 100):
        documents, quarantined = read(path, batch_rows=batch_rows)
        assert documents["text"].to_pylist() == ["first", "second", "without an id"]
        assert documents["id"].to_pylist() == ["a", "b", "shard:5"]
        assert reasons(quarantined) == {
            1: "empty_text",
            4: "duplicate_id",
            6: "duplicate_id",
            7: "duplicate_id",
        }
        assert quarantined["id"].to_pylist() == ["a", "a", "shard:5", "b"]
        assert quarantined["detail"][1].as_py() == "an earlier row of this file has the id 'a'"
        assert quarantined["excerpt"].to_pylist()[1:] == [
            "third",
            "the id that row 5 was given",
            "last",
        ]


@needs_corpus
def test_latin1_rows_go_to_quarantine() -> None:
    lines = (AWKWARD / "latin1.jsonl").read_bytes().splitlines()
    # One row is valid by chance: UTF-8 that somebody had taken for Latin-1 before.
    bad = [row for row, line in enumerate(lines, 1) if "\ufffd" in line.decode(errors="replace")]
    assert len(bad) == len(lines) - 1
    assert reasons(read(AWKWARD / "latin1.jsonl")[1]) == dict.fromkeys(bad, "invalid_utf8")


@needs_corpus
def test_nested_content() -> None:
    documents, quarantined = read(
        AWKWARD / "nested_content.parquet",
        text="content",
        id_column="doc_id",
        source="meta.src",
        carried={"lang": "string", "added": "string", "meta.len.words": "int"},
    )
    assert documents.num_rows == 1000 and quarantined.num_rows == 0
    given = pq.read_table(AWKWARD / "nested_content.parquet").to_pylist()
    assert documents["id"].to_pylist() == [str(row["doc_id"]) for row in given]
    assert documents["source"].to_pylist() == [row["meta"]["src"] for row in given]
    assert documents["meta.len.words"].to_pylist() == [row["meta"]["len"]["words"] for row in given]
    assert documents["added"][0].as_py().startswith(given[0]["added"].date().isoformat())
    with pytest.raises(UnreadableShardError, match="columns are: doc_id, content, meta, lang"):
        read(AWKWARD / "nested_content.parquet")


@needs_corpus
def test_a_shard_as_parquet_and_as_json_lines_is_the_same() -> None:
    carried = {"url": "string", "label": "string"}
    expected = read(CORPUS / "docs" / "shard-00000.parquet", carried=carried)[0].slice(0, 2000)
    for suffix in ("gz", "zst"):
        found = read(AWKWARD / f"shard-00000.jsonl.{suffix}", carried=carried)[0]
        assert found.combine_chunks().equals(expected.combine_chunks())
