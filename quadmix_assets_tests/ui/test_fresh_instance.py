"""A fresh instance: one click builds everything up to the mix."""

import json
from collections.abc import Iterator

import pytest

from quadmix_assets_tests.ui.console import Console
from quadmix_assets_tests.ui.pool import Pool, write_pool
from quadmix_assets_tests.ui.server import Server, served

BROKEN = "broken.parquet"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    # Nothing arrives later, so that the sensors need not look often.
    pool = write_pool(tmp_path_factory.mktemp("fresh"), discovery_seconds=30)
    (pool.raw / BROKEN).write_bytes(b"PAR1 this is no Parquet file PAR1")
    return pool


@pytest.fixture(scope="module")
def server(pool: Pool) -> Iterator[Server]:
    with served(pool.profile) as server:
        yield server


def test_materialize_all_builds_the_mix(console: Console, server: Server, pool: Pool) -> None:
    backfill = server.wait_for_backfill(console.materialize_all(), seconds=1200)
    assert backfill["status"] == "COMPLETED_SUCCESS", backfill
    assert server.failed_runs() == []
    assert console.unsynced() == set()

    manifest = json.loads(pool.lake("mixes/quadmix/mix_manifest", "mix_manifest.json").read_text())
    assert manifest["totals"]["n_documents_out"] > 0
    console.open_asset("mixes/quadmix/mix_manifest")
    console.see("n_tokens_out")
    plot = console.open_markdown("domain_shares").locator("img").first
    plot.wait_for()
    assert plot.evaluate("image => image.naturalWidth") > 300
