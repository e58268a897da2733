import multiprocessing
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from quadmix_assets.corpus import document_ids
from quadmix_assets.corpus.document_ids import (
    DocumentIds,
    accepted_checksums,
    set_aside_since,
    shards_set_aside,
    shards_that_hold,
)
from quadmix_assets.corpus.set_aside import Kind, SetAside
from quadmix_assets.hashing import hash_bytes
from quadmix_assets.outputs import DOCUMENT_ID_INDEX, DOCUMENT_IDS, RAW_SHARDS
from quadmix_assets.sampling import hash_ids
from quadmix_assets.store import Store, carded_file, read_carded
from quadmix_assets_tests.lakes import damage, put_raw


def claim(store: Store, key: str, ids: Sequence[str], claims: DocumentIds | None = None) -> bool:
    """What a shard's step does: whether the shard is accepted."""
    claims = claims or DocumentIds(store)
    checksum = hash_bytes(f"{key} {ids}".encode())
    with claims.lock():
        duplicate = claims.duplicate(key, ids, checksum)
        if duplicate is not None:
            claims.set_aside(key, duplicate)
            return False
        claims.accept(key, ids, checksum)
        put_table(store, key, ids, checksum)
    return True


def put_table(store: Store, key: str, ids: Sequence[str], checksum: str) -> None:
    frame = pl.DataFrame({"id": ids}, schema={"id": pl.String})
    summary = {"input": {"file": key, "checksum": checksum}}
    store.write_table(store.table_path(RAW_SHARDS, key), frame, summary)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(UPath(tmp_path / "lake"))


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sets(st.integers(0, 30), max_size=6)), max_size=20
    ),
    st.booleans(),
    st.sampled_from([1, 3, 64]),
)
@settings(deadline=None, max_examples=60)
def test_against_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, set[int]]],
    in_one_run: bool,
    indexed_from: int,
) -> None:
    """Shards are made and made again with other ids, in one run or in a run each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_ids, "INDEXED_FROM", indexed_from)
        _against_a_dictionary(tmp_path_factory, steps, in_one_run)


def _against_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, set[int]]], in_one_run: bool
) -> None:
    store = Store(UPath(tmp_path_factory.mktemp("lake")))
    claims = DocumentIds(store) if in_one_run else None
    held: dict[str, set[str]] = {}
    for key, numbers in steps:
        ids = {f"id-{number}" for number in numbers}
        others = set().union(*(held[other] for other in held if other != key))
        accepted = ids.isdisjoint(others)
        assert claim(store, key, sorted(ids), claims) == accepted
        held[key] = ids if accepted else set()
    everything = [id_ for ids in held.values() for id_ in ids]
    assert len(everything) == len(set(everything))


def test_the_reason_names_ids_shards_and_what_to_do(store: Store) -> None:
    assert claim(store, "one", ["a", "b", "c"])
    assert claim(store, "two", ["d"])
    assert not claim(store, "three", ["x", "a", "c", "d"])
    reason = shards_set_aside(store)["three"]
    assert reason.kind is Kind.DUPLICATE
    assert "3 of its 4 ids" in reason.message
    assert "'one' and 1 other shard, such as 'a', 'c'." in reason.message
    assert "Remove this file or 'one'" in reason.message
    assert "corpus.id_column to null" in reason.message
    assert reason.because_of == accepted_checksums(store, ["one", "two", "three"])
    assert set(set_aside_since(store, ["one", "three"])) == {"three"}


def test_same_content_is_noticed_where_ids_differ(store: Store) -> None:
    claims = DocumentIds(store)
    with claims.lock():
        claims.accept("one", ["one:1"], "0" * 31 + "7")
        duplicate = claims.duplicate("two", ["two:1"], "0" * 31 + "7")
        assert duplicate is not None and "byte for byte" in duplicate.message
        assert claims.duplicate("one", ["one:1"], "0" * 31 + "7") is None, "it may be made again"
        assert claims.duplicate("two", [], "0" * 31 + "7") is None, "nothing twice: no documents"


def test_an_id_with_the_hash_of_another_is_no_duplicate(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashes are made to collide; the tables decide."""

    def colliding(ids: Sequence[str]) -> np.ndarray:
        return np.array([len(id_) for id_ in ids], dtype=np.uint64)

    monkeypatch.setattr("quadmix_assets.corpus.document_ids.hash_ids", colliding)
    assert claim(store, "one", ["a", "bb"])
    assert claim(store, "two", ["c", "dd"])
    assert not claim(store, "three", ["e", "bb"])
    assert "1 of its 2 ids" in shards_set_aside(store)["three"].message


