from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from quadmix_assets.corpus.duplicates import find_duplicate_ids
from quadmix_assets_tests.corpus.reading import AWKWARD, needs_corpus, read

FOLDER = UPath("memory://duplicates")


def write(name: str, ids: list[str]) -> UPath:
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.parquet"
    with path.open("wb") as file:
        table = pa.table({"text": ids, "id": pa.array(ids, pa.string())})
        pq.write_table(table, file, row_group_size=3)
    return path


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh") | st.text(max_size=2), max_size=8), max_size=4)
)
@settings(deadline=None, max_examples=25)
def test_against_counting(shards: list[list[str]]) -> None:
    where = defaultdict(list)
    for number, ids in enumerate(shards):
        for id_ in ids:
            where[id_].append(f"s{number}.jsonl")
    twice = {id_: names for id_, names in where.items() if len(names) > 1}
    paths = [write(f"s{number}.jsonl", ids) for number, ids in enumerate(shards)]
    for order in (paths, paths[::-1]):
        found = find_duplicate_ids(order, max_examples=3)
        assert found.n_duplicate_ids == len(twice)
        assert found.n_documents_affected == sum(map(len, twice.values()))
        ranked = sorted(twice, key=lambda id_: (-len(twice[id_]), id_.encode()))
        assert found.examples == [(id_, twice[id_]) for id_ in ranked[:3]]


def test_more_ids_than_memory(tmp_path: Path) -> None:
    n = 300_000
    paths = []
    for number in range(4):
        ids = [f"{number}-{i:030}" for i in range(n)] + ["twice"] * (number % 2)
        paths.append(str(tmp_path / f"s{number}.parquet"))
        pq.write_table(pa.table({"id": ids}), paths[-1])
    found = find_duplicate_ids(paths, memory_limit="30MB")
    assert (found.n_duplicate_ids, found.n_documents_affected) == (1, 2)
    assert found.examples == [("twice", ["s1", "s3"])]


def test_examples_name_a_bounded_number_of_shards() -> None:
    (example,) = find_duplicate_ids([write("s", ["x"] * 500)]).examples
    assert example == ("x", ["s"] * 20)


def test_no_id_column(tmp_path: Path) -> None:
    pq.write_table(pa.table({"doc": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet: expected .* with a column 'id'"):
        find_duplicate_ids([str(tmp_path / "a.parquet")])


@needs_corpus
def test_ids_shared_by_different_texts() -> None:
    ids = read(AWKWARD / "duplicate_ids.jsonl")[0]["id"].to_pylist()
    found = find_duplicate_ids([write("given", ids)])
    assert (found.n_duplicate_ids, found.n_documents_affected) == (10, 100)
    assert {id_: len(names) for id_, names in found.examples} == Counter(ids)
