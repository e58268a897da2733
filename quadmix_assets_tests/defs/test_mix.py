"""The mix in the UI: what waits, what a launch may choose, and links between mix and runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from quadmix_assets.definitions import defs as load_definitions
from quadmix_assets.defs.mix_links import MANIFEST_TAG
from quadmix_assets.defs.mixes import mix_checks
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.mix.links import linked_assets, read_links
from quadmix_assets.mix.manifest import read_manifest
from quadmix_assets.outputs import (
    FINAL_MIX,
    MIX_LINKS,
    MIX_MANIFEST,
    PROXY_METRICS,
    SCORED_SHARDS,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import put_raw

MIX = "quadmix"
RULE, DOCUMENTS, MANIFEST = (
    mix_output(MIX, what) for what in (SELECTION_RULE, FINAL_MIX, MIX_MANIFEST)
)
SHARDS = ("shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst")


@pytest.fixture(autouse=True, scope="module")
def tiny_definitions(tiny: Project) -> None:
    """Whatever definitions were loaded before, these tests look at those of the tiny project."""
    tiny.definitions()


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


@pytest.fixture
def other_mixes(tiny: Project) -> Iterator[None]:
    """A test that loads definitions with other mixes; those of the tiny project follow it."""
    yield
    tiny.definitions()


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
        asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
        partition_key=partition,
        run_config={
            "resources": {"project": {"config": {"profile": str(project.profile)}}},
            "ops": ops or {},
        },
        raise_on_error=False,
    )


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def message_of(result: dg.ExecuteInProcessResult) -> str:
    """What the only failed step says."""
    (failure,) = result.get_step_failure_events()
    error = failure.step_failure_data.error
    assert error is not None
    return str(error.cause.message if error.cause else error.message)


def test_mix_waits_with_the_guard_s_words_and_is_not_retried(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMIX_MIX__ACCEPT", "[]")
    before = project.store.fingerprint(project.store.root / RULE)
    with project.instance() as instance:
        result = make(project, instance, RULE)
    assert not result.success
    message = message_of(result)
    assert "regressor_learned_something: the regressor is no better than a constant" in message
    assert "mix.accept" in message
    assert not result.get_step_success_events()
    assert project.store.fingerprint(project.store.root / RULE) == before


def test_number_of_tokens_is_met_and_the_manifest_says_so(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = project.store
    tokens = int(read_manifest(store, MIX)["totals"]["n_tokens_out"] * 0.6)
    monkeypatch.setenv("QUADMIX_MIXES", f'[{{"method": "quadmix", "tokens": {tokens}}}]')
    with project.instance() as instance:
        result = make(project, instance, RULE)
        assert result.success
        (event,) = result.asset_materializations_for_node(RULE.replace("/", "__"))
        assert event.metadata["tokens"].value == tokens
        assert event.metadata["objective"].value == "planted"
        assert event.metadata["accepted_guards"].value == "regressor_learned_something"
        for shard in SHARDS:
            assert make(project, instance, DOCUMENTS, partition=shard).success
        made = make(project, instance, MANIFEST)
    manifest = read_manifest(store, MIX)
    assert manifest["tokens"] == tokens
    assert manifest["totals"]["n_tokens_out"] == sum(manifest["expected_tokens"])
    assert 0.98 * tokens < manifest["totals"]["n_tokens_out"] <= tokens
    assert checks(made)["mix_is_current"].passed
    assert checks(made)["manifest_is_complete"].passed
    assert checks(made)["mix_meets_its_constraints"].passed


@pytest.mark.usefixtures("other_mixes")
def test_every_mix_has_its_true_parents_and_a_group(tmp_path: Path) -> None:
    mixes = [
        "quadmix",
        {"method": "random", "export": "parquet"},
        {"method": "top_k", "criterion": "importance", "tokens": 5_000},
        {"method": "proportional", "tokens": "top_k"},
    ]
    graph = Project(tmp_path, mixes=mixes).definitions().resolve_asset_graph()

    def parents(asset: str) -> set[str]:
        node = graph.get(dg.AssetKey.from_user_string(asset))
        return {key.to_user_string() for key in node.parent_keys}

    pool = "scored_reference_pool"
    assert parents("mixes/quadmix/selection_rule") == {pool, "score_normalizers", "verification"}
    assert parents("mixes/random/selection_rule") == {pool, RULE}
    assert parents("mixes/top_k/selection_rule") == {pool}
    assert parents("mixes/proportional/selection_rule") == {pool, "mixes/top_k/selection_rule"}
    scored = {"scored_shards", "domain_labels"}
    assert parents("mixes/quadmix/final_mix") == {
        *scored,
        *(RULE, "score_normalizers", "raw_shards"),
    }
    assert parents("mixes/random/final_mix") == {
        *scored,
        *("mixes/random/selection_rule", "raw_shards"),
    }
    assert parents("mixes/top_k/final_mix") == {*scored, "mixes/top_k/selection_rule"}
    assert parents("mixes/quadmix/mix_manifest") == {
        *(DOCUMENTS, "input_listing", "optimum_check"),
    }
    assert parents("mixes/top_k/mix_manifest") == {"mixes/top_k/final_mix", "input_listing"}
    for mix in ("quadmix", "random", "top_k", "proportional"):
        for what in ("selection_rule", "final_mix", "mix_manifest"):
            key = dg.AssetKey(["mixes", mix, what])
            assert graph.get(key).group_name == f"mix_{mix}"
    followed = [
        key.path[1]
        for key in graph.materializable_asset_keys
        if key.path[-1] == "final_mix" and graph.get(key).automation_condition
    ]
    assert followed == ["quadmix"]


@pytest.mark.usefixtures("other_mixes")
def test_a_mix_that_is_not_followed_says_that_it_is_behind(tmp_path: Path, tiny: Project) -> None:
    """And what to click; the same mix, in production, says what to materialise."""
    project = tiny.copy(tmp_path / "copy")
    profile = yaml.safe_load(project.profile.read_text())
    other = {"method": "best_measured", "name": "other"}
    words = {}
    for production in ("quadmix", "other"):
        profile |= {"mixes": ["quadmix", other], "production": production}
        project.profile.write_text(yaml.safe_dump(profile))
        put_raw(project.store, "new.jsonl", [{"id": "new", "text": "words"}])
        definitions = project.definitions()
        with project.instance() as instance:
            instance.add_dynamic_partitions("shard", ["new.jsonl"])
            result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey.from_user_string(MANIFEST)],
                raise_on_error=False,
            )
        found = checks(result)
        assert not found["mix_is_current"].passed
        words[production] = str(found["mix_is_current"].description)
        assert "shards without a mix: new.jsonl" in words[production]
        assert found["manifest_is_complete"].passed == (production == "other")
    assert "from mixes/quadmix/selection_rule on" in words["quadmix"]
    assert "launch the job make_mixes with mixes: [quadmix]" in words["other"]


def test_every_entry_leads_to_its_run_and_the_run_leads_back(project: Project) -> None:
    store, settings = project.store, project.settings
    links = read_links(store, MIX)
    fingerprint = store.fingerprint(store.root / MANIFEST)
    assert (
        store.read_json(store.path(mix_output(MIX, MIX_LINKS), "links.json"))[MIX_MANIFEST]
        == fingerprint
    )
    expected: set[tuple[str, str | None]] = {(DOCUMENTS, shard) for shard in SHARDS}
    expected |= {(SCORED_SHARDS, shard) for shard in SHARDS}
    expected |= {(PROXY_METRICS, f"batch-{n:05d}") for n in range(2)}
    expected |= {(RULE, None), ("tokenizer", None), ("regressor", None)}
    assert expected <= set(links)
    assert {asset for asset, _ in links} <= set(linked_assets(settings, settings.production_mix))
    with project.instance() as instance:
        for (asset, partition), link in links.items():
            run = instance.get_run_by_id(link.run_id)
            assert run is not None
            assert run.tags[MANIFEST_TAG] == fingerprint
            record = instance.fetch_materializations(
                dg.AssetRecordsFilter(
                    dg.AssetKey.from_user_string(asset),
                    asset_partitions=[partition] if partition else None,
                ),
                limit=1,
            ).records[0]
            assert (record.run_id, record.storage_id) == (link.run_id, link.event)
        (event,) = instance.fetch_materializations(
            dg.AssetKey.from_user_string(MANIFEST), limit=1
        ).records
        assert event.asset_materialization is not None
        table = str(event.asset_materialization.metadata["links"].value)
    link = links[PROXY_METRICS, "batch-00001"]
    assert f"(/runs/{link.run_id})" in table
    assert "(/assets/proxy_metrics?view=partitions&partition=batch-00001)" in table


def test_same_mix_has_the_same_manifest_and_links_to_the_newer_runs(project: Project) -> None:
    store = project.store
    with project.instance() as instance:
        make(project, instance, MANIFEST)
        fingerprint = store.fingerprint(store.root / MANIFEST)
        before = read_links(store, MIX)
        again = make(project, instance, DOCUMENTS, partition=SHARDS[0])
        made = make(project, instance, MANIFEST)
        tags = instance.get_run_by_id(again.run_id).tags  # type: ignore[union-attr]
    assert store.fingerprint(store.root / MANIFEST) == fingerprint
    assert tags[MANIFEST_TAG] == fingerprint
    now = read_links(store, MIX)
    changed = {key for key in now if now[key] != before.get(key)}
    assert changed == {(DOCUMENTS, SHARDS[0])}
    assert now[DOCUMENTS, SHARDS[0]].run_id == again.run_id
    assert made.success


def test_what_has_changed_is_named_by_the_check(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUADMIX_SEARCH__TOP", "3")
    wanted = dg.AssetCheckKey(dg.AssetKey.from_user_string(MANIFEST), "mix_is_current")
    (check,) = (c for c in mix_checks(project.settings) if wanted in c.check_keys)
    with project.instance() as instance:
        instance.delete_dynamic_partition("shard", SHARDS[2])
        found = check(
            dg.build_asset_check_context(instance=instance),
            ProjectResource(profile=str(project.profile)),
        )
    assert isinstance(found, dg.AssetCheckResult)
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert f"shards that are gone: {SHARDS[2]}" in str(found.description)
    assert "settings that differ: search.top: 10 → 3" in str(found.description)
