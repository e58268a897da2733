"""Memory is bounded for every small file, whatever it unpacks to."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from quadmix_assets.corpus.readers import UnreadableShardError
from quadmix_assets.settings.load import PACKAGE
from quadmix_assets_tests.corpus.readers import bombs
from quadmix_assets_tests.corpus.reading import read, reasons

MOST_MIB = 1024


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What reading each of the files came to, in another process."""
    folder = tmp_path_factory.mktemp("bombs")
    paths = [folder / name for name in bombs.BOMBS]
    for path in paths:
        bombs.BOMBS[path.name](path)
        assert path.stat().st_size < 1_000_000, path.name
    command = [sys.executable, "-m", bombs.__name__, *map(str, paths)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=PACKAGE.parent, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", list(bombs.BOMBS))
def test_small_files_take_little_memory(found: dict[str, dict[str, Any]], name: str) -> None:
    assert found[name]["mib"] < MOST_MIB, found[name]


def test_what_is_refused_says_so(found: dict[str, dict[str, Any]]) -> None:
    words = {
        "page.parquet": "pages unpack to",
        "lists.parquet": "holds lists of 30,000,000 values",
        "rows.parquet": "more than one for each byte",
        "line.jsonl.zst": "unpacks to over",
        "blank.jsonl.zst": "more than one for each byte",
        "line.jsonl.gz": "unpacks to over",
    }
    for name, word in words.items():
        assert word in found[name]["errors"][0], found[name]
    for name in ("dictionary.parquet", "kept_dictionary.parquet"):
        assert found[name]["n_rows"] == 2_000, "large rows are no reason to refuse a file"
        assert found[name]["errors"] == []
    assert found["arrays.jsonl.zst"]["n_rows"] == 1


def test_long_lines_of_lists_are_rejected_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    many = ["[]"] * 1_100_000
    numbers = ["0"] * 8_100_000
    path.write_text(
        '{"text": "one"}\n{"text": "two", "x": ['
        + ",".join(many)
        + ']}\n{"text": "three", "x": ['
        + ",".join(numbers)
        + ']}\n{"text": "four, '
        + "[" * 900_000
        + '"}\n'
    )
    documents, quarantined = read(path)
    assert [text[:5] for text in documents["text"].to_pylist()] == ["one", "four,"]
    assert reasons(quarantined) == {2: "too_large", 3: "too_large"}
    details = quarantined["detail"].to_pylist()
    assert "1,100,002 lists and objects" in details[0]
    assert "values, over the limit of 8,000,000" in details[1]


def test_files_that_compress_well_are_read_whole(tmp_path: Path) -> None:
    """A hundred megabytes of one line, which zstd makes ten kilobytes of."""
    line = b'{"text": "' + b"the same words again and again " * 1_000 + b'"}\n'
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(zstandard.compress(line * 3_000))
    assert read(path)[0].num_rows == 3_000


def test_long_values_of_a_dictionary_come_in_small_batches(tmp_path: Path) -> None:
    texts = ["long " * 100_000, *(f"short {n}" for n in range(500))] * 4
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": texts, "id": range(len(texts))}), path, compression="snappy")
    documents, _ = read(path, batch_rows=4096)
    assert documents["text"].to_pylist() == texts
    assert documents["id"].to_pylist() == [str(n) for n in range(len(texts))]


def test_pages_of_columns_that_are_not_read_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"text": ["a"] * 250, "blob": ["x" * 1_000_000] * 250}),
        path,
        compression="zstd",
        use_dictionary=False,
        data_page_size=1 << 30,
    )
    assert read(path)[0].num_rows == 250
    with pytest.raises(UnreadableShardError, match="pages unpack to 238 MiB"):
        read(path, source="blob")
