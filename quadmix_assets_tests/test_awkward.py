"""Awkward inputs that real users have, through the graph: each file is a shard."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from quadmix_assets.corpus.document_ids import shards_set_aside
from quadmix_assets.outputs import RAW_SHARDS, per_shard
from quadmix_assets.settings import PROFILE_VARIABLE, PROFILES_FOLDER
from quadmix_assets_tests.conftest import Project

CORPUS = PROFILES_FOLDER.parents[2] / "shared" / "corpus"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the real corpus is not at {CORPUS}"),
]

UNREADABLE = {
    "html_named_csv.csv": "suffix",
    "nested_content.parquet": "text",
    "non_utf8_20news_0.txt": "suffix",
    "non_utf8_reuters_reut2-017.sgm": "suffix",
    "truncated.jsonl.gz": "ends",
    "truncated.parquet": "Parquet",
    "utf16.jsonl": "UTF-16",
}
# Of files that hold the same documents, the first in the order of their keys is in the pool.
REPEATS = {
    "multi_member.jsonl.gz": "300 of its 300 ids are those of documents in 'multi_frame.jsonl.zst'",
    "shard-00000.jsonl.gz": "414 of its 2000 ids are those of documents in 'broken_lines.jsonl'",
    "shard-00000.jsonl.zst": "414 of its 2000 ids are those of documents in 'broken_lines.jsonl'",
}


def awkward_project(folder: Path) -> Project:
    project = Project(
        folder,
        corpus={
            "source": "files",
            "raw": "raw",
            "patterns": ["**/*"],
            "carried_columns": {"domain26": "string"},
        },
        targets=[{"name": "instruct", "path": "instruct.jsonl", "max_documents": 400}],
        features={
            "criteria": [
                {"kind": "target_fasttext", "target": "instruct"},
                {"kind": "importance", "target": "instruct"},
                {"kind": "heuristics"},
            ],
            "domains": {"kind": "column", "column": "domain26", "names": ["Health", "Science"]},
        },
        search={"objectives": [{"name": "instruct", "targets": {"instruct": 1.0}}]},
        mix={
            # Most documents are of other domains than the two.
            "accept": [
                "regressor_learned_something",
                "labels_cover_the_pool",
                "few_proxies_failed",
            ],
        },
    )
    shutil.copytree(
        CORPUS / "awkward",
        folder / "raw",
        ignore=shutil.ignore_patterns("README.md", "*.tsv"),
    )
    shutil.copyfile(CORPUS / "targets" / "instruct.jsonl", folder / "instruct.jsonl")
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """All awkward files in one pool, and the whole graph run on it."""
    project = awkward_project(tmp_path_factory.mktemp("awkward"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PROFILE_VARIABLE, str(project.profile))
        assert project.run()
    yield project


def test_what_cannot_be_used_is_set_aside_alone_and_the_rest_reaches_the_mix(
    project: Project,
) -> None:
    store = project.store
    set_aside = shards_set_aside(store)
    assert set_aside.keys() == UNREADABLE.keys() | REPEATS.keys()
    with project.instance() as instance:
        shards = set(instance.get_dynamic_partitions("shard"))
        for asset in per_shard(["quadmix"]):
            asset_key = dg.AssetKey.from_user_string(asset)
            assert instance.get_materialized_partitions(asset_key) == shards, asset
    mix = pl.concat(
        store.read_table(path, ["id", "copies"])
        for path in (store.root / "mixes/quadmix/final_mix").glob("*")
    )
    assert mix.height > 0
    for key in set_aside:
        for asset in per_shard(["quadmix"]):
            assert store.n_rows(store.table_path(asset, key)) == 0, (asset, key)
    assert {"zero_bytes.jsonl", "zero_rows.parquet", "long_docs.jsonl.gz"} <= shards
    ids = [
        id_
        for key in shards
        for id_ in store.read_table(store.table_path(RAW_SHARDS, key), ["id"])["id"]
    ]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("name", "word"), [*UNREADABLE.items(), *REPEATS.items()])
def test_every_file_that_is_set_aside_says_why(project: Project, name: str, word: str) -> None:
    assert word in shards_set_aside(project.store)[name].message
    with project.instance() as instance:
        key = dg.AssetCheckKey(dg.AssetKey(RAW_SHARDS), "shards_are_usable")
        (record,) = instance.event_log_storage.get_asset_check_execution_history(key, 1)
        assert record.status.value == "FAILED"
        assert record.event is not None
        evaluation = record.event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
        assert f"| {name} |" in str(evaluation.metadata["set_aside"].value)