def test_a_claim_without_a_table_counts(store: Store) -> None:
    """Its run was killed between the claim and the table."""
    claims = DocumentIds(store)
    with claims.lock():
        claims.accept("one", ["a"], "1" * 32)
    assert not claim(store, "two", ["a"])
    assert claim(store, "one", ["a"]), "the run is started again"


def test_ids_are_free_after_a_shard_is_set_aside_or_gone(store: Store) -> None:
    assert claim(store, "one", ["a"])
    assert not claim(store, "two", ["a"])
    claims = DocumentIds(store)
    with claims.lock():
        claims.set_aside("one", SetAside(Kind.GONE, "it is gone"))
    assert claim(store, "two", ["a"])
    assert not claim(store, "one", ["a"])
    with claims.lock():
        claims.forget(["two"])
    assert claim(store, "one", ["a"])
    assert shards_set_aside(store) == {}


def test_another_process_is_noticed(store: Store) -> None:
    ours, theirs = DocumentIds(store), DocumentIds(store)
    assert claim(store, "one", ["a"], ours)
    assert not claim(store, "two", ["a"], theirs)
    assert claim(store, "three", ["b"], theirs)
    assert not claim(store, "four", ["b"], ours)
    with theirs.lock():
        theirs.forget(["three"])
    assert claim(store, "four", ["b"], ours)


def test_tables_of_lakes_without_claims_count(store: Store) -> None:
    put_table(store, "one", ["a"], "2" * 32)
    assert not claim(store, "two", ["a"])
    assert accepted_checksums(store, ["one"]) == {"one": "2" * 32}


def test_what_is_stored(store: Store) -> None:
    put_raw(store, "one", [{"id": name, "text": "some text"} for name in "abc"])
    stored = np.load(str(store.path(DOCUMENT_IDS, "one.npy")))
    assert stored.dtype == np.uint64
    assert stored[2:].tolist() == sorted(hash_ids(["a", "b", "c"]).tolist())


def _claim_many(root: str, name: str, ready: object) -> None:
    store = Store(UPath(root))
    claims = DocumentIds(store)
    ready.wait()  # type: ignore[attr-defined]
    for number in range(30):
        claim(store, f"{name}-{number}", [f"id-{number}"], claims)


