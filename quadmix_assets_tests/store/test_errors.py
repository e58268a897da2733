from pathlib import Path

import pytest
from upath import UPath

from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets.store.errors import asset_in_words, damaged


@pytest.mark.parametrize(
    ("asset", "words"),
    [
        ("scored_shards", "the asset 'scored_shards' (partition 'one')"),
        ("duplicate_signatures", "the asset 'duplicate_signatures' (partition 'one')"),
        ("proxy_metrics", "the asset 'proxy_metrics' (partition 'one')"),
        ("mixes/mine/final_mix", "the asset 'mixes/mine/final_mix' (partition 'one')"),
        ("tokenizer", "the asset 'tokenizer'"),
        ("mixes/mine/selection_rule", "the asset 'mixes/mine/selection_rule'"),
        # Folders that are no asset of their own.
        ("raw_shards_quarantine", "the asset 'raw_shards' (partition 'one')"),
        ("mixes/mine/export", "the asset 'mixes/mine/final_mix' (partition 'one')"),
    ],
)
def test_only_assets_with_partitions_are_named_with_one(asset: str, words: str) -> None:
    assert asset_in_words(asset, "one") == words


def test_missing_and_damaged_files_name_what_makes_them(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path))
    with pytest.raises(MissingOutputError) as missing:
        store.read_table(store.table_path("scored_shards", "a.jsonl"))
    assert "materialise the asset 'scored_shards' (partition 'a.jsonl') first" in str(missing.value)
    with pytest.raises(MissingOutputError) as missing:
        store.read_json(store.path("tokenizer", "tokenizer.json"))
    assert str(missing.value).endswith("materialise the asset 'tokenizer' first")
    found = str(damaged(store.table_path("near_duplicates", "near_duplicates"), "bits"))
    assert found.endswith("or materialise the asset 'near_duplicates' in the UI")
