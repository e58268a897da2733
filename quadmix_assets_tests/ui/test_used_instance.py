"""A pool that has been run: shards that arrive, settings that change, jobs. In this order."""

import json
from collections.abc import Iterator

import dagster as dg
import pytest

from quadmix_assets.outputs import is_per_shard
from quadmix_assets_tests.conftest import definitions_of, instance_in
from quadmix_assets_tests.ui.console import Console
from quadmix_assets_tests.ui.pool import Pool, write_hostile_shard, write_pool
from quadmix_assets_tests.ui.server import Server, served, wait_for

# What a shard brings besides its scores.
UNSCORED = ("raw_shards", "target_overlap", "domain_labels")
# Answers nowhere; a page that asks it for something has run what a document says.
STRANGER = "stranger.invalid"
HOSTILE_SHARD = f"![key](http:{STRANGER})<b>.jsonl"
# The assets whose pages show texts, ids, sources, labels or keys of the input.
SHOW_DOCUMENTS = (
    "input_check",
    "raw_shards",
    "target_overlap",
    "scored_shards",
    "domain_labels",
    "score_report",
    "mixes/quadmix/final_mix",
    "mixes/quadmix/mix_manifest",
    "overview",
)
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
# What turns unsynced when shards have arrived, and nothing else does: making pinned assets
# again is for a person to decide.
PINNED = {"reference_pool", "scored_reference_pool"}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """All made; then two shards arrived, of which all but the scores was made, nothing being on."""
    pool = write_pool(tmp_path_factory.mktemp("used"), enabled=False)
    write_hostile_shard(pool.raw / HOSTILE_SHARD, STRANGER)
    pool.quadmix("run")
    for path in pool.spare[:2]:
        pool.drop(path)
    pool.quadmix("instance")
    job = definitions_of(pool.profile).resolve_implicit_global_asset_job_def()
    with instance_in(pool.instance), dg.DagsterInstance.get() as instance:
        assert job.execute_in_process(
            asset_selection=[dg.AssetKey(asset) for asset in UNSCORED],
            instance=instance,
            tags={RANGE_START: pool.spare[0].name, RANGE_END: pool.spare[1].name},
        ).success
    return pool


@pytest.fixture(scope="module")
def server(pool: Pool) -> Iterator[Server]:
    with served(pool.profile) as server:
        yield server


def test_words_of_documents_do_nothing(console: Console, server: Server, pool: Pool) -> None:
    asked: list[str] = []
    console.page.on("request", lambda request: asked.append(request.url))
    shown = {
        asset: console.open_everything(asset, HOSTILE_SHARD if is_per_shard(asset) else None)
        for asset in SHOW_DOCUMENTS
    }
    ours = (server.url, "data:", "blob:")
    assert [url for url in asked if not url.startswith(ours)] == []
    for asset in ("raw_shards", "score_report"):
        assert "![seen](http:" in shown[asset], f"{asset} shows the text as it is"

    with instance_in(pool.instance), dg.DagsterInstance.get() as instance:
        picture = dg.MetadataValue.md(f"![seen](http://{STRANGER}/control.png)")
        instance.report_runless_asset_event(
            dg.AssetMaterialization("overview", metadata={"picture": picture})
        )
    console.open_everything("overview")
    assert f"http://{STRANGER}/control.png" in asked, "such a page would have asked"


def test_missing_partitions_are_selected_and_backfilled(
    console: Console, server: Server, pool: Pool
) -> None:
    late = [path.name for path in pool.spare[:2]]
    before = server.partitions("scored_shards")
    assert before["registered"] - before["materialized"] == set(late)
    backfill = server.wait_for_backfill(
        console.materialize_partitions("scored_shards", "Missing"), seconds=400
    )
    assert backfill["status"] == "COMPLETED_SUCCESS", backfill
    assert server.partitions("scored_shards")["materialized"] == before["registered"]
    (run,) = [
        run for run in server.runs() if run["assetSelection"] == [{"path": ["scored_shards"]}]
    ]
    ranges = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert [ranges[RANGE_START], ranges[RANGE_END]] == late


def test_shards_arrive_and_bad_ones_are_named(console: Console, server: Server, pool: Pool) -> None:
    for switch in ("discover_shards", "follow_shards", "keep_reports"):
        console.switch(switch, on=True)
    arriving = pool.drop(pool.spare[2])
    twice = pool.drop(pool.spare[0], f"again-{pool.spare[0].name}")
    broken = "broken.parquet"
    (pool.raw / broken).write_bytes(b"PAR1 this is no Parquet file PAR1")

    manifest = pool.lake("mixes/quadmix/mix_manifest", "mix_manifest.json")

    def mixed() -> bool | None:
        return True if arriving in json.loads(manifest.read_text())["shards"] else None

    wait_for(f"{arriving} in the mix", mixed, seconds=500)
    assert arriving in server.partitions("mixes/quadmix/final_mix")["materialized"]

    def named() -> bool | None:
        usable = server.checks("raw_shards").get("shards_are_usable")
        words = (usable or {}).get("description") or ""
        return True if usable and broken in words and twice in words else None

    wait_for("the check names both bad shards", named, seconds=300)
    console.open_asset("raw_shards", "checks")
    console.see("shards_are_usable").click()
    console.see("Failed")
    console.see(broken)
    console.see(twice)

    (pool.raw / broken).unlink()
    (pool.raw / twice).unlink()

    def healed() -> bool | None:
        usable = server.checks("raw_shards").get("shards_are_usable")
        gone = server.partitions("raw_shards")["registered"].isdisjoint({broken, twice})
        return True if gone and usable and usable["success"] else None

    wait_for("the pool has healed", healed, seconds=500)
    assert server.failed_runs() == []


def test_changed_setting_makes_exactly_its_assets_unsynced(console: Console, pool: Pool) -> None:
    def settles(expected: set[str]) -> None:
        """What the last arrivals left to do is still being done: `catalog` may be a step behind."""
        wait_for(
            f"exactly {sorted(expected)} are unsynced",
            lambda: True if console.unsynced() == expected else None,
            seconds=400,
        )

    settles(PINNED)
    pool.change_settings("mix", max_breakpoints=500)
    settles(PINNED)  # Settings are those of the last load.
    console.reload_definitions()
    settles(PINNED | {"mixes/quadmix/selection_rule"})
    console.open_asset("mixes/quadmix/selection_rule")
    console.see("Unsynced")
    console.see("mix.max_breakpoints")


def test_job_runs_with_the_config_of_its_launchpad(console: Console, server: Server) -> None:
    config = "ops:\n  optimal_params:\n    config:\n      n_points: 150\n"
    run = console.run_job("refit_and_search", config)
    assert server.wait_for_run(run, seconds=300)["status"] == "SUCCESS"
    console.see("Success")
    assert server.assets()["optimal_params"]["assetMaterializations"][0]["runId"] == run
    console.open_asset("optimal_params")
    console.see("n_points")
    console.see("150")
