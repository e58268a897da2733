"""Mixes by methods that search or train: what they add to a project, and what they take."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
import yaml

from quadmix_assets.features.scored_reference_pool import read_scored_reference_pool
from quadmix_assets.mix.fit_rule import fit_rule
from quadmix_assets.mix.methods.domain_rule import DomainRule
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.pool import read_documents
from quadmix_assets.outputs import CLIMB_PROXIES, DOMAIN_PROXIES, OPTIMAL_PARAMS, mix_output
from quadmix_assets.proxies.domain_proxies import read_domain_proxies, weight_columns
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.search.climb import climb_path
from quadmix_assets.search.objective import objective_losses
from quadmix_assets.search.optimum import read_paper
from quadmix_assets.settings import SettingsError, settings_used
from quadmix_assets.store import MissingOutputError
from quadmix_assets_tests.conftest import Project, definitions_of, instance_in
from quadmix_assets_tests.settings import test_traced
from quadmix_assets_tests.settings.reads import recorded_reads

OWN = mix_output("two_criteria", OPTIMAL_PARAMS)
CLIMB = mix_output("climb", CLIMB_PROXIES)
MIXES: list[dict[str, Any]] = [
    {"method": "quadmix"},
    {"method": "quadmix_paper"},
    {"method": "best_measured"},
    {"method": "quadmix", "name": "two_criteria", "criteria_off": ["heuristics"]},
    {"method": "regmix", "n_points": 500, "top": 20},
    {"method": "climb", "n_points": 500, "rounds": [3, 2], "shortlist": 20},
]
N, POOL_SHARE = 12, 0.2


def with_mixes(project: Project, mixes: list[dict[str, Any]]) -> None:
    """Entries in the settings."""
    profile = yaml.safe_load(project.profile.read_text())
    profile["mixes"] = mixes
    profile["proxies"]["domain_weights"] = {"n": N, "pool_share": POOL_SHARE}
    project.profile.write_text(yaml.safe_dump(profile))


def materialise(project: Project, *assets: str, ok: bool = True) -> dg.ExecuteInProcessResult:
    job = definitions_of(project.profile).resolve_implicit_global_asset_job_def()
    with instance_in(project.folder / "dagster"), dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
            run_config={"resources": {"project": {"config": {"profile": str(project.profile)}}}},
            raise_on_error=False,
        )
    assert result.success == ok
    return result


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    key = dg.AssetKey.from_user_string(asset)
    (found,) = (
        event.step_materialization_data.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == key
    )
    return {name: value.value for name, value in found.metadata.items()}


@pytest.fixture(scope="module")
def made(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished project with further mixes in its settings."""
    project = tiny.copy(tmp_path_factory.mktemp("mixes") / "copy")
    with_mixes(project, MIXES)
    return project


@pytest.fixture(scope="module", autouse=True)
def run(made: Project) -> dg.ExecuteInProcessResult:
    """The run that made what these mixes search and train."""
    return materialise(made, DOMAIN_PROXIES, OWN, CLIMB)


def test_assets_are_there_only_where_a_mix_needs_them(made: Project, tiny: Project) -> None:
    def keys(project: Project) -> set[str]:
        graph = definitions_of(project.profile).resolve_asset_graph()
        return {key.to_user_string() for key in graph.get_all_asset_keys()}

    assert not {DOMAIN_PROXIES, OWN, CLIMB} & keys(tiny)
    assert keys(made) >= {DOMAIN_PROXIES, OWN, CLIMB}
    graph = definitions_of(made.profile).resolve_asset_graph()

    def parents(asset: str) -> set[str]:
        node = graph.get(dg.AssetKey.from_user_string(asset))
        return {key.to_user_string() for key in node.parent_keys}

    assert parents(OWN) == {"regressor", "proxy_pool"}
    assert parents(CLIMB) == {DOMAIN_PROXIES, "proxy_pool", "target_sets", "tokenizer"}
    size = mix_output("quadmix", "selection_rule")
    scores = "scored_reference_pool"
    assert parents("mixes/regmix/selection_rule") == {scores, DOMAIN_PROXIES, size}
    assert parents("mixes/climb/selection_rule") == {scores, DOMAIN_PROXIES, CLIMB, size}
    assert graph.get(dg.AssetKey.from_user_string(CLIMB)).group_name == "mix_climb"


