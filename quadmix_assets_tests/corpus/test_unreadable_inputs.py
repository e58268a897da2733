"""An input that the operating system or the storage does not give: named, and alone."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from upath import UPath

from quadmix_assets.corpus.discovery import InputShard, discover
from quadmix_assets.corpus.document_ids import shards_set_aside
from quadmix_assets.corpus.raw_shard import read_summary, write_raw_shard
from quadmix_assets.corpus.readers import UnreadableShardError, read_sample
from quadmix_assets.corpus.set_aside import Kind
from quadmix_assets.settings import CorpusSettings
from quadmix_assets.store import Store
from quadmix_assets_tests.injected_faults import ERRNOS, Faults, injected
from quadmix_assets_tests.lakes import write_lines


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(UPath(tmp_path / "lake"))


@pytest.fixture(autouse=True)
def _pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quadmix_assets.corpus.raw_shard.time.sleep", lambda _: None)


def pool(folder: Path) -> UPath:
    """A folder of three shards in three formats."""
    write_lines(folder / "a.jsonl", [{"id": "a", "text": "one"}])
    write_lines(folder / "sub" / "b.jsonl", [{"id": "b", "text": "two"}])
    pq.write_table(pa.table({"id": ["c"], "text": ["three"]}), folder / "c.parquet")
    return UPath(folder)


@pytest.mark.parametrize("name", ["EACCES", "EIO", "ENETDOWN"])
@pytest.mark.parametrize("operation", ["open", "read"])
@pytest.mark.parametrize("file", ["sub/b.jsonl", "c.parquet"])
def test_a_shard_that_cannot_be_read_fails_alone(
    store: Store, tmp_path: Path, name: str, operation: str, file: str
) -> None:
    shards = discover(pool(tmp_path / "raw"), ["*.jsonl", "*.parquet"]).shards
    broken = file.replace("/", "__")
    with injected(Faults(operation, ERRNOS[name], tmp_path / "raw" / file)) as faults:
        for shard in shards:
            write_raw_shard(store, shard, CorpusSettings())
    assert faults.hits
    set_aside = shards_set_aside(store)
    assert set_aside.keys() == {broken}
    kind = Kind.UNREADABLE if name == "EACCES" else Kind.UNREACHABLE
    assert set_aside[broken].kind is kind
    assert os.strerror(ERRNOS[name]) in set_aside[broken].message
    for shard in shards:
        assert read_summary(store, shard.key).n_documents == (shard.key != broken)


class ClientError(Exception):
    """An error of a storage client that is no OSError."""

    __module__ = "botocore.exceptions"


class Failing(MemoryFileSystem):
    """A storage whose client gives up after its own retries."""

    protocol = "failing"
    store: dict[str, Any] = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012

    def info(self, path: str, **kwargs: Any) -> Any:
        if path.endswith("bad.jsonl"):
            raise ClientError("An error occurred (503) when calling HeadObject: Slow Down")
        return super().info(path, **kwargs)


@pytest.mark.filterwarnings("ignore:UPath .* filesystem not explicitly implemented")
def test_a_remote_error_sets_its_shard_aside(store: Store) -> None:
    import fsspec

    fsspec.register_implementation("failing", Failing, clobber=True)
    for name in ("bad", "good"):
        path = UPath(f"failing://bucket/{name}.jsonl")
        path.fs.pipe(path.path, b'{"text": "' + name.encode() + b'"}\n')
        write_raw_shard(store, InputShard(name, path, "1"), CorpusSettings())
    set_aside = shards_set_aside(store)
    assert set_aside.keys() == {"bad"}
    assert set_aside["bad"].kind is Kind.UNREACHABLE
    assert "(503)" in set_aside["bad"].message


@pytest.mark.parametrize("name", ["EACCES", "EIO", "ENETDOWN"])
def test_a_subfolder_that_cannot_be_listed_is_an_error(tmp_path: Path, name: str) -> None:
    raw = pool(tmp_path / "raw")
    with (
        injected(Faults("listdir", ERRNOS[name], tmp_path / "raw" / "sub")),
        pytest.raises(OSError, match=rf"{os.strerror(ERRNOS[name])}.*raw/sub'"),
    ):
        discover(raw, ["*.jsonl"])


def test_a_file_that_cannot_be_looked_at_is_a_shard_and_fails_alone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = pool(tmp_path / "raw")
    stat = Path.stat

    def failing(path: Path, **kwargs: Any) -> os.stat_result:
        if path.name == "a.jsonl":
            raise OSError(ERRNOS["EIO"], "Input/output error", str(path))
        return stat(path, **kwargs)

    monkeypatch.setattr(Path, "stat", failing)
    shards = discover(raw, ["*.jsonl"]).shards
    assert [shard.key for shard in shards] == ["a.jsonl", "sub__b.jsonl"]
    for shard in shards:
        write_raw_shard(store, shard, CorpusSettings())
    assert shards_set_aside(store).keys() == {"a.jsonl"}


@pytest.fixture
def special(tmp_path: Path) -> Iterator[Path]:
    """A folder with a pipe, a socket, a link to a device, and links in a circle."""
    raw = tmp_path / "raw"
    pool(raw)
    os.mkfifo(raw / "pipe.jsonl")
    (raw / "zero.jsonl").symlink_to("/dev/zero")
    (raw / "circle.jsonl").symlink_to(raw / "circle.jsonl")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(raw / "socket.jsonl"))
    yield raw
    listening.close()


def test_pipes_devices_and_sockets_are_no_shards(store: Store, special: Path) -> None:
    found = discover(UPath(special), ["*.jsonl", "*.parquet"])
    assert [shard.key for shard in found.shards] == ["a.jsonl", "c.parquet", "sub__b.jsonl"]
    assert found.ignored == [
        "pipe.jsonl (a named pipe)",
        "socket.jsonl (a socket)",
        "zero.jsonl (a device)",
    ]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("name", "kind"), [("pipe", "a named pipe"), ("zero", "a device")])
def test_pipes_and_devices_are_never_opened(
    store: Store, special: Path, name: str, kind: str
) -> None:
    path = UPath(special / f"{name}.jsonl")
    with pytest.raises(UnreadableShardError, match=f"it is {kind}, not a file"):
        read_sample(path, n_rows=5)
    summary = write_raw_shard(store, InputShard(name, path, "1"), CorpusSettings())
    assert summary.set_aside is not None
    assert summary.set_aside.kind is Kind.UNREADABLE
    assert kind in summary.set_aside.message
