from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from upath import UPath

from quadmix_assets.corpus.planted import (
    DOMAINS,
    PlantedCorpus,
    pool_document,
    target_document,
    write_planted_corpus,
)

COLUMNS = ["id", "text", "planted_domain", "planted_quality"]


def write(folder: Path, n_documents: int = 90, n_shards: int = 4, seed: int = 0) -> PlantedCorpus:
    return write_planted_corpus(
        UPath(folder),
        n_documents=n_documents,
        n_shards=n_shards,
        n_labelled_per_domain=3,
        n_target=20,
        seed=seed,
    )


def read(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_ndjson(path)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_shards_cycle_through_the_formats_and_hold_the_pool(tmp_path: Path) -> None:
    corpus = write(tmp_path)
    paths = sorted(Path(corpus.raw.path).iterdir())
    assert [path.name for path in paths] == [
        "shard-00000.parquet",
        "shard-00001.jsonl.gz",
        "shard-00002.jsonl.zst",
        "shard-00003.parquet",
    ]
    tables = [read(path) for path in paths]
    assert [table.height for table in tables] == [22, 23, 22, 23]
    assert all(table.columns == COLUMNS for table in tables)
    expected = [
        (document.id, document.text, document.domain, document.quality)
        for document in map(pool_document, range(90))
    ]
    assert pl.concat(tables).rows() == expected
    assert pq.ParquetFile(paths[0]).schema_arrow.names == COLUMNS
    assert (corpus.n_documents, corpus.n_shards) == (90, 4)


def test_labels_and_target(tmp_path: Path) -> None:
    corpus = write(tmp_path)
    labels, target = read(Path(corpus.labels.path)), read(Path(corpus.target.path))
    assert labels.columns == ["id", "text", "domain"]
    assert Counter(labels["domain"]) == dict.fromkeys(DOMAINS, 3)
    assert target.columns == ["id", "text"]
    assert target["text"].to_list() == [target_document(index).text for index in range(20)]


def test_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two")
    write(tmp_path / "two")
    write(tmp_path / "other", seed=1)
    one = contents(tmp_path / "one")
    assert len(one) == 6
    assert contents(tmp_path / "two") == one
    assert all(data != one[name] for name, data in contents(tmp_path / "other").items())


def test_a_corpus_grows_by_whole_shards(tmp_path: Path) -> None:
    write(tmp_path / "small", n_documents=60, n_shards=3)
    write(tmp_path / "large", n_documents=80, n_shards=4)
    small, large = contents(tmp_path / "small"), contents(tmp_path / "large")
    assert {name: large[name] for name in small} == small
    assert set(large) - set(small) == {"raw/shard-00003.parquet"}


def test_more_shards_only_regroup_the_documents(tmp_path: Path) -> None:
    write(tmp_path / "two", n_shards=2)
    write(tmp_path / "nine", n_shards=9)
    two, nine = (
        pl.concat([read(path) for path in sorted((tmp_path / name / "raw").iterdir())])
        for name in ("two", "nine")
    )
    assert two.equals(nine)


@pytest.mark.parametrize(("n_documents", "n_shards"), [(3, 4), (3, 0), (0, 1)])
def test_empty_shards_are_refused(tmp_path: Path, n_documents: int, n_shards: int) -> None:
    with pytest.raises(ValueError, match="no shard is empty"):
        write(tmp_path, n_documents=n_documents, n_shards=n_shards)
    assert list(tmp_path.iterdir()) == []
