"""How many requests the lake's readers and writers make of object storage."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.hashing import hash_file
from quadmix_assets.store import MissingOutputError, Store, atomic_folder, one_step
from quadmix_assets.store.objects import (
    download,
    hash_object,
    object_exists,
    object_names,
    read_object,
    upload,
)
from quadmix_assets_tests.s3 import BUCKET
from quadmix_assets_tests.s3_requests import Requests, counting_server

SMALL = pl.DataFrame({"a": list(range(1_000))})
# Numbers that do not compress, in several row groups.
LARGE = pl.DataFrame({name: np.random.default_rng(0).random(200_000) for name in "abc"})


@pytest.fixture(scope="module")
def server() -> Iterator[Requests]:
    with counting_server() as requests:
        yield requests


@pytest.fixture
def store(server: Requests) -> Store:
    return Store(UPath(f"s3://{BUCKET}/lake"))


@pytest.fixture
def small(store: Store, server: Requests) -> UPath:
    path = store.table_path("scores", "small")
    store.write_table(path, SMALL, {"n": 1})
    server.clear()
    return path


def test_a_small_table_is_one_request(store: Store, small: UPath, server: Requests) -> None:
    for read in (
        lambda: store.read_table(small),
        lambda: store.read_table(small, ["a"]),
        lambda: store.summary(small),
        lambda: store.n_rows(small),
        lambda: store.fingerprint(small),
        lambda: store.exists(small),
    ):
        read()
        assert len(server) == 1, server
        server.clear()
    store.write_table(small, SMALL)
    assert [method for method, _ in server] == ["PUT"]


def test_a_large_table_is_read_in_a_few_requests(store: Store, server: Requests) -> None:
    path = store.table_path("scores", "large")
    store.write_table(path, LARGE)
    server.clear()
    assert store.read_table(path).equals(LARGE)
    assert len(server) <= 5, server
    assert pl.concat(store.iter_table(path)).equals(LARGE)
    assert hash_object(path) == store.fingerprint(path)


def test_within_a_step_an_object_is_read_once(store: Store, small: UPath, server: Requests) -> None:
    with one_step():
        assert store.summary(small) == {"n": 1}
        assert store.read_table(small).equals(SMALL)
        assert store.n_rows(small) == 1_000
        assert len(server) == 1, server
        # What the step itself writes is another object.
        store.write_table(small, SMALL.head(1), {"n": 2})
        assert store.summary(small) == {"n": 2}
        store.delete(small)
        assert not store.exists(small)
    with one_step():
        # That something is missing is never remembered.
        assert not store.exists(small)
        other = Store(UPath(f"s3://{BUCKET}/lake"))
        other.write_table(small, SMALL)
        assert store.exists(small)


def test_a_step_sees_what_was_written_before_it_began(
    store: Store, small: UPath, tmp_path: Path
) -> None:
    elsewhere = UPath(tmp_path) / "table.parquet"
    Store(UPath(tmp_path)).write_table(elsewhere, SMALL.head(3), {"n": 3})
    with one_step():
        assert store.summary(small) == {"n": 1}
        # Another process replaces the table.
        small.fs.put_file(str(elsewhere), small.path)
        assert store.summary(small) == {"n": 1}
    assert store.summary(small) == {"n": 3}
    small.fs.put_file(str(elsewhere), small.path)
    with one_step():
        assert store.n_rows(small) == 3


def test_files_with_a_card(store: Store, server: Requests) -> None:
    path = store.path("settings_of", "a.json")
    store.write_json(path, {"a": 1})
    assert [method for method, _ in server[-3:]] == ["GET", "PUT", "PUT"]
    server.clear()
    assert store.read_json(path) == {"a": 1}
    assert len(server) == 2, server


def test_what_is_not_there(store: Store, server: Requests) -> None:
    path = store.table_path("scores", "nothing")
    for read in (lambda: store.read_table(path), lambda: store.read_json(path)):
        with pytest.raises(MissingOutputError, match="materialise the asset 'scores'"):
            read()
    assert not store.exists(path)
    assert not object_exists(path)
    assert object_names(store.root / "nothing") == []
    with pytest.raises(MissingOutputError):
        store.fingerprint(store.root / "nothing")


@pytest.mark.parametrize("n_bytes", [0, 1, (1 << 20) - 1, 1 << 20, 20_000_003])
@pytest.mark.parametrize("root", [f"s3://{BUCKET}/sizes", "memory://sizes"])
def test_objects_of_any_size_come_back_whole(
    server: Requests, tmp_path: Path, root: str, n_bytes: int
) -> None:
    content = np.random.default_rng(n_bytes).bytes(n_bytes)
    (tmp_path / "a").write_bytes(content)
    path = UPath(root) / "a"
    upload(tmp_path / "a", path)
    assert read_object(path) == content
    assert download(path, tmp_path / "b") == hash_object(path) == hash_file(tmp_path / "a")
    assert (tmp_path / "b").read_bytes() == content
    assert object_names(UPath(root)) == ["a"]


def test_the_files_of_a_folder(store: Store, server: Requests) -> None:
    folder = store.root / "models"
    server.clear()
    with atomic_folder(folder) as local:
        for name in ("a", "b", "c"):
            (local / name).write_bytes(name.encode())
    puts = [path for method, path in server if method == "PUT"]
    assert len(puts) == 4
    assert puts[-1].endswith("/models/_listing.json")
    server.clear()
    with store.local_folder(folder):
        pass
    assert len(server) == 4, "the listing and three files"
    server.clear()
    with store.local_folder(folder):
        pass
    assert len(server) == 1, "the listing: this machine has a copy"
    server.clear()
    store.fingerprint(folder)
    assert len(server) <= 2


def test_a_folder_is_deleted_in_two_requests(store: Store, server: Requests) -> None:
    folder = store.root / "unfinished" / "shard"
    for name in ("a", "b"):
        store.write_table(folder / f"{name}.parquet", SMALL)
    store.write_table(store.root / "unfinished" / "shard-2" / "a.parquet", SMALL)
    server.clear()
    store.remove_folder(folder)
    assert [method for method, _ in server] == ["GET", "POST"]
    assert object_names(store.root / "unfinished") == ["shard-2/a.parquet"]
    server.clear()
    store.remove_folder(folder)
    assert object_names(folder) == []
    assert [method for method, _ in server] == ["GET", "GET"]
