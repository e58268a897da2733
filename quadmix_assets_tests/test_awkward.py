"""Awkward inputs that real users have, through the graph: each file is a shard."""

import shutil
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from quadmix_assets.definitions import defs as load_definitions
from quadmix_assets.outputs import FINAL_MIX, QUARANTINE, RAW_SHARDS
from quadmix_assets.settings import PROFILES_FOLDER
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
REPEATS = ("duplicate_ids.jsonl", "shard-00000.jsonl.zst", "multi_frame.jsonl.zst")


def awkward_project(folder: Path, *, without: tuple[str, ...] = ()) -> Project:
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
            "objective": "instruct",
            # Most documents are of other domains than the two.
            "accept": ["regressor_learned_something", "labels_cover_the_pool"],
        },
    )
    shutil.copytree(
        CORPUS / "awkward",
        folder / "raw",
        ignore=shutil.ignore_patterns("README.md", "*.tsv", *without),
    )
    shutil.copyfile(CORPUS / "targets" / "instruct.jsonl", folder / "instruct.jsonl")
    return project


def test_duplicate_ids_stop_the_run_and_are_named(tmp_path: Path) -> None:
    project = awkward_project(tmp_path)
    assert not project.run()
    with project.instance() as instance:
        key = dg.AssetCheckKey(dg.AssetKey("raw_shards"), "ids_are_unique")
        (record,) = instance.event_log_storage.get_asset_check_execution_history(key, 1)
        assert record.status.value == "FAILED"
        assert record.event is not None
        description = record.event.dagster_event.asset_check_evaluation_data.description  # type: ignore[union-attr]
        assert "occur more than once, for example" in str(description)
        assert "remove the duplicates" in str(description)
        assert not instance.get_materialized_partitions(dg.AssetKey("scored_shards"))


def test_unreadable_files_fail_alone_and_the_others_reach_the_mix(tmp_path: Path) -> None:
    repeats = ("duplicate*", "shard-00000.jsonl.zst", "multi_*", "broken*", "mixed_schema")
    project = awkward_project(tmp_path, without=(*repeats, "latin1*", "*separators*", "empty*"))
    # What is left of the files repeats rows of one another here and there; ids by shard and row.
    profile = project.profile
    profile.write_text(profile.read_text().replace("raw: raw", "raw: raw\n  id_column: null"))
    assert project.run()
    store = project.store
    with project.instance() as instance:
        shards = set(instance.get_dynamic_partitions("shard"))
        done = instance.get_materialized_partitions(dg.AssetKey("raw_shards"))
        assert shards - done == set(UNREADABLE)
        assert instance.get_materialized_partitions(dg.AssetKey("final_mix")) == done
    mix = pl.concat(
        store.read_table(path, ["id", "copies"]) for path in (store.root / FINAL_MIX).glob("*")
    )
    assert mix.height > 0
    assert {"zero_bytes.jsonl", "zero_rows.parquet", "long_docs.jsonl.gz"} <= done


def test_every_unreadable_file_says_which_and_why(tmp_path: Path) -> None:
    project = awkward_project(tmp_path, without=REPEATS)
    job = load_definitions().resolve_implicit_global_asset_job_def()
    run_config = {"resources": {"project": {"config": {"profile": str(project.profile)}}}}
    with project.instance() as instance:
        for name, word in UNREADABLE.items():
            instance.add_dynamic_partitions("shard", [name])
            result = job.execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey("raw_shards")],
                partition_key=name,
                run_config=run_config,
                raise_on_error=False,
            )
            assert not result.success
            (failure,) = list(result.get_step_failure_events())
            message = str(failure.step_failure_data.user_failure_data.description)  # type: ignore[union-attr]
            assert name in message
            assert word in message
        assert not list((project.store.root / RAW_SHARDS).glob("*"))
        assert not list((project.store.root / QUARANTINE).glob("*"))
