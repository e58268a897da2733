"""The comparison by models in the UI, on results that were not made by the graph."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from quadmix_assets.comparison.comparison_tables import read_comparison_tables
from quadmix_assets.outputs import COMPARISON_TABLE
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.comparison.measured_mixes import PROFILE, WORSE, put_measured
from quadmix_assets_tests.conftest import definitions_of, write_profile


class Compared:
    """A profile whose mixes were measured, and the comparison of them."""

    def __init__(self, folder: Path, worse: dict[str, float], **evidence: Any) -> None:
        profile = {**PROFILE, "evidence": {**PROFILE["evidence"], **evidence}}
        self.profile = write_profile(folder, **profile)
        self.settings: Settings = load_settings(self.profile)
        self.store = Store(self.settings.resolve(self.settings.lake))
        put_measured(self.store, worse, budgets=self.settings.evidence.budgets)
        definitions = definitions_of(self.profile)
        job = definitions.resolve_implicit_global_asset_job_def()
        self.result = job.execute_in_process(
            asset_selection=[dg.AssetKey(COMPARISON_TABLE)],
            run_config={
                "resources": {"project": {"config": {"profile": str(self.profile)}}},
            },
            raise_on_error=False,
        )

    @property
    def metadata(self) -> dict[str, Any]:
        (event,) = self.result.asset_materializations_for_node(COMPARISON_TABLE)
        return {name: value.value for name, value in event.metadata.items()}

    @property
    def checks(self) -> dict[str, dg.AssetCheckEvaluation]:
        return {each.check_name: each for each in self.result.get_asset_check_evaluations()}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    return Compared(tmp_path_factory.mktemp("compared"), WORSE)


def test_tables_and_figures_are_on_the_asset(compared: Compared) -> None:
    assert compared.result.success
    metadata = compared.metadata
    assert metadata["n_mixes"] == len(WORSE)
    assert "quadmix, in production" in metadata["sizes"]
    assert "theta_only (quadmix_paper)" in metadata["by loss on held-out sets"]
    assert "QuaDMix-BMK" in metadata["published (530M parameters, RefinedWeb, %)"]
    for name in ("gains", "win_rates", "ranks_by_budget"):
        assert metadata[name].startswith(f"![{name}](data:image/png")
    assert read_comparison_tables(compared.store).methods.height == len(WORSE)


def test_the_best_come_first(compared: Compared) -> None:
    lines = compared.metadata["by loss on held-out sets"].splitlines()[2:]
    names = [line.split("|")[1].split()[0].strip(",") for line in lines]
    assert names == list(WORSE)
    assert "± " in lines[0]


def test_checks_pass_where_production_is_best_at_both_budgets(compared: Compared) -> None:
    checks = compared.checks
    assert checks["budgets_agree"].passed
    assert "1.00" in (checks["budgets_agree"].description or "")
    simple = checks["production_beats_the_simple_ones"]
    words = simple.description or ""
    assert simple.passed, words
    for other in ("random", "top"):
        for measure in ("objective planted", "loss on held-out sets"):
            assert f"nats against {other} by {measure}" in words


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    worse = {name: amount for name, amount in WORSE.items() if name != "top"}
    metadata = Compared(tmp_path, worse).metadata
    assert metadata["n_mixes"] == len(worse)
    assert metadata["not_finished"] == "top"


def test_checks_fail_in_words(tmp_path: Path) -> None:
    """A single budget, and a criterion alone that is better."""
    worse = {**WORSE, "top": -0.2}
    checks = Compared(tmp_path, worse, budgets=[4_000]).checks
    budgets = checks["budgets_agree"]
    assert not budgets.passed and "evidence.budgets" in (budgets.description or "")
    simple = checks["production_beats_the_simple_ones"]
    assert not simple.passed and "is worse" in (simple.description or "")
    assert simple.severity == dg.AssetCheckSeverity.WARN


def test_without_results_it_says_what_to_make(tmp_path: Path) -> None:
    found = Compared(tmp_path, {})
    assert not found.result.success
    (failed,) = [event for event in found.result.all_events if event.is_step_failure]
    assert "no finished mix was measured" in str(failed.step_failure_data.error)


def test_a_profile_without_evidence_has_no_such_asset(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, evidence={"enabled": False})
    graph = definitions_of(profile).resolve_asset_graph()
    assert dg.AssetKey(COMPARISON_TABLE) not in graph.get_all_asset_keys()
