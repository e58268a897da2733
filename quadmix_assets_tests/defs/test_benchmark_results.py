"""Held-out sets and results of mixes as assets: what they show, and what their checks say."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import yaml

from quadmix_assets.evidence.language_model import train_language_models
from quadmix_assets.evidence.results import overlap_path, read_results
from quadmix_assets.settings import (
    Settings,
    assets_with_settings,
    load_settings,
    settings_hash,
    settings_used,
)
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import definitions_of
from quadmix_assets_tests.evidence.small_lake import put_sets, write_small_lake
from quadmix_assets_tests.lakes import write_lines
from quadmix_assets_tests.settings.reads import recorded_reads
from quadmix_assets_tests.settings.test_traced import WITHOUT_EFFECT, is_declared

pytestmark = pytest.mark.slow
RESULTS = "mixes/half/benchmark_results"
WITHOUT_EFFECT_ON = {
    "held_out_sets": {
        "evidence.enabled": "which assets there are",
        "evidence.held_out[*].text_column": "the text is made by the format",
        "proxies.max_target_tokens": "how many tokens are evaluated is shown, not stored",
        "targets*.name": "which sets texts are compared with, whose versions are upstream",
    },
    RESULTS: {
        "evidence.enabled": "which assets there are",
        "evidence.n_seeds": "which models there are, which are upstream",
        "corpus.max_target_overlap": "read by a check",
        "proxies.*": "of trainings of proxies, whose settings models share",
    },
}
TASK = {"name": "quiz_task", "path": "task.jsonl"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Store]:
    folder = tmp_path_factory.mktemp("results")
    questions = [
        {"question": f"which word is number {n}?", "choices": ["stone", "river"], "answer": n % 2}
        for n in range(8)
    ]
    write_lines(folder / "task.jsonl", questions)
    settings, store = write_small_lake(folder, tasks=[TASK], budgets=[512])
    train_language_models(store, settings, ["half"])
    return settings, store


def materialized(
    settings: Settings, *names: str, definitions: dg.Definitions | None = None
) -> dg.ExecuteInProcessResult:
    """Make assets with their checks, of the definitions of the profile."""
    definitions = definitions or definitions_of(settings.root / "tiny.yaml")
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [
                asset
                for asset in (*(definitions.assets or ()), *(definitions.asset_checks or ()))
                if isinstance(asset, dg.AssetsDefinition | dg.AssetSpec)
            ],
            selection=dg.AssetSelection.assets(*names),
            resources=definitions.resources,
            instance=instance,
            raise_on_error=False,
        )


def metadata_of(result: dg.ExecuteInProcessResult, name: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(name.replace("/", "__"))
    return {key: value.value for key, value in event.metadata.items()}


def test_results_are_shown_with_tables_and_a_figure(lake: tuple[Settings, Store]) -> None:
    settings, store = lake
    result = materialized(settings, "held_out_sets", RESULTS)
    assert result.success
    sets = metadata_of(result, "held_out_sets")
    assert "stories" in sets["sets"] and "quiz" in sets["sets"]
    assert sets["n_left_out"] == 0
    found = metadata_of(result, RESULTS)
    assert found["dagster/row_count"] == read_results(store, "half").height
    assert "quiz_task" in found["tasks"] and "stories" in found["losses"]
    assert found["losses_on_sets"].startswith("![losses_on_sets](data:image/png;base64,")
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    # One document of the held-out set stands in the pool, and the mix takes none.
    assert checks["held_out_sets_are_held_out"].passed
    assert "above_chance" in checks
    assert "1 tasks" in (checks["above_chance"].description or "")


def test_what_a_mix_holds_of_a_held_out_set_fails_the_check(lake: tuple[Settings, Store]) -> None:
    settings, store = lake
    assert materialized(settings, RESULTS).success
    profile = settings.root / "tiny.yaml"
    path = overlap_path(store, "half")
    whole = store.read_table(path)
    is_stories = pl.col("set") == "stories"
    definitions = definitions_of(profile)
    (check,) = (
        each
        for each in definitions.asset_checks or ()
        if str(each.check_key.name) == "held_out_sets_are_held_out"
        and each.check_key.asset_key == dg.AssetKey.from_user_string(RESULTS)
    )
    for n_in_mix, words in ((9, "the mix holds parts of stories (9 of 21"), (None, "compared")):
        store.write_table(
            path,
            whole.with_columns(
                n_in_mix=pl.when(is_stories).then(n_in_mix).otherwise("n_in_mix").cast(pl.Int64)
            ),
        )
        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize(
                [check],
                selection=dg.AssetSelection.checks(check),
                resources=definitions.resources,
                instance=instance,
                raise_on_error=False,
            )
        (found,) = result.get_asset_check_evaluations()
        assert not found.passed and found.severity == dg.AssetCheckSeverity.WARN
        assert words in (found.description or "")


@pytest.mark.parametrize("asset", ["held_out_sets", RESULTS])
def test_what_is_read_of_the_settings_is_declared(
    lake: tuple[Settings, Store], asset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = lake
    definitions = definitions_of(settings.root / "tiny.yaml")
    with recorded_reads(monkeypatch) as reads:
        assert materialized(settings, asset, definitions=definitions).success
    declared = set(settings_used(settings, asset))
    undeclared = {
        path
        for path in reads.paths
        if not is_declared(path, declared)
        and not any(
            fnmatchcase(path, pattern.replace("[", "[[]"))
            for pattern in (*WITHOUT_EFFECT, *WITHOUT_EFFECT_ON[asset])
        )
    }
    assert reads.paths
    assert not undeclared, "\n".join(sorted(undeclared))


def test_another_held_out_set_makes_no_model_stale(
    lake: tuple[Settings, Store], tmp_path: Path
) -> None:
    settings, _ = lake
    profile = yaml.safe_load((settings.root / "tiny.yaml").read_text())
    profile["evidence"]["held_out"].append({"name": "more", "path": "more.jsonl"})
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(profile))
    wider = load_settings(path)
    changed = {
        asset
        for asset in assets_with_settings(settings)
        if settings_hash(settings, asset) != settings_hash(wider, asset)
    }
    results = {f"mixes/{mix}/benchmark_results" for mix in ("all", "half")}
    # What gathers all results is behind too, and no model and no mix is.
    gathers = {"comparison_table", "report"}
    assert changed - gathers == {"held_out_sets", "target_overlap", *results}


def test_without_evidence_there_is_none_of_it(tmp_path: Path) -> None:
    settings, store = write_small_lake(tmp_path)
    put_sets(store, settings)
    path = settings.root / "tiny.yaml"
    profile = yaml.safe_load(path.read_text())
    profile["evidence"]["enabled"] = False
    path.write_text(yaml.safe_dump(profile))
    names = assets_with_settings(load_settings(path))
    assert "held_out_sets" not in names
    assert not any(name.endswith("benchmark_results") for name in names)
    graph = definitions_of(path).resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert "held_out_sets" not in keys
    assert not any(key.endswith("benchmark_results") for key in keys)
