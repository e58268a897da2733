from pathlib import Path

import pytest
from upath import UPath

from quadmix_assets.features.label_coverage import LabelCoverage, label_coverage
from quadmix_assets.outputs import DOMAIN_LABELS
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import put_raw, put_scored


def lake(folder: Path, **domains: list[str]) -> Store:
    """A lake of shards whose documents have these domains."""
    store = Store(UPath(folder / "lake"))
    for shard, labels in domains.items():
        put_raw(store, shard, [{"id": f"{shard}-{n}", "text": "x"} for n in range(len(labels))])
        put_scored(store, shard, {"worth": [0.0] * len(labels)}, labels, [1] * len(labels))
    return store


def test_documents_are_counted_over_all_shards(tmp_path: Path) -> None:
    store = lake(tmp_path, a=["law", "law", "unknown"], b=["news", "unknown"], c=["law"])
    found = label_coverage(store, ["a", "b", "c"])
    assert found.documents == {"law": 3, "news": 1, "unknown": 2}
    assert found.unknown_share == pytest.approx(2 / 6)
    assert found.unknown_by_shard == {"a": pytest.approx(1 / 3), "b": 0.5, "c": 0.0}
    assert not found.is_empty
    words = found.in_words(0.3)
    assert "2 of 6 documents" in words
    assert "the shard 'b' (50.0%)" in words
    assert "features.max_unknown_share" in words
    assert "materialise" not in found.in_words(0.4)


def test_pool_without_any_domain_is_always_an_error(tmp_path: Path) -> None:
    found = label_coverage(lake(tmp_path, a=["unknown"], b=["unknown"]), ["a", "b"])
    assert found.is_empty
    assert "all 2 documents" in found.in_words(1.0)


def test_no_documents_are_not_an_error() -> None:
    assert not LabelCoverage({}, {}).is_empty
    assert LabelCoverage({}, {}).unknown_share == 0


def test_labels_without_counts_are_refused(tmp_path: Path) -> None:
    store = lake(tmp_path, a=["law"])
    path = store.table_path(DOMAIN_LABELS, "a")
    store.write_table(path, store.read_table(path), {"inputs": {}})
    with pytest.raises(MissingOutputError, match=r"'domain_labels', partition 'a', again"):
        label_coverage(store, ["a"])


def test_footers_of_the_graph_hold_the_counts_of_their_tables(tiny: Project) -> None:
    store = tiny.store
    shards = sorted(path.stem for path in (store.root / DOMAIN_LABELS).glob("*.parquet"))
    counted: dict[str, int] = {}
    for shard in shards:
        for domain in store.read_table(store.table_path(DOMAIN_LABELS, shard))["domain"]:
            counted[domain] = counted.get(domain, 0) + 1
    assert label_coverage(store, shards).documents == counted
