"""The first rows of a file: what they say of the whole."""

import gzip
import json
import random
from pathlib import Path

import polars as pl
import pytest
import zstandard
from upath import UPath

from quadmix_assets.corpus.readers import UnreadableShardError, read_sample


def lines(n: int) -> bytes:
    letters = random.Random(0)
    texts = ("".join(letters.choices("abcdefgh ", k=letters.randint(50, 150))) for _ in range(n))
    return b"".join(json.dumps({"id": i, "text": t}).encode() + b"\n" for i, t in enumerate(texts))


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_rows_of_a_long_file_are_estimated(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    content = lines(5_000)
    packed = {"jsonl.gz": gzip.compress, "jsonl.zst": zstandard.ZstdCompressor().compress}
    path.write_bytes(packed.get(suffix, bytes)(content))
    sample = read_sample(UPath(path), n_rows=200)
    assert (len(sample.rows), sample.is_estimate, sample.is_whole) == (200, True, False)
    assert sample.n_rows == pytest.approx(5_000, rel=0.1)


def test_rows_of_a_short_file_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\n\nbroken\n{"meta": {"url": null}, "text": 1}\n')
    sample = read_sample(UPath(path), n_rows=4)
    assert (sample.n_rows, sample.n_broken, sample.is_whole) == (4, 2, True)
    assert sample.columns == ("text", "meta")
    assert list(sample.values("text")) == [(1, "a"), (4, 1)]
    assert list(sample.values("meta.url")) == [(4, None)]
    assert sample.has("meta.url")
    assert not sample.has("url")


def test_parquet_says_itself_how_many_rows_it_has(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"id": range(1_000), "x": [{"y": 1}] * 1_000}).write_parquet(path)
    sample = read_sample(UPath(path), n_rows=10)
    assert (sample.n_rows, sample.is_estimate, sample.is_whole) == (1_000, False, False)
    assert list(sample.rows) == list(range(1, 11))
    assert sample.has("x.y")
    assert read_sample(UPath(path), n_rows=1_000).is_whole


def test_file_without_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"")
    pl.DataFrame(schema={"text": pl.String}).write_parquet(tmp_path / "a.parquet")
    for name, columns in (("a.jsonl", ()), ("a.parquet", ("text",))):
        sample = read_sample(UPath(tmp_path / name), n_rows=10)
        assert (sample.rows, sample.n_rows, sample.columns) == ({}, 0, columns)
        assert sample.is_whole


def test_file_of_another_format(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\n")
    with pytest.raises(UnreadableShardError, match="suffix names no format"):
        read_sample(UPath(tmp_path / "a.csv"), n_rows=10)
