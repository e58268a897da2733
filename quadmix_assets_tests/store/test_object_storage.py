"""What readers of an S3 bucket can see while files and folders are written, and after failures."""

import errno
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem
from upath import UPath

from quadmix_assets.faults import may_pass
from quadmix_assets.store import (
    LISTING_FILE,
    DamagedOutputError,
    MissingOutputError,
    Store,
    atomic_file,
    atomic_folder,
    output_names,
    remote_folders,
    verify_lake,
)
from quadmix_assets.store.listings import read_listing
from quadmix_assets.store.sealed_json import sealed_json
from quadmix_assets_tests.s3 import BUCKET, s3_server

# Uploaded in several parts.
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
    upload = remote_folders.upload

    def wrapped(source: Path, target: UPath) -> None:
        action(target)
        upload(source, target)

    patch.setattr(remote_folders, "upload", wrapped)


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


def test_what_ended_an_upload_is_said(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not that the storage no longer knew it when the client wanted to end it."""
    call = S3FileSystem._call_s3

    async def failing(self: S3FileSystem, method: str, *args: Any, **options: Any) -> Any:
        if method == "complete_multipart_upload":
            raise OSError(errno.EREMOTEIO, "Internal Server Error")
        if method == "abort_multipart_upload":
            raise FileNotFoundError("The specified upload does not exist.")
        return await call(self, method, *args, **options)

    monkeypatch.setattr(S3FileSystem, "_call_s3", failing)
    with (
        pytest.raises(OSError, match="Internal Server Error") as raised,
        atomic_file(store.path("metrics", "large.bin")) as file,
    ):
        file.write(bytes(LARGE))
    assert may_pass(raised.value)


def versions_in(bucket: Bucket) -> dict[str, list[str]]:
    """The files of each version of the folder `models`, as the bucket has them."""
    found: dict[str, list[str]] = {}
    for key in bucket.keys():  # noqa: SIM118
        if key.startswith("lake/models/_versions/"):
            version, name = key.removeprefix("lake/models/_versions/").split("/", 1)
            found.setdefault(version, []).append(name)
    return found


def test_replaced_folder_has_no_old_files(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    fill(store, a=b"1", b=b"2")
    fill(store, b=b"3", c=b"4")
    models = store.root / "models"
    assert content(store) == {"sub/b": b"3", "sub/c": b"4"}
    assert output_names(models) == ["sub/b", "sub/c"]
    assert store.names_in(models / "sub") == {"b", "c"}
    assert not store.exists(models / "sub" / "a")
    assert store.read_bytes(models / "sub" / "b") == b"3"
    local = Store(UPath(tmp_path))
    fill(local, b=b"3", c=b"4")
    assert store.fingerprint(models) == local.fingerprint(local.root / "models")
    assert verify_lake(store.root, lambda *_: None).is_sound


def test_versions_before_are_deleted_when_nobody_can_read_them(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (b"1", b"2", b"3"):
        fill(store, a=value)
    assert len(versions_in(bucket)) == 3, "within the grace, all are kept for their readers"
    monkeypatch.setattr(remote_folders, "GRACE_SECONDS", 0.0)
    before = read_listing(store.root / "models")
    fill(store, b=b"4")
    assert before is not None and before.path("sub/a").read_bytes() == b"3"
    assert sorted(versions_in(bucket).values()) == [["sub/a"], ["sub/b"]]
    assert content(store) == {"sub/b": b"4"}


def test_what_a_killed_upload_leaves_is_deleted_later(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, a=b"1")
    bucket.put("lake/models/_versions/killed/sub/a", b"half")
    assert content(store) == {"sub/a": b"1"}
    fill(store, a=b"2")
    assert "killed" in versions_in(bucket), "its upload may be going on"
    monkeypatch.setattr(remote_folders, "GRACE_SECONDS", 0.0)
    fill(store, a=b"3")
    assert "killed" not in versions_in(bucket)


def test_a_folder_is_read_as_it_was_copied(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    """From a local disk to object storage, where it is replaced later, and back."""
    local = Store(UPath(tmp_path / "lake"))
    fill(local, a=b"1", b=b"2")
    fingerprint = local.fingerprint(local.root / "models")
    store.root.fs.put(str(local.root / "models"), (store.root / "models").path, recursive=True)
    assert content(store) == {"sub/a": b"1", "sub/b": b"2"}
    assert store.fingerprint(store.root / "models") == fingerprint
    assert verify_lake(store.root, lambda *_: None).is_sound
    fill(store, a=b"3")
    assert content(store) == {"sub/a": b"3"}
    assert verify_lake(store.root, lambda *_: None).is_sound
    store.root.fs.get(store.root.path, str(tmp_path / "back"), recursive=True)
    back = Store(UPath(tmp_path / "back"))
    assert content(back) == {"sub/a": b"3"}
    assert back.read_bytes(back.root / "models" / "sub" / "a") == b"3"
    assert back.fingerprint(back.root / "models") == store.fingerprint(store.root / "models")
    assert verify_lake(back.root, lambda *_: None).is_sound


def test_a_folder_that_was_half_written_in_place_is_refused(store: Store, bucket: Bucket) -> None:
    bucket.put("lake/models/sub/a", b"1")
    bucket.put("lake/models/_listing.json", sealed_json({"complete": False}))
    for read in (lambda: content(store), lambda: store.fingerprint(store.root / "models")):
        with pytest.raises(MissingOutputError, match="materialise the asset 'models' again"):
            read()
    fill(store, a=b"2")
    assert content(store) == {"sub/a": b"2"}


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
    """Until the last object is there it gets the old folder, and then the new one."""
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
    # Four uploads: three files, the listing.
    assert seen == [old_files or None] * 4
    assert content(store) == {"sub/a": b"4", "sub/b": b"5", "sub/c": b"6"}


def test_interrupted_upload_of_a_folder_changes_nothing(
    store: Store, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, a=b"1", b=b"2")
    keys = bucket.keys()

    def lose_connection(target: UPath) -> None:
        if target.name == "b":
            raise OSError("connection lost")

    with monkeypatch.context() as patch:
        before_each_upload(patch, lose_connection)
        with pytest.raises(OSError, match="connection lost"):
            fill(store, a=b"3", b=b"4")
    assert bucket.keys() == keys
    assert content(store) == {"sub/a": b"1", "sub/b": b"2"}
    fill(store, a=b"3", b=b"4")
    assert content(store) == {"sub/a": b"3", "sub/b": b"4"}


def test_two_writers_at_once_leave_the_folder_of_one(store: Store) -> None:
    values = [bytes([number]) * 10 for number in range(4)]
    with ThreadPoolExecutor(len(values)) as pool:
        list(pool.map(lambda value: fill(store, a=value, b=value), values))
    found = content(store)
    assert found["sub/a"] == found["sub/b"] in values


def test_a_changed_object_of_a_folder_is_noticed(store: Store, bucket: Bucket) -> None:
    fill(store, a=b"1 that changes", b=b"2")
    listing = read_listing(store.root / "models")
    assert listing is not None
    bucket.put(f"lake/models/{listing.place('sub/a')}", b"of another program")
    with pytest.raises(DamagedOutputError, match="content is not that of its folder's listing"):
        content(store)
    assert list(verify_lake(store.root, lambda *_: None).damaged) == ["models/sub/a"]


def test_what_another_program_writes_is_seen(store: Store, bucket: Bucket) -> None:
    folder = store.root / "scores"
    store.write_json(folder / "a.json", 1)
    assert sorted(path.name for path in folder.iterdir()) == [".a.json.card", "a.json"]
    assert not (folder / "b.json").exists()
    for a, b in (("a.json", "b.json"), (".a.json.card", ".b.json.card")):
        bucket.put(f"lake/scores/{b}", bucket.get(f"lake/scores/{a}"))
    assert store.read_json(folder / "b.json") == 1
    assert "b.json" in {path.name for path in folder.iterdir()}
