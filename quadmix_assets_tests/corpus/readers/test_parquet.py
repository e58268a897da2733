import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quadmix_assets.corpus.readers import UnreadableShardError
from quadmix_assets_tests.corpus.reading import read, reasons


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


NOT_UTF8 = pa.array([b"one", b"caf\xe9", b"three"], pa.binary())
# The same bytes in a column that says it is of strings: some writers do not look.
SAID_TO_BE_UTF8 = pa.Array.from_buffers(pa.string(), 3, NOT_UTF8.buffers())


@pytest.mark.parametrize(
    "type_",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
)
def test_types_of_text(tmp_path: Path, type_: pa.DataType) -> None:
    texts = pa.array(["é", None, "b", " \u200b"]).cast(type_)
    documents, quarantined = read(write(tmp_path / "a.parquet", {"text": texts}))
    assert documents["text"].to_pylist() == ["é", "b"]
    assert documents["n_bytes"].to_pylist() == [2, 1]
    assert documents["id"].to_pylist() == ["shard:1", "shard:3"]
    assert reasons(quarantined) == {2: "wrong_type", 4: "empty_text"}


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    for name, texts in (("s", SAID_TO_BE_UTF8), ("b", NOT_UTF8)):
        columns = {"text": texts, "id": [1, 2, 3]}
        documents, quarantined = read(write(tmp_path / f"{name}.parquet", columns))
        assert documents["text"].to_pylist() == ["one", "three"]
        (rejected,) = quarantined.to_pylist()
        assert (rejected["row"], rejected["id"], rejected["reason"]) == (2, "2", "invalid_utf8")
        assert rejected["detail"] == "byte 0xe9 at byte 4 of the text is not UTF-8"
        assert rejected["excerpt"] == "caf\N{REPLACEMENT CHARACTER}"


def test_other_columns_that_are_not_utf8(tmp_path: Path) -> None:
    for column, reason in (
        ("id", "bad_id"),
        ("source", "bad_carried_value"),
        ("tag", "bad_carried_value"),
    ):
        columns = {"text": ["a", "b", "c"], column: SAID_TO_BE_UTF8}
        path = write(tmp_path / f"{column}.parquet", columns)
        documents, quarantined = read(path, carried={"tag": "string"})
        assert documents["text"].to_pylist() == ["a", "c"], column
        assert reasons(quarantined) == {2: reason}, column


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array(["a", "b", None]), ["a", "b", "shard:3"]),
        (pa.array([1, 2, None], pa.int32()), ["1", "2", "shard:3"]),
        (pa.array([2**64 - 1, 0, None], pa.uint64()), ["18446744073709551615", "0", "shard:3"]),
        (pa.array([1.0, 2.0, float("nan")]), ["1", "2", "shard:3"]),
        (pa.array(["a", "b", None]).dictionary_encode(), ["a", "b", "shard:3"]),
        (pa.array([b"a", b"b", None]), ["a", "b", "shard:3"]),
        (pa.nulls(3), ["shard:1", "shard:2", "shard:3"]),
    ],
)
def test_types_of_ids(tmp_path: Path, ids: pa.Array, expected: list[str]) -> None:
    documents, _ = read(write(tmp_path / "a.parquet", {"text": ["x", "y", "z"], "id": ids}))
    assert documents["id"].to_pylist() == expected


@pytest.mark.parametrize(
    ("ids", "n_bad"),
    [
        (pa.array(["a", " ", ""]), 2),
        (pa.array([1.0, 1.5, 1e300]), 2),
        (pa.array([True, False, None]), 2),
        (pa.array([["a"], [], None]), 2),
    ],
)
def test_bad_ids(tmp_path: Path, ids: pa.Array, n_bad: int) -> None:
    documents, quarantined = read(
        write(tmp_path / "a.parquet", {"text": ["x", "y", "z"], "id": ids})
    )
    assert documents.num_rows == 3 - n_bad
    assert quarantined["reason"].to_pylist() == ["bad_id"] * n_bad


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pa.array([1, None, 3], pa.int8()), "int", [1, None, 3]),
        (pa.array([1, None, 2**63], pa.uint64()), "int", [1, None, "bad"]),
        (pa.array([1.0, None, 1.5]), "int", [1, None, "bad"]),
        (pa.array(["1", None, "x"]), "int", [1, None, "bad"]),
        (pa.array([1, None, 2**60 + 1]), "float", [1.0, None, float(2**60)]),
        (pa.array([0.5, None, 2.0], pa.float32()), "float", [0.5, None, 2.0]),
        (pa.array(["0.5", None, "x"]), "float", [0.5, None, "bad"]),
        (pa.array([True, None, False]), "bool", [True, None, False]),
        (pa.array([1, None, 2]), "bool", [True, None, "bad"]),
        (pa.array([1, None, 2]), "string", ["1", None, "2"]),
        (pa.array([0.5, None, 2.0]), "string", ["0.5", None, "2.0"]),
        (pa.array(["x", None, "y"]).dictionary_encode(), "string", ["x", None, "y"]),
        (pa.array([["x"], None, []]), "string", ["bad", None, "bad"]),
        (pa.array([datetime.date(2020, 1, 2), None, None]), "string", ["2020-01-02", None, None]),
        (pa.array([253402300800, None, 0], pa.timestamp("s")), "int", ["bad", None, "bad"]),
        (pa.nulls(3), "float", [None, None, None]),
    ],
)
def test_carried_columns(tmp_path: Path, values: pa.Array, kind: str, expected: list[Any]) -> None:
    path = write(tmp_path / "a.parquet", {"text": ["x", "y", "z"], "c": values})
    documents, quarantined = read(path, carried={"c": kind})
    assert documents["c"].to_pylist() == [value for value in expected if value != "bad"]
    assert reasons(quarantined) == {
        row: "bad_carried_value" for row, value in enumerate(expected, 1) if value == "bad"
    }


