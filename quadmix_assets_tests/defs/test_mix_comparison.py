"""Mixes side by side and their differences in the UI, on a lake that is not made by the graph."""

import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from quadmix_assets.cli import main
from quadmix_assets.comparison.mix_tables import read_comparison
from quadmix_assets.mix.selections import read_mix
from quadmix_assets.mix.versions import list_versions
from quadmix_assets.outputs import MIX_COMPARISON
from quadmix_assets.settings import FROZEN_VARIABLE, Settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import definitions_of
from quadmix_assets_tests.mix.explained import (
    DOMAIN_MIX,
    THETA_MIX,
    fill,
    mix_all,
    put_rule,
    settings_of,
    theta_of,
    theta_rule,
)
from quadmix_assets_tests.mix.test_version_rule import finish


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compared")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Settings:
    return settings_of(folder)


@pytest.fixture(scope="module")
def store(settings: Settings) -> Store:
    """Two finished mixes, of which one has a version of yesterday, and one that is not made."""
    store = Store(settings.resolve(settings.lake))
    fill(store, settings)
    for mix in (THETA_MIX, DOMAIN_MIX):
        finish(store, settings, mix)
    theta = theta_of(settings)
    smaller = theta._replace(omega=0.5 * theta.omega)
    put_rule(store, settings, THETA_MIX, theta_rule(store, settings, smaller))
    mix_all(store, settings, THETA_MIX)
    finish(store, settings, THETA_MIX)
    return store


@pytest.fixture(scope="module")
def definitions(folder: Path, store: Store) -> dg.Definitions:
    return definitions_of(folder / "explained.yaml")


def executed(
    definitions: dg.Definitions, folder: Path, job: dg.JobDefinition, **options: Any
) -> dg.ExecuteInProcessResult:
    profile = {"project": {"config": {"profile": str(folder / "explained.yaml")}}}
    config = {"resources": profile, "ops": options.pop("ops", {})}
    return job.execute_in_process(run_config=config, raise_on_error=False, **options)


def test_finished_mixes_are_compared(
    definitions: dg.Definitions, folder: Path, store: Store
) -> None:
    result = executed(
        definitions,
        folder,
        definitions.resolve_implicit_global_asset_job_def(),
        asset_selection=[dg.AssetKey(MIX_COMPARISON)],
    )
    assert result.success
    (event,) = result.asset_materializations_for_node(MIX_COMPARISON)
    assert event.metadata["n_mixes"].value == 2
    for name in ("mixes", "details", "domain_shares", "mean_scores", "overlaps", "settings"):
        assert event.metadata[name].value, name
    made = read_comparison(store)
    assert made.mixes["mix"].to_list() == [THETA_MIX, DOMAIN_MIX]
    assert made.mixes["version"].to_list() == [
        read_mix(store, mix).version for mix in (THETA_MIX, DOMAIN_MIX)
    ]


def test_parents_are_the_manifests_of_all_mixes(
    definitions: dg.Definitions, settings: Settings
) -> None:
    graph = definitions.resolve_asset_graph()
    parents = {key.to_user_string() for key in graph.get(dg.AssetKey(MIX_COMPARISON)).parent_keys}
    manifests = {f"mixes/{name}/mix_manifest" for name in settings.mix_names}
    assert parents == {*manifests, "scored_shards", "target_overlap"}


def test_two_mixes_are_compared_by_a_job(
    definitions: dg.Definitions, folder: Path, store: Store
) -> None:
    versions = {each.is_present: each.version for each in list_versions(store, THETA_MIX)}
    before = f"{THETA_MIX}@{versions[False][:6]}"
    result = executed(
        definitions,
        folder,
        definitions.resolve_job_def("compare_two_mixes"),
        ops={"compare_documents_of_mixes": {"config": {"before": before, "after": THETA_MIX}}},
    )
    assert result.success
    (output,) = [event for event in result.all_events if event.event_type_value == "STEP_OUTPUT"]
    shown: dict[str, Any] = {
        name: value.value for name, value in output.step_output_data.metadata.items()
    }
    assert shown["before"] == f"{THETA_MIX}@{versions[False]}"
    assert shown["after"] == f"{THETA_MIX}@{versions[True]}"
    assert shown["n_lost"] > 0
    # Half the omega takes nothing that the whole one left.
    assert shown["n_gained"] == 0
    assert "beyond omega" in shown["difference"]
    assert "text" in shown["difference"]


