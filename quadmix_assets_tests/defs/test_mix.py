"""The mix in the UI: what waits, what a launch may choose, and links between mix and runs."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from quadmix_assets.definitions import defs as load_definitions
from quadmix_assets.defs.mix_links import MANIFEST_TAG
from quadmix_assets.mix.links import LINKED, read_links
from quadmix_assets.mix.manifest import read_manifest
from quadmix_assets.outputs import (
    FINAL_MIX,
    MIX_LINKS,
    MIX_MANIFEST,
    PROXY_METRICS,
    RANK_CALIBRATION,
    SCORED_SHARDS,
)
from quadmix_assets_tests.conftest import Project

SHARDS = ("shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst")


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


def make(
    project: Project,
    instance: dg.DagsterInstance,
    *assets: str,
    partition: str | None = None,
    ops: dict[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """Materialise assets with their checks, as a click does."""
    job = load_definitions().resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(asset) for asset in assets],
        partition_key=partition,
        run_config={
            "resources": {"project": {"config": {"profile": str(project.profile)}}},
            "ops": ops or {},
        },
        raise_on_error=False,
    )


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_mix_waits_with_the_guard_s_words_and_is_not_retried(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMIX_MIX__ACCEPT", "[]")
    before = project.store.fingerprint(project.store.root / RANK_CALIBRATION)
    with project.instance() as instance:
        result = make(project, instance, RANK_CALIBRATION)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    data = failure.step_failure_data
    assert data.user_failure_data is not None and data.error is not None
    message = str(data.error.cause.message if data.error.cause else data.error.message)
    assert "regressor_learned_something: the regressor is no better than a constant" in message
    assert "mix.accept" in message
    assert not result.get_step_success_events()
    assert project.store.fingerprint(project.store.root / RANK_CALIBRATION) == before


def test_launch_chooses_the_budget_and_the_manifest_says_so(project: Project) -> None:
    store = project.store
    tokens = int(read_manifest(store)["totals"]["n_tokens_out"] * 0.6)
    config = {RANK_CALIBRATION: {"config": {"tokens": tokens, "objective": "planted"}}}
    with project.instance() as instance:
        result = make(project, instance, RANK_CALIBRATION, ops=config)
        assert result.success
        (event,) = result.asset_materializations_for_node(RANK_CALIBRATION)
        assert event.metadata["mix_tokens"].value == tokens
        assert event.metadata["objective"].value == "planted"
        assert event.metadata["accepted_guards"].value == "regressor_learned_something"
        for shard in SHARDS:
            assert make(project, instance, FINAL_MIX, partition=shard).success
        made = make(project, instance, MIX_MANIFEST)
    manifest = read_manifest(store)
    assert manifest["mix_tokens"] == tokens
    assert manifest["totals"]["n_tokens_out"] == pytest.approx(tokens, rel=0.2)
    assert checks(made)["mix_is_current"].passed
    assert checks(made)["manifest_is_complete"].passed


def test_launch_with_an_unknown_objective_names_those_there_are(project: Project) -> None:
    config = {RANK_CALIBRATION: {"config": {"objective": "fame"}}}
    with project.instance() as instance:
        result = make(project, instance, RANK_CALIBRATION, ops=config)
    (failure,) = result.get_step_failure_events()
    error = failure.step_failure_data.error
    assert error is not None
    assert "'fame'; search.objectives has: planted" in error.message


def test_every_entry_leads_to_its_run_and_the_run_leads_back(project: Project) -> None:
    store = project.store
    links = read_links(store)
    fingerprint = store.fingerprint(store.root / MIX_MANIFEST)
    assert store.read_json(store.path(MIX_LINKS, "links.json"))[MIX_MANIFEST] == fingerprint
    expected: set[tuple[str, str | None]] = {(FINAL_MIX, shard) for shard in SHARDS}
    expected |= {(SCORED_SHARDS, shard) for shard in SHARDS}
    expected |= {(PROXY_METRICS, f"batch-{n:05d}") for n in range(2)}
    expected |= {(RANK_CALIBRATION, None), ("tokenizer", None), ("regressor", None)}
    assert expected <= set(links)
    assert {asset for asset, _ in links} <= set(LINKED)
    with project.instance() as instance:
        for (asset, partition), link in links.items():
            run = instance.get_run_by_id(link.run_id)
            assert run is not None
            assert run.tags[MANIFEST_TAG] == fingerprint
            record = instance.fetch_materializations(
                dg.AssetRecordsFilter(
                    dg.AssetKey(asset), asset_partitions=[partition] if partition else None
                ),
                limit=1,
            ).records[0]
            assert (record.run_id, record.storage_id) == (link.run_id, link.event)
        (event,) = instance.fetch_materializations(dg.AssetKey(MIX_MANIFEST), limit=1).records
        assert event.asset_materialization is not None
        table = str(event.asset_materialization.metadata["links"].value)
    link = links[PROXY_METRICS, "batch-00001"]
    assert f"(/runs/{link.run_id})" in table
    assert "(/assets/proxy_metrics?view=partitions&partition=batch-00001)" in table


def test_same_mix_has_the_same_manifest_and_links_to_the_newer_runs(project: Project) -> None:
    store = project.store
    with project.instance() as instance:
        make(project, instance, MIX_MANIFEST)
        fingerprint = store.fingerprint(store.root / MIX_MANIFEST)
        before = read_links(store)
        again = make(project, instance, FINAL_MIX, partition=SHARDS[0])
        made = make(project, instance, MIX_MANIFEST)
        tags = instance.get_run_by_id(again.run_id).tags  # type: ignore[union-attr]
    assert store.fingerprint(store.root / MIX_MANIFEST) == fingerprint
    assert tags[MANIFEST_TAG] == fingerprint
    now = read_links(store)
    changed = {key for key in now if now[key] != before.get(key)}
    assert changed == {(FINAL_MIX, SHARDS[0])}
    assert now[FINAL_MIX, SHARDS[0]].run_id == again.run_id
    assert made.success


def test_what_has_changed_is_named_by_the_check(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quadmix_assets.defs.mix import mix_is_current
    from quadmix_assets.defs.resources import ProjectResource

    monkeypatch.setenv("QUADMIX_SEARCH__TOP", "3")
    with project.instance() as instance:
        instance.delete_dynamic_partition("shard", SHARDS[2])
        found = mix_is_current(
            dg.build_asset_check_context(instance=instance),
            ProjectResource(profile=str(project.profile)),
        )
    assert isinstance(found, dg.AssetCheckResult)
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert f"shards that are gone: {SHARDS[2]}" in str(found.description)
    assert "settings that differ: search.top: 10 → 3" in str(found.description)