ODD_COLUMNS = [
    pa.array([1, None], pa.duration("s")),
    pa.array([1, None], pa.time64("ns")),
    pa.array([2**62, None], pa.timestamp("ms")),
    pa.array([1, None], pa.timestamp("ns", "Europe/Berlin")),
    pa.array([1, None], pa.decimal128(30, 2)),
    pa.array([1.5, None], pa.float16()),
    pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
    pa.array([{"a": [{"b": 1}]}, None]),
    pa.array([b"\xff\xfe", None], pa.binary(2)),
    pa.array(["x", None], pa.string_view()),
    pa.array([1, 1]).dictionary_encode(),
]


@pytest.mark.parametrize("odd", ODD_COLUMNS, ids=lambda array: str(array.type))
@pytest.mark.parametrize("kind", ["string", "int", "float", "bool"])
def test_no_type_of_column_stops_the_reader(tmp_path: Path, odd: pa.Array, kind: str) -> None:
    path = write(tmp_path / "a.parquet", {"text": ["x", "y"], "odd": odd})
    documents, quarantined = read(path, id_column="odd", source="odd", carried={"odd": kind})
    assert documents.num_rows + quarantined.num_rows == 2
    if "duplicate_id" not in reasons(quarantined).values():
        assert documents["text"].to_pylist()[-1:] == ["y"]  # a null is right for every type


def test_absent_columns_are_null_and_nested_ones_are_found(tmp_path: Path) -> None:
    meta = pa.array([{"src": "web", "n": 1}, None, {"src": None, "n": 3}])
    path = write(tmp_path / "a.parquet", {"text": ["x", "y", "z"], "meta": meta})
    documents, _ = read(
        path, source="meta.src", carried={"meta.n": "int", "meta.other": "int", "gone": "float"}
    )
    assert documents["source"].to_pylist() == ["web", "shard", "shard"]
    assert documents["meta.n"].to_pylist() == [1, None, 3]
    assert documents["meta.other"].null_count == documents["gone"].null_count == 3


def test_of_several_errors_in_a_row_the_texts_is_told(tmp_path: Path) -> None:
    columns = {"text": [None, "y"], "id": ["", ""], "c": [[1], [1]]}
    _, quarantined = read(write(tmp_path / "a.parquet", columns), carried={"c": "int"})
    assert reasons(quarantined) == {1: "wrong_type", 2: "bad_id"}


def test_rows_are_counted_through_row_groups_and_batches(tmp_path: Path) -> None:
    texts = [None if i % 10 == 9 else f"text {i}" for i in range(1000)]
    path = write(tmp_path / "a.parquet", {"text": texts}, row_group_size=130)
    documents, quarantined = read(path, batch_rows=37)
    assert documents["id"].to_pylist() == [f"shard:{i + 1}" for i in range(1000) if i % 10 != 9]
    assert quarantined["row"].to_pylist() == list(range(10, 1001, 10))


def test_unusable_text_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"content": ["a"], "n": [1], "tags": [["a"]]})
    cases = {
        "text": r"no column 'text'; its columns are: content, n, tags\. Set corpus\.text_column",
        "n": "column 'n' is of type int64, which cannot hold text",
        "tags": "column 'tags' is of type list",
        "content.a": "no column 'content.a'",
    }
    for column, message in cases.items():
        with pytest.raises(UnreadableShardError, match=message):
            read(path, text=column)


def test_zero_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"text": pa.array([], pa.string())})
    assert read(path)[0].num_rows == 0


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.parquet", {"text": [str(i) * 50 for i in range(9000)]}).read_bytes()
    broken = tmp_path / "b.parquet"
    for content in (b"", b"PAR1", whole[: len(whole) // 2], b"not parquet at all, but text"):
        broken.write_bytes(content)
        with pytest.raises(UnreadableShardError, match=r"b\.parquet: it has no readable .*footer"):
            read(broken)
    broken.write_bytes(whole[:4] + bytes(len(whole) // 2 - 4) + whole[len(whole) // 2 :])
    with pytest.raises(UnreadableShardError, match="damaged after 0 rows"):
        read(broken)
    with pytest.raises(UnreadableShardError, match=r"gone\.parquet: the file cannot be opened"):
        read(tmp_path / "gone.parquet")
