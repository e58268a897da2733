from difflib import SequenceMatcher
from pathlib import Path

import pytest
from upath import UPath

from quadmix_assets.corpus.discovery import InputShard
from quadmix_assets.corpus.document_ids import DocumentIds
from quadmix_assets.corpus.find_document import (
    Place,
    find_document,
    ids_of_hashes,
    nearest_ids,
    quarantined_rows,
    read_row,
    set_aside_of,
)
from quadmix_assets.corpus.raw_shard import write_raw_shard
from quadmix_assets.outputs import RAW_SHARDS
from quadmix_assets.sampling import hash_ids
from quadmix_assets.settings import CorpusSettings
from quadmix_assets.store import Store
from quadmix_assets_tests.lakes import put_raw

N_ROWS = 5_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two shards with ids of their own, one with ids from its rows, one that repeats ids."""
    store = Store(UPath(tmp_path_factory.mktemp("found") / "lake"))
    for shard in ("a", "b"):
        rows = [{"id": f"{shard}-{n:05}", "text": f"text {n} of {shard}"} for n in range(N_ROWS)]
        put_raw(store, shard, [*rows, {"id": f"{shard}-empty", "text": ""}])
    lines = [{"text": "one"}, {"text": ""}, {"text": "three"}]
    put_raw(store, "c.jsonl", lines, id_column=None)
    put_raw(store, "d", [{"id": "a-00001", "text": "again"}, {"id": "d-1", "text": "of d"}])
    return store


def test_every_document_is_found_where_it_is(store: Store) -> None:
    for shard, row in (("a", 0), ("b", 2_047), ("b", 2_048), ("a", N_ROWS - 1)):
        place = find_document(store, f"{shard}-{row:05}")
        assert place == Place(shard, row, N_ROWS)
        stored = read_row(store, store.table_path(RAW_SHARDS, shard), row, ["id", "text"])
        assert stored == {"id": f"{shard}-{row:05}", "text": f"text {row} of {shard}"}
    assert find_document(store, "a-99999") is None
    assert find_document(store, "") is None
    with pytest.raises(IndexError, match="has 5000 rows; row 5000"):
        read_row(store, store.table_path(RAW_SHARDS, "a"), N_ROWS)


def test_a_claim_without_a_table_is_no_document(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    claims = DocumentIds(store)
    with claims.lock():
        claims.accept("killed", ["x"], "0" * 32)
    assert find_document(store, "x") is None
    assert nearest_ids(store, "y") == []


def test_ids_of_hashes_name_the_documents(store: Store) -> None:
    names = ["a-00017", "b-04999", "c.jsonl:1"]
    numbers = hash_ids(names).tolist()
    assert ids_of_hashes(store, [*numbers, 12345]) == dict(zip(numbers, names, strict=True))
    assert ids_of_hashes(store, []) == {}


def test_rows_in_quarantine_are_found_by_id_or_row(store: Store) -> None:
    (row,) = quarantined_rows(store, "b-empty")
    assert (row.shard, row.row) == ("b", N_ROWS + 1)
    assert "text" in row.reason or "text" in row.detail
    (row,) = quarantined_rows(store, "c.jsonl:2")
    assert (row.shard, row.row) == ("c.jsonl", 2)
    assert quarantined_rows(store, "a-00001") == []
    assert quarantined_rows(store, "nothing") == []


def test_shards_that_are_set_aside_are_named(store: Store) -> None:
    assert list(set_aside_of(store, "d-1")) == ["d"]
    assert "are those of documents" in set_aside_of(store, "d-1")["d"].message
    assert list(set_aside_of(store, "d:1")) == ["d"]
    assert set_aside_of(store, "c.jsonl:77") == {}


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("a_00017", "a-00017"),  # another character
        ("a-0017", "a-00017"),  # one is missing
        ("b-049999", "b-04999"),  # one too many
        ("-a00017", "a-00017"),  # two are swapped
        (" A-00017\n", "a-00017"),
        ("b-049", "b-04900"),  # only the beginning
        ("<urn:b-04321>", "b-04321"),  # more around it
        ("c.jsonl:9", "c.jsonl:1"),
    ],
)
def test_the_nearest_ids_hold_what_was_meant(store: Store, wrong: str, meant: str) -> None:
    assert meant in nearest_ids(store, wrong)


def test_nearest_ids_of_dense_numbers_are_those_of_the_whole_pool(tmp_path: Path) -> None:
    """Where ids are numbers, each has some hundred neighbours, all over the shards."""
    store = Store(UPath(tmp_path / "lake"))
    numbers = [f"{n:06}" for n in range(0, 6_000, 7)]
    for shard in range(6):
        put_raw(store, f"s{shard}", [{"id": n, "text": f"of {n}"} for n in numbers[shard::6]])
    pool = set(numbers)
    for wrong in ("000001", "003x50", "00490", "999999000007"):
        like = sorted(_one_edit_or_part(wrong) & pool, key=lambda n: (-_ratio(wrong, n), n))
        assert nearest_ids(store, wrong) == like[:5]
        assert like


def _one_edit_or_part(text: str) -> set[str]:
    """All ids of digits that are one edit from a text, or a part of it of three characters."""
    found = {text[a:b] for a in range(len(text)) for b in range(a + 3, len(text) + 1)}
    for place in range(len(text) + 1):
        before, after = text[:place], text[place:]
        found |= {before + new + rest for new in "0123456789" for rest in (after, after[1:])}
        found |= {before + after[1:], before + after[1:2] + after[:1] + after[2:]}
    return found - {text}


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def test_nearest_ids_are_few_and_the_most_similar_first(store: Store) -> None:
    near = nearest_ids(store, "a-0001")
    assert len(near) == 5
    assert all(name.startswith("a-0") for name in near)
    assert near == nearest_ids(store, "a-0001")
    assert nearest_ids(store, "a-0001", 2) == near[:2]


def test_a_changed_shard_is_found_again(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    put_raw(store, "s", [{"id": "old", "text": "words"}])
    assert find_document(store, "old") == Place("s", 0, 1)
    path = tmp_path / "inputs" / "s.jsonl"
    path.write_text('{"id": "first", "text": "words"}\n{"id": "new", "text": "more words"}\n')
    write_raw_shard(store, InputShard("s", UPath(path), "2"), CorpusSettings())
    assert find_document(store, "old") is None
    assert find_document(store, "new") == Place("s", 1, 2)
