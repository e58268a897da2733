from dataclasses import replace
from pathlib import Path

from upath import UPath

from quadmix_assets.mix.links import Link, links_path, read_links, table_of_links, write_links
from quadmix_assets.outputs import FINAL_MIX, MIX_MANIFEST, PROXY_METRICS, TOKENIZER, mix_output
from quadmix_assets.store import Store

TIME = "2026-01-02T03:04:05+00:00"
WHOLE = Link(TOKENIZER, None, 5, "0123456789abcdef", TIME, "v1")
BATCH = Link(PROXY_METRICS, "batch-00001", 9, "run-2", TIME, "v2")


def shard(number: int) -> Link:
    return Link(mix_output("a", FINAL_MIX), f"a {number}.jsonl", 100 + number, "run-3", TIME, "v3")


def test_urls_are_those_of_the_ui() -> None:
    assert WHOLE.asset_url == "/assets/tokenizer"
    assert WHOLE.run_url == "/runs/0123456789abcdef"
    assert BATCH.asset_url == "/assets/proxy_metrics?view=partitions&partition=batch-00001"
    assert shard(1).asset_url == ("/assets/mixes/a/final_mix?view=partitions&partition=a%201.jsonl")
    assert Link(TOKENIZER, None, 1, "", TIME, "").run_url == ""


def test_links_are_read_back_and_lie_outside_the_manifest(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    assert read_links(store, "mine") == {}
    write_links(store, "mine", "f" * 32, [WHOLE, BATCH])
    assert read_links(store, "mine") == {
        (TOKENIZER, None): WHOLE,
        (PROXY_METRICS, "batch-00001"): BATCH,
    }
    stored = store.read_json(links_path(store, "mine"))
    assert stored[MIX_MANIFEST] == "f" * 32
    assert stored["entries"][1]["run_url"] == "/runs/run-2"
    assert not (store.root / mix_output("mine", MIX_MANIFEST)).exists()
    assert read_links(store, "other") == {}


def test_links_of_an_earlier_lake_have_no_version(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    path = write_links(store, "mine", "f" * 32, [WHOLE])
    stored = store.read_json(path)
    del stored["entries"][0]["version"]
    store.write_json(path, stored)
    assert read_links(store, "mine") == {(TOKENIZER, None): replace(WHOLE, version="")}


def test_table_links_to_every_page_and_stays_short() -> None:
    table = table_of_links([WHOLE, BATCH])
    assert table.row(0) == (
        "[tokenizer](/assets/tokenizer)",
        "",
        "[01234567](/runs/0123456789abcdef)",
        TIME,
    )
    assert table["partition"][1] == f"[batch-00001]({BATCH.asset_url})"
    many = table_of_links([WHOLE, BATCH, *(shard(number) for number in range(500))])
    assert many.height <= 60
    assert many["asset"][0] == "[tokenizer](/assets/tokenizer)"
    assert "a 499.jsonl" in many["partition"][-1]
    assert table_of_links([]).height == 0
