"""What readers of an S3 bucket can see while files and folders are written, and after failures."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem
from upath import UPath

from quadmix_assets.store import (
    LISTING_FILE,
    DamagedOutputError,
    MissingOutputError,
    Store,
    atomic,
    atomic_file,
    atomic_folder,
)
from quadmix_assets_tests.s3 import BUCKET, s3_server

# s3fs uploads what is larger than 100 MB in parts of 50 MB.
LARGE = 105_000_000


class Bucket:
    """A bucket as another program sees it."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def keys(self) -> list[str]:
        found = self._client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [entry["Key"] for entry in found]

    def get(self, key: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def put(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def size(self, key: str) -> int:
        return int(self._client.head_object(Bucket=BUCKET, Key=key)["ContentLength"])

    def clear(self) -> None:
        for key in self.keys():
            self._client.delete_object(Bucket=BUCKET, Key=key)

    def unfinished_uploads(self) -> list[Any]:
        return list(self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with s3_server() as client:
        yield client


@pytest.fixture
def bucket(client: Any) -> Iterator[Bucket]:
    bucket = Bucket(client)
    yield bucket
    bucket.clear()


@pytest.fixture
def store(bucket: Bucket) -> Store:
    return Store(UPath(f"s3://{BUCKET}/lake"))


def fill(store: Store, **files: bytes) -> None:
    """Write the folder `models` with files of these contents."""
    with atomic_folder(store.root / "models") as folder:
        (folder / "sub").mkdir()
        for name, content in files.items():
            (folder / "sub" / name).write_bytes(content)


def content(store: Store) -> dict[str, bytes]:
    """The folder `models`, as a reader gets it."""
    with store.local_folder(store.root / "models") as folder:
        files = [f for f in folder.rglob("*") if f.is_file() and f.name != LISTING_FILE]
        return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def before_each_upload(patch: pytest.MonkeyPatch, action: Callable[[UPath], None]) -> None:
    """Call `action` with the place of each object before it is uploaded."""
    upload = atomic._upload

    def wrapped(source: Path, target: UPath) -> None:
        action(target)
        upload(source, target)

    patch.setattr(atomic, "_upload", wrapped)


@pytest.mark.parametrize("size", [1_000, LARGE])
def test_error_in_mid_write_keeps_the_old_object(store: Store, bucket: Bucket, size: int) -> None:
    path = store.path("metrics", "a.bin")
    with atomic_file(path) as file:
        file.write(b"old")

    def write_half() -> None:
        with atomic_file(path) as file:
            file.write(bytes(size))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert bucket.keys() == ["lake/metrics/a.bin"]
    assert bucket.get("lake/metrics/a.bin") == b"old"
    assert bucket.unfinished_uploads() == []


def test_large_object_appears_at_once(store: Store, bucket: Bucket) -> None:
    """A reader that never stops looking sees the old size, then the new one, and no other."""
    key = "lake/metrics/a.bin"
    bucket.put(key, b"old")
    ended, seen = threading.Event(), set()

    def look() -> None:
        while not ended.is_set():
            seen.add(bucket.size(key))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        with atomic_file(store.path("metrics", "a.bin")) as file:
            for _ in range(LARGE // 1_000_000):
                file.write(b"x" * 1_000_000)
    finally:
        ended.set()
        reader.join()
    assert 3 in seen
    assert seen <= {3, LARGE}
    assert bucket.size(key) == LARGE


def test_failed_part_of_a_large_object_keeps_the_old_one(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "lake/metrics/a.bin"
    bucket.put(key, b"old")
    call = S3FileSystem._call_s3

    async def failing(self: S3FileSystem, method: str, *args: Any, **options: Any) -> Any:
        if method == "upload_part" and options["PartNumber"] == 2:
            raise OSError("connection lost")
        return await call(self, method, *args, **options)

    monkeypatch.setattr(S3FileSystem, "_call_s3", failing)

    with (
        pytest.raises(OSError, match="connection lost"),
        atomic_file(store.path("metrics", "a.bin")) as file,
    ):
        file.write(bytes(LARGE))
    assert bucket.get(key) == b"old"
    assert bucket.unfinished_uploads() == []


def test_replaced_folder_has_no_old_files(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    fill(store, a=b"1", b=b"2")
    fill(store, b=b"3", c=b"4")
    assert content(store) == {"sub/b": b"3", "sub/c": b"4"}
    assert bucket.keys() == [f"lake/models/{n}" for n in (LISTING_FILE, "sub/b", "sub/c")]
    local = Store(UPath(tmp_path))
    fill(local, b=b"3", c=b"4")
    assert store.fingerprint(store.root / "models") == local.fingerprint(local.root / "models")


def test_error_while_a_folder_is_filled_keeps_the_old_one(store: Store) -> None:
    fill(store, a=b"1")

    def fill_half() -> None:
        with atomic_folder(store.root / "models") as folder:
            (folder / "a").write_bytes(b"2")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fill_half()
    assert content(store) == {"sub/a": b"1"}


@pytest.mark.parametrize("old", [{}, {"a": b"1", "b": b"2", "z": b"3"}])
def test_reader_never_sees_a_part_of_a_folder(
    store: Store, monkeypatch: pytest.MonkeyPatch, old: dict[str, bytes]
) -> None:
    """Between any two uploads it gets the old folder, or is told to wait; then the new one."""
    if old:
        fill(store, **old)
    old_files = {f"sub/{name}": value for name, value in old.items()}
    seen: list[object] = []

    def look(_target: UPath) -> None:
        models = store.root / "models"
        results: list[object] = []
        for read in (
            lambda: content(store),
            lambda: store.fingerprint(models),
            lambda: store.require(models / "sub" / "a"),
        ):
            try:
                results.append(read())
            except MissingOutputError:
                results.append(None)
        seen.append(results[0])
        assert len({result is None for result in results}) == 1

    before_each_upload(monkeypatch, look)
    fill(store, a=b"4", b=b"5", c=b"6")
    # Five uploads: the listing, three files, the listing.
    assert seen == [old_files or None, None, None, None, None]
    assert content(store) == {"sub/a": b"4", "sub/b": b"5", "sub/c": b"6"}


def test_interrupted_upload_of_a_folder_counts_as_not_written(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, a=b"1", b=b"2")

    def lose_connection(target: UPath) -> None:
        if target.name == "b":
            raise OSError("connection lost")

    with monkeypatch.context() as patch:
        before_each_upload(patch, lose_connection)
        with pytest.raises(OSError, match="connection lost"):
            fill(store, a=b"3", b=b"4")
    assert bucket.get("lake/models/sub/a") == b"3"
    assert bucket.get("lake/models/sub/b") == b"2"
    models = store.root / "models"
    for read in (
        lambda: content(store),
        lambda: store.fingerprint(models),
        lambda: store.read_json(models / "sub" / "b"),
    ):
        with pytest.raises(MissingOutputError, match="materialise the asset 'models' again"):
            read()
    fill(store, a=b"3", b=b"4")
    assert content(store) == {"sub/a": b"3", "sub/b": b"4"}


def test_files_of_two_runs_are_not_taken_for_one_folder(store: Store, bucket: Bucket) -> None:
    fill(store, a=b"1", b=b"2")
    bucket.put("lake/models/sub/a", b"of another run")
    for read in (lambda: content(store), lambda: store.fingerprint(store.root / "models")):
        with pytest.raises(DamagedOutputError, match="content is not that of its folder's listing"):
            read()


def test_what_another_program_writes_is_seen(store: Store, bucket: Bucket) -> None:
    folder = store.root / "scores"
    store.write_json(folder / "a.json", 1)
    assert sorted(path.name for path in folder.iterdir()) == [".a.json.card", "a.json"]
    assert not (folder / "b.json").exists()
    for a, b in (("a.json", "b.json"), (".a.json.card", ".b.json.card")):
        bucket.put(f"lake/scores/{b}", bucket.get(f"lake/scores/{a}"))
    assert store.read_json(folder / "b.json") == 1
    assert "b.json" in {path.name for path in folder.iterdir()}