@pytest.mark.parametrize(
    ("before", "words"),
    [("", "two mixes are needed"), ("nobody", "no finished mix 'nobody'; there are:")],
)
def test_a_mix_that_is_not_there_is_said(
    definitions: dg.Definitions, folder: Path, before: str, words: str
) -> None:
    result = executed(
        definitions,
        folder,
        definitions.resolve_job_def("compare_two_mixes"),
        ops={"compare_documents_of_mixes": {"config": {"before": before, "after": THETA_MIX}}},
    )
    assert not result.success
    (failure,) = [each for each in result.all_events if each.event_type_value == "STEP_FAILURE"]
    assert words in str(failure.step_failure_data)


def command(folder: Path, *arguments: str) -> int:
    os.environ.pop(FROZEN_VARIABLE, None)
    return main(["--profile", str(folder / "explained.yaml"), *arguments])


def test_the_command_says_the_same(
    folder: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(folder, "diff", THETA_MIX, DOMAIN_MIX, "--examples", "2") == 0
    shown = capsys.readouterr().out
    assert f"{THETA_MIX}@" in shown and f"{DOMAIN_MIX}@" in shown
    gained = shown.split("gained: in ")[1].split("\n\n")[0].splitlines()
    assert gained[0].endswith(" documents)") and "(2 of " in gained[0]
    assert f"why, by the rule of {DOMAIN_MIX}" in gained[1]
    assert len(gained) == 4
    assert all("0 → " in line and "draw " in line for line in gained[2:])
    assert command(folder, "diff", THETA_MIX, THETA_MIX) == 0
    assert "Both have the same documents" in capsys.readouterr().out
    assert command(folder, "diff", THETA_MIX, "nobody") == 2
    assert "no finished mix 'nobody'" in capsys.readouterr().err


def test_versions_are_listed_and_removed(
    folder: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last test of this file: it removes yesterday's version."""
    old, now = (
        next(each for each in list_versions(store, THETA_MIX) if each.is_present == is_now)
        for is_now in (False, True)
    )
    assert command(folder, "versions") == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in (old.version, now.version, DOMAIN_MIX, "the mix now"))
    assert command(folder, "versions", THETA_MIX) == 0
    assert DOMAIN_MIX not in capsys.readouterr().out
    assert command(folder, "versions", THETA_MIX, "--remove", now.version) == 2
    assert "is what the mix 'quadmix' is now" in capsys.readouterr().err
    digits = old.version[:6]
    assert command(folder, "versions", THETA_MIX, "--remove", digits, "--dry-run") == 0
    assert f"removing {THETA_MIX}@{old.version} would free" in capsys.readouterr().out
    assert len(list_versions(store, THETA_MIX)) == 2
    assert command(folder, "versions", "--remove", digits) == 2
    assert "name the mix too" in capsys.readouterr().err
    assert command(folder, "versions", THETA_MIX, "--remove", digits) == 0
    freed = old.n_bytes_own / 1e6
    assert f"removed {THETA_MIX}@{old.version}, {freed:,.2f} MB freed" in capsys.readouterr().out
    assert [each.version for each in list_versions(store, THETA_MIX)] == [now.version]
    assert command(folder, "versions", THETA_MIX, "--remove", digits) == 2
    assert "no kept version" in capsys.readouterr().err
    assert command(folder, "versions", "nobody") == 2
