import gzip
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from quadmix_assets.corpus.readers import UnreadableShardError
from quadmix_assets.corpus.readers.lines import _split, read_lines

LINES = [b'{"text": "%d"}' % i for i in range(2000)]
CONTENT = b"\n".join(LINES) + b"\n"


def contents(path: Path, max_line_bytes: int = 1 << 20) -> list[bytes]:
    return [line.content for line in read_lines(UPath(path), max_line_bytes=max_line_bytes)]


@given(st.lists(st.binary(max_size=8)), st.integers(1, 12))
def test_lines_do_not_depend_on_how_the_stream_comes(blocks: list[bytes], limit: int) -> None:
    whole = b"".join(blocks)
    expected = whole.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    found = list(_split(blocks, limit))
    assert [n_bytes for _, n_bytes in found] == [len(line) for line in expected]
    for (content, n_bytes), line in zip(found, expected, strict=True):
        assert content == line if n_bytes <= limit else line.startswith(content)


def test_rows_count_from_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"a\n\nb")
    lines = list(read_lines(UPath(path), max_line_bytes=10))
    assert [(line.row, line.content) for line in lines] == [(1, b"a"), (2, b""), (3, b"b")]


def test_plain_gzip_and_zstd_give_the_same_lines(tmp_path: Path) -> None:
    files = {
        "a.jsonl": CONTENT,
        "a.jsonl.gz": gzip.compress(CONTENT),
        "a.jsonl.zst": zstandard.compress(CONTENT),
        "A.JSONL.GZ": gzip.compress(CONTENT),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert contents(tmp_path / name) == LINES, name


def test_all_members_and_frames_are_read(tmp_path: Path) -> None:
    # Cut in the middle of a line: members know nothing of lines.
    parts = [CONTENT[:5001], b"", CONTENT[5001:]]
    skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    (tmp_path / "a.gz").write_bytes(b"".join(map(gzip.compress, parts)))
    (tmp_path / "padded.gz").write_bytes(b"".join(map(gzip.compress, parts)) + bytes(700))
    (tmp_path / "a.zst").write_bytes(
        zstandard.compress(parts[0]) + skippable + zstandard.compress(parts[2])
    )
    for name in ("a.gz", "padded.gz", "a.zst"):
        assert contents(tmp_path / name) == LINES, name


def test_zstd_with_a_window_over_the_usual_limit(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    path = tmp_path / "long.jsonl.zst"
    path.write_bytes(compressor.compress(CONTENT) + compressor.flush())
    assert contents(path) == LINES


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_cut_compressed_data_is_told_with_the_lines_before_it(tmp_path: Path, suffix: str) -> None:
    compress = gzip.compress if suffix == ".gz" else zstandard.compress
    first, second = compress(CONTENT), compress(CONTENT)
    path = tmp_path / f"cut.jsonl{suffix}"
    path.write_bytes(first + second[: len(second) // 2])
    found = []
    with pytest.raises(UnreadableShardError, match=r"after 2\d\d\d whole lines.*upload it again"):
        for line in read_lines(UPath(path), max_line_bytes=100):
            found.append(line.content)
    assert found[:2000] == LINES
    path.write_bytes(b"")
    with pytest.raises(UnreadableShardError, match="after 0 whole lines"):
        contents(path)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_damaged_compressed_data(tmp_path: Path, suffix: str) -> None:
    compress = gzip.compress if suffix == ".gz" else zstandard.compress
    data = bytearray(compress(CONTENT))
    data[:2] = b"no"
    path = tmp_path / f"bad.jsonl{suffix}"
    path.write_bytes(data)
    with pytest.raises(UnreadableShardError, match="damaged after 0 whole lines"):
        contents(path)


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("utf-32-le", "UTF-32"),
        ("utf-32-be", "UTF-32"),
    ],
)
def test_wide_encodings_are_named(tmp_path: Path, encoding: str, name: str) -> None:
    path = tmp_path / "wide.jsonl"
    path.write_bytes(CONTENT.decode().encode(encoding))
    with pytest.raises(UnreadableShardError, match=f"iconv -f {name} -t UTF-8 wide.jsonl"):
        contents(path)


def test_content_that_contradicts_the_suffix_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for data, suffix in ((gzip.compress(b"{}"), ".gz"), (zstandard.compress(b"{}"), ".zst")):
        path.write_bytes(data)
        with pytest.raises(UnreadableShardError, match=f"ends in {suffix}"):
            contents(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableShardError, match=r"gone\.jsonl: the file cannot be opened"):
        contents(tmp_path / "gone.jsonl")


def test_a_huge_line_is_never_held(tmp_path: Path) -> None:
    path = tmp_path / "huge.jsonl.gz"
    n_bytes = 200_000_000
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"short\n")
        for _ in range(n_bytes // 1_000_000):
            file.write(b"a" * 1_000_000)
        file.write(b"\nlast")
    tracemalloc.start()
    first, huge, last = read_lines(UPath(path), max_line_bytes=1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (first.content, last.content) == (b"short", b"last")
    assert huge.is_cut and huge.n_bytes == n_bytes and set(huge.content) == {ord("a")}
    assert peak < n_bytes / 4