def test_proxies_of_domain_weights_are_trained_on_their_weights(made: Project) -> None:
    store, settings = made.store, made.settings
    table = store.read_table(store.table_path(DOMAIN_PROXIES))
    weights = table.select(weight_columns(settings.domain_names)).to_numpy()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert table["mixture_id"].to_list() == list(range(N))
    assert (table["status"] == "trained").all()
    assert table["loss_nats"].n_unique() == N
    pool = store.read_table(store.root / "proxy_pool" / "documents.parquet")
    asked = POOL_SHARE * int(pool["n_tokens"].sum())
    np.testing.assert_allclose(table["n_tokens_sample"].to_numpy(), asked, rtol=0.3)
    assert not (store.root / f"{DOMAIN_PROXIES}_unfinished").exists()


def test_other_inputs_make_their_losses_stale(
    made: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_domain_proxies(made.store, made.settings).n_failed == 0
    monkeypatch.setenv("QUADMIX_PROXIES__TRAINING__LEARNING_RATE", "0.001")
    with pytest.raises(MissingOutputError, match="materialise the asset 'domain_proxies' again"):
        read_domain_proxies(made.store, made.settings)


def test_made_again_they_are_the_same_bytes(made: Project) -> None:
    store = made.store
    paths = [store.table_path(DOMAIN_PROXIES), climb_path(store, "climb")]
    before = [path.read_bytes() for path in paths]
    materialise(made, DOMAIN_PROXIES, CLIMB)
    assert [path.read_bytes() for path in paths] == before


def test_rounds_of_climb_go_on_where_they_were(made: Project, tmp_path: Path) -> None:
    project = made.copy(tmp_path / "copy")
    store = project.store
    path = climb_path(store, "climb")
    table = store.read_table(path)
    assert table.group_by("round").agg(pl.len()).sort("round").rows() == [(1, 3), (2, 2)]
    assert table["mixture_id"].to_list() == list(range(12, 17))
    before, version = path.read_bytes(), store.summary(path)
    # As it was left when it was killed after the first round.
    first = table.filter(round=1)
    marked = first.with_columns(loss_nats=pl.lit(0.5))
    store.remove_folder(store.root / CLIMB)
    store.write_table(store.root / f"{CLIMB}_unfinished" / "round-1.parquet", marked, version)
    materialise(project, CLIMB)
    again = store.read_table(path)
    assert again.filter(round=1)["loss_nats"].to_list() == [0.5] * 3, "not trained again"
    assert not (store.root / f"{CLIMB}_unfinished").exists()
    # A round of other inputs is trained again.
    store.write_table(store.root / f"{CLIMB}_unfinished" / "round-1.parquet", marked, {})
    materialise(project, CLIMB)
    assert path.read_bytes() == before


def test_theta_of_a_mix_alone_keeps_its_constraints_and_is_not_measured(
    made: Project, run: dg.ExecuteInProcessResult
) -> None:
    store, settings = made.store, made.settings
    off = settings.criterion_names.index("heuristics")
    rule = fit_rule(store, settings, "two_criteria")
    assert isinstance(rule.rule, ThetaRule)
    assert (rule.rule.theta.alpha[:, off] == 0).all()
    np.testing.assert_allclose(rule.rule.theta.alpha.sum(axis=1), 1.0)
    assert rule.prediction is not None
    assert rule.prediction["measured"] is None
    metadata = shown(run, OWN)
    assert "not measured" in metadata["theta_star"]
    assert metadata["constraints"]["criteria_off"] == ["heuristics"]
    stored = store.read_json(store.path(OWN, "planted.json"))
    assert stored["prediction"]["predicted"] == metadata["predicted"]
    # theta* of all mixes stays what it was.
    common = fit_rule(store, settings, "quadmix")
    assert isinstance(common.rule, ThetaRule)
    assert (common.rule.theta.alpha[:, off] > 0).any()


def test_the_papers_theta_and_the_best_measured_one_make_mixes(made: Project) -> None:
    store, settings = made.store, made.settings
    paper = fit_rule(store, settings, "quadmix_paper")
    assert isinstance(paper.rule, ThetaRule)
    theta, _ = read_paper(store, settings, "planted")
    assert paper.rule.theta.omega.tobytes() == theta.omega.tobytes()
    evidence = read_evidence(store, settings)
    measured = objective_losses(evidence.metrics, settings.objectives[0])
    least = min(range(len(measured)), key=lambda k: measured[k])
    best = fit_rule(store, settings, "best_measured")
    assert isinstance(best.rule, ThetaRule)
    assert best.rule.theta.omega.tobytes() == evidence.parameters[least].omega.tobytes()
    assert best.prediction is not None
    assert best.prediction["best_proxy_measured"] == measured.min()


@pytest.mark.parametrize("name", ["regmix", "climb"])
def test_domain_weights_make_a_mix_of_the_size_of_production(made: Project, name: str) -> None:
    store, settings = made.store, made.settings
    size = int(fit_rule(store, settings, "quadmix").expected_tokens.sum())
    fitted = fit_rule(store, settings, name)
    assert isinstance(fitted.rule, DomainRule)
    mix = settings.mix_named(name)
    pool = read_documents(store, read_scored_reference_pool(store), settings, mix)
    copies = fitted.rule.decide(pool).copies
    taken = int((copies * pool.n_tokens).sum())
    assert taken == fitted.expected_tokens.sum()
    assert size - pool.n_tokens.max() < taken <= size
    # Shares of the mix are the weights, but for single documents.
    assert fitted.prediction is not None
    by_domain = fitted.prediction["weights"]
    weights = np.array([by_domain[domain] for domain in settings.domain_names])
    assert weights.sum() == pytest.approx(1.0)
    longest = pool.n_tokens.max()
    assert np.abs(fitted.expected_tokens - weights * size).max() <= longest


def test_settings_that_cannot_be_met_are_refused(made: Project, tmp_path: Path) -> None:
    project = made.copy(tmp_path / "copy")
    for method, words in (
        ({"method": "regmix", "top": 20, "n_points": 10}, "top is 20, more than n_points"),
        ({"method": "climb", "shortlist": 4, "rounds": [8]}, "shortlist is 4; expected from"),
        ({"method": "quadmix", "criteria_off": ["nothing"]}, "'nothing'"),
    ):
        with_mixes(project, [method])
        with pytest.raises(SettingsError, match=words):
            _ = project.settings


_MIXES_LOOKED_UP = {f"mixes[{mix.get('name', mix['method'])}].name" for mix in MIXES}
_OF_THE_RECIPE = {
    *("proxies.training.*", "proxies.target_epochs", "proxies.max_document_share"),
    "proxies.max_target_tokens",
}
# Read, and of no effect on what is made: the axes of the proxy pool and losses have a version.
READ_BESIDES = {
    DOMAIN_PROXIES: {"features.criteria*"},
    CLIMB: {"features.criteria*", "mixes[climb].*"},
    OWN: {*_OF_THE_RECIPE, "search.constraints.*", "mixes[two_criteria].*"},
    "mixes/regmix/selection_rule": {
        *_OF_THE_RECIPE,
        *("features.criteria*", "features.max_unknown_share", "proxies.domain_weights.n"),
        # Whose size it has, and whether it is made.
        *("production", "mixes[quadmix].*", "mixes[regmix].*", "mix.accept"),
        "search.constraints.*",
    },
}


@pytest.mark.parametrize("asset", READ_BESIDES)
def test_no_other_settings_are_read_than_are_declared(
    made: Project, asset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = made.definitions()
    with recorded_reads(monkeypatch) as reads:
        test_traced.materialize(made, definitions, asset)
    declared = set(settings_used(made.settings, asset))
    allowed = {*test_traced.WITHOUT_EFFECT, *READ_BESIDES[asset]}
    undeclared = {
        path
        for path in reads.paths - _MIXES_LOOKED_UP
        if not test_traced.is_declared(path, declared)
        and not any(fnmatchcase(path, pattern.replace("[", "[[]")) for pattern in allowed)
    }
    assert reads.paths
    assert undeclared == set()
