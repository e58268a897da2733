import os
import re
import time
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from quadmix_assets.corpus.discovery import discover, present_fingerprint, shard_key

FILES = [
    "b.parquet",
    "a.parquet",
    "sub/c.jsonl.gz",
    "sub/deep/d.parquet",
    "sub/notes.txt",
    "README.md",
    "sub/README.md",
    ".hidden.parquet",
    "_SUCCESS",
    "_temporary/part.parquet",
    ".cache/e.parquet",
    "f.parquet.part",
    "g.parquet.tmp",
    "h.parquet.crdownload",
]


def fill(folder: UPath) -> UPath:
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content of " + name.encode())
    return folder


def folders(tmp_path: Path) -> list[UPath]:
    return [
        fill(UPath(tmp_path / "raw")),
        fill(UPath(f"file://{tmp_path}/other")),
        fill(UPath(f"memory:/{tmp_path}/raw")),
    ]


def test_local_and_remote_folders(tmp_path: Path) -> None:
    for folder in folders(tmp_path):
        found = discover(folder, ["*.parquet", "*.jsonl.gz"])
        assert [shard.key for shard in found.shards] == [
            "a.parquet",
            "b.parquet",
            "sub__c.jsonl.gz",
            "sub__deep__d.parquet",
        ]
        assert found.ignored == ["sub/notes.txt"]
        for shard in found.shards:
            assert shard.path.read_bytes() == b"content of " + shard.key.replace("__", "/").encode()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.parquet", ["a.parquet", "b.parquet", "sub__deep__d.parquet"]),
        ("**/*.parquet", ["a.parquet", "b.parquet", "sub__deep__d.parquet"]),
        ("sub/*.parquet", []),
        ("sub/**/*.parquet", ["sub__deep__d.parquet"]),
        ("sub/*", ["sub__c.jsonl.gz", "sub__notes.txt"]),
        ("[ab].parquet", ["a.parquet", "b.parquet"]),
        ("*.PARQUET", []),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    found = discover(fill(UPath(tmp_path)), [pattern])
    assert [shard.key for shard in found.shards] == expected
    assert len(found.shards) + len(found.ignored) == 5


def test_fingerprints_change_with_the_file_and_only_with_it(tmp_path: Path) -> None:
    for folder in folders(tmp_path):
        before = discover(folder, ["*.parquet"]).shards
        assert discover(folder, ["*.parquet"]).shards == before
        (folder / "b.parquet").write_bytes(b"CONTENT OF b.parquet")  # as long as before
        after = discover(folder, ["*.parquet"]).shards
        changed = [b.key for b, a in zip(before, after, strict=True) if b != a]
        assert changed == ["b.parquet"]
        assert before[1].fingerprint != after[1].fingerprint


class KeepsListings(MemoryFileSystem):
    """A storage whose client remembers listings, as those of S3 and GCS do."""

    protocol = "keepslistings"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    remembered: ClassVar[dict[str, Any]] = {}

    def find(self, path: str, *args: Any, detail: bool = False, **kwargs: Any) -> Any:
        if path not in self.remembered:
            self.remembered[path] = super().find(path, *args, detail=True, **kwargs)
        return self.remembered[path] if detail else list(self.remembered[path])

    def invalidate_cache(self, path: str | None = None) -> None:
        self.remembered.clear()


@pytest.mark.filterwarnings("ignore:UPath .* filesystem not explicitly implemented")
def test_new_remote_files_are_seen_by_the_same_process() -> None:
    fsspec.register_implementation("keepslistings", KeepsListings, clobber=True)
    folder = UPath("keepslistings://bucket")
    (folder / "old.parquet").write_bytes(b"x")
    assert len(discover(folder, ["*.parquet"]).shards) == 1
    (old,) = KeepsListings.store
    KeepsListings.store[old.replace("old", "new")] = KeepsListings.store[old]  # by somebody else
    assert len(folder.fs.find(folder.path)) == 1  # what the client would still say
    assert len(discover(folder, ["*.parquet"]).shards) == 2


def test_colliding_keys(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.jsonl").touch()
    (tmp_path / "a__b.jsonl").touch()
    with pytest.raises(ValueError, match=r"'a/b.jsonl' and 'a__b.jsonl' both get .* 'a__b.jsonl'"):
        discover(UPath(tmp_path), ["*.jsonl"])


def test_links_are_followed_once(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.jsonl").write_text("x")
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "folder").symlink_to(elsewhere)
    (raw / "file.jsonl").symlink_to(elsewhere / "x.jsonl")
    (raw / "nowhere.jsonl").symlink_to(tmp_path / "nowhere")
    (elsewhere / "loop").symlink_to(raw)
    found = discover(UPath(raw), ["*.jsonl"])
    assert [shard.key for shard in found.shards] == ["file.jsonl", "folder__x.jsonl"]


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    assert discover(UPath(tmp_path), ["*"]).shards == []
    for missing in (UPath(tmp_path / "gone"), UPath("memory://gone")):
        with pytest.raises(FileNotFoundError, match="gone: there is no such folder"):
            discover(missing, ["*"])


def test_keys() -> None:
    assert shard_key("CC-MAIN_2024.50/part 1,v2.jsonl") == "CC-MAIN_2024.50__part%201%2Cv2.jsonl"
    assert shard_key("a...b") == "a%2E%2E%2Eb"
    assert shard_key("50%~é") == "50%25%7E%C3%A9"
    assert shard_key(os.fsdecode(b"\xff.jsonl")) == "%FF.jsonl"
    long_names = [f"{'ä' * 100}/{n}.jsonl" for n in range(2)]
    assert len({shard_key(name) for name in long_names}) == 2


@given(st.text(min_size=1))
def test_keys_are_fit_for_partitions_and_file_names(relative: str) -> None:
    key = shard_key(relative)
    assert re.fullmatch(r"[A-Za-z0-9._%-]{1,200}", key) and "..." not in key


@given(st.text(max_size=20), st.text(max_size=20))
def test_different_files_have_different_keys(first: str, second: str) -> None:
    if first != second and "_" not in first + second:
        assert shard_key(first) != shard_key(second)


def test_only_files_with_a_done_marker_count(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.jsonl.done", "sub/b.jsonl", "c.txt", "c.txt.done", "d.jsonl.done"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    found = discover(UPath(tmp_path), ["*.jsonl", "*.done"], done_marker=".done")
    assert [shard.key for shard in found.shards] == ["a.jsonl"]
    assert found.unmarked == {"sub__b.jsonl"}
    assert found.ignored == ["c.txt"], "markers are neither shards nor ignored"
    (tmp_path / "sub" / "b.jsonl.done").touch()
    found = discover(UPath(tmp_path), ["*.jsonl"], done_marker=".done")
    assert [shard.key for shard in found.shards] == ["a.jsonl", "sub__b.jsonl"]
    assert found.unmarked == frozenset()


def test_present_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    for folder in (UPath(tmp_path), UPath("memory://present")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a.jsonl").write_text("some text")
        (shard,) = discover(folder, ["*.jsonl"]).shards
        assert shard.modified is not None and abs(shard.modified - time.time()) < 60
        before = present_fingerprint(shard.path)
        assert present_fingerprint(shard.path) == before
        (folder / "a.jsonl").write_text("some longer text")
        assert present_fingerprint(shard.path) != before
