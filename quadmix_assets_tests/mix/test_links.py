from pathlib import Path

from upath import UPath

from quadmix_assets.mix.links import Link, links_path, read_links, table_of_links, write_links
from quadmix_assets.outputs import FINAL_MIX, MIX_MANIFEST, PROXY_METRICS, TOKENIZER
from quadmix_assets.store import Store

TIME = "2026-01-02T03:04:05+00:00"
WHOLE = Link(TOKENIZER, None, 5, "0123456789abcdef", TIME)
BATCH = Link(PROXY_METRICS, "batch-00001", 9, "run-2", TIME)


def shard(number: int) -> Link:
    return Link(FINAL_MIX, f"a {number}.jsonl", 100 + number, "run-3", TIME)


def test_urls_are_those_of_the_ui() -> None:
    assert WHOLE.asset_url == "/assets/tokenizer"
    assert WHOLE.run_url == "/runs/0123456789abcdef"
    assert BATCH.asset_url == "/assets/proxy_metrics?view=partitions&partition=batch-00001"
    assert shard(1).asset_url.endswith("partition=a%201.jsonl")
    assert Link(TOKENIZER, None, 1, "", TIME).run_url == ""


def test_links_are_read_back_and_lie_outside_the_manifest(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    assert read_links(store) == {}
    write_links(store, "f" * 32, [WHOLE, BATCH])
    assert read_links(store) == {
        (TOKENIZER, None): WHOLE,
        (PROXY_METRICS, "batch-00001"): BATCH,
    }
    stored = store.read_json(links_path(store))
    assert stored[MIX_MANIFEST] == "f" * 32
    assert stored["entries"][1]["run_url"] == "/runs/run-2"
    assert not (store.root / MIX_MANIFEST).exists()


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