def test_of_two_processes_one_gets_each_id(store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(2)
    processes = [
        context.Process(target=_claim_many, args=(str(store.root), name, ready)) for name in "ab"
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    accepted = {path.stem for path in Path(str(store.root), DOCUMENT_IDS).glob("*.npy")}
    assert sorted(int(name.split("-")[1]) for name in accepted) == list(range(30))
    assert len(shards_set_aside(store)) == 30


def test_a_damaged_claim_is_made_again_from_its_table(store: Store) -> None:
    assert claim(store, "a", ["1", "2"])
    path = store.path(DOCUMENT_IDS, "a.npy")
    content = read_carded(path)
    damage(path)
    assert not claim(store, "b", ["2", "3"])
    assert read_carded(path) == content
    damage(path)
    store.table_path(RAW_SHARDS, "a").unlink()
    assert claim(store, "b", ["2", "3"]), "a is to be materialised, and then finds its id taken"
    assert not path.exists()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The claims that are read."""
    names: list[str] = []
    plain = document_ids._read_claim

    def noted(path: UPath) -> object:
        names.append(path.stem)
        return plain(path)

    monkeypatch.setattr(document_ids, "_read_claim", noted)
    return names


def test_a_new_process_reads_no_claim_that_is_in_the_index(
    store: Store, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_ids, "INDEXED_FROM", 4)
    for number in range(6):
        assert claim(store, f"s{number}", [f"{number}-{k}" for k in range(300)])
    assert claim(store, "more", ["a"])
    read.clear()
    assert claim(store, "new", ["b", "c"])
    assert set(read) <= {"s4", "s5", "more"}, "those that are newer than the index"
    read.clear()
    assert not claim(store, "twice", ["d", "2-7"])
    assert "such as '2-7'" in shards_set_aside(store)["twice"].message
    assert "s2" in read and "s1" not in read


def test_ids_are_free_though_the_index_still_has_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_ids, "INDEXED_FROM", 2)
    for number in range(5):
        assert claim(store, f"s{number}", [f"{number}-{k}" for k in range(200)])
    claims = DocumentIds(store)
    with claims.lock():
        claims.forget(["s1"])
    assert claim(store, "moved", [f"1-{k}" for k in range(200)])
    assert not claim(store, "s1", ["1-3"])
    assert claim(store, "s2", ["2-1", "other"]), "it may be made again, with fewer ids"
    assert claim(store, "s9", ["2-0"])


def test_a_damaged_index_is_made_again(
    store: Store, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_ids, "INDEXED_FROM", 4)
    for number in range(8):
        assert claim(store, f"s{number}", [f"{number}-{k}" for k in range(300)])
    claims = DocumentIds(store)
    with claims.lock():
        pass
    folder = Path(str(store.root / DOCUMENT_ID_INDEX))
    for path in folder.glob("*.ids"):
        content = bytearray(path.read_bytes())
        content[:: len(content) // 8] = bytes(len(content[:: len(content) // 8]))
        path.write_bytes(bytes(content))
    for number in range(4):
        assert not claim(store, f"twice-{number}", [f"{number}-{k}" for k in range(0, 300, 7)])
    read.clear()
    assert claim(store, "new", ["x"])
    assert claim(store, "newer", ["y"])
    assert "s0" not in read[-3:]
    (folder / "index.parquet").write_bytes(b"")
    assert not claim(store, "last", ["3-3"])


def test_claims_are_found_by_the_index_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_ids, "INDEXED_FROM", 2)
    for number in range(5):
        assert claim(store, f"s{number}", [f"{number}-{k}" for k in range(200)])
    number = int(hash_ids(["3-3"])[0])
    assert shards_that_hold(store, hash_ids(["3-3", "nobody's"])) == {number: ["s3"]}


def test_claims_of_many_shards_are_read_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for number in range(300):
        hashes = np.sort(rng.integers(0, 2**64, 100, dtype=np.uint64))
        with carded_file(store.path(DOCUMENT_IDS, f"shard-{number}.npy")) as file:
            np.save(file, np.r_[np.uint64(0), np.uint64(number), hashes])
    counts = Counter[str]()

    def counted(name: str) -> None:
        original = getattr(document_ids, name)

        def call(*arguments: Any) -> Any:
            counts[name] += 1
            return original(*arguments)

        monkeypatch.setattr(document_ids, name, call)

    counted("read_carded")
    counted("listed_files")
    claims = DocumentIds(store)
    for number in range(100):
        ids = [f"new-{number}-{i}" for i in range(100)]
        with claims.lock():
            assert claims.duplicate(f"new-{number}", ids, f"{10_000 + number:032x}") is None
            claims.accept(f"new-{number}", ids, f"{10_000 + number:032x}")
    assert counts["read_carded"] == 300
    # The claims, and once those whose shards are there.
    assert counts["listed_files"] <= 4
