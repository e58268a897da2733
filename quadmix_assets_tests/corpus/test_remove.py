from pathlib import Path

import polars as pl
from upath import UPath

from quadmix_assets.corpus.document_ids import shards_set_aside
from quadmix_assets.corpus.remove import remove_shards
from quadmix_assets.outputs import files_of_a_shard
from quadmix_assets.store import Store
from quadmix_assets_tests.lakes import put_raw

ROWS = [{"id": "a", "text": "some text"}]


def test_all_that_a_shard_left_goes_and_nothing_else(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    assert put_raw(store, "s", ROWS).set_aside is None
    assert put_raw(store, "s.jsonl", [{"id": "b", "text": "other"}]).set_aside is None
    assert put_raw(store, "twice", ROWS).set_aside is not None
    lake = Path(str(store.root))
    for name in ("s", "s.jsonl"):
        for folder in ("scored_shards", "domain_labels", "target_overlap", "mixes/m/final_mix"):
            store.write_table(store.table_path(folder, name), pl.DataFrame({"id": ["a"]}))
        for path in (f"mixes/m/export/{name}.jsonl.zst", f"scored_shards_unfinished/{name}/1"):
            (lake / path).parent.mkdir(parents=True, exist_ok=True)
            (lake / path).write_text("x")
    (lake / "score_report").mkdir()
    (lake / "score_report" / "s.parquet").write_text("not one file per shard")
    before = files(lake)
    for _ in range(2):  # The second time there is nothing left to remove.
        remove_shards(store, ["s", "twice"], files_of_a_shard(["m", "other"]))
        assert before - files(lake) == {
            "raw_shards/s.parquet",
            "raw_shards_quarantine/s.parquet",
            "raw_shards/twice.parquet",
            "raw_shards_quarantine/twice.parquet",
            "document_ids/s.npy",
            "document_ids/.s.npy.card",
            "document_ids/twice.json",
            "document_ids/.twice.json.card",
            "scored_shards/s.parquet",
            "domain_labels/s.parquet",
            "target_overlap/s.parquet",
            "mixes/m/final_mix/s.parquet",
            "mixes/m/export/s.jsonl.zst",
            "scored_shards_unfinished/s/1",
        }
    assert shards_set_aside(store) == {}
    assert put_raw(store, "twice", ROWS).set_aside is None, "the ids are free"


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
