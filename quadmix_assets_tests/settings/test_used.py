from pathlib import Path
from typing import Any

import pytest
import yaml

from quadmix_assets.settings import (
    PROFILES_FOLDER,
    Settings,
    assets_with_settings,
    load_settings,
    settings_hash,
    settings_used,
)
from quadmix_assets_tests.conftest import write_profile

RULE, DOCUMENTS, MANIFEST = (
    f"mixes/quadmix/{what}" for what in ("selection_rule", "final_mix", "mix_manifest")
)
TRAINING = {
    *("proxy_metrics", "proxy_repeats", "refinement", "verification", "optimum_check"),
}
MEASURED = {*TRAINING, "proxy_evaluation"}
WITH_CRITERION_NAMES = {
    *("scored_shards", "score_normalizers", "score_report", "proxy_pool", "parameter_sets"),
    *("merged_ranks", "sampled_subset", "regressor", "refinement", "optimal_params"),
    *("optimum_check", "catalog", "report"),
    *("proxy_repeats", "verification", RULE, DOCUMENTS, MANIFEST),
}
WITH_SEED = {
    *("planted_corpus", "tokenizer", "target_sets", "fitted_models", "proxy_pool"),
    *("parameter_sets", "sampled_subset", "regressor", "optimal_params", RULE),
    *(MANIFEST, "report", *MEASURED),
}
OBJECTIVES = [
    {"name": "planted", "targets": {"planted": 1.0}},
    {"name": "other", "targets": {"planted": 1.0}, "scale": "zscore"},
]
CLASSIFIER = {"kind": "fasttext", "names": ["medicine", "law"]}
NETWORK = {"kind": "fineweb_edu", "model": "org/model"}


def settings(folder: Path, changes: dict[str, Any]) -> Settings:
    """The tiny profile with changes by path, such as {"mix.max_breakpoints": 500}."""
    path = write_profile(folder)
    profile = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        *above, name = key.split(".")
        section = profile
        for part in above:
            section = section.setdefault(part, {})
        section[name] = value
    path.write_text(yaml.safe_dump(profile))
    return load_settings(path)


def mix(**options: Any) -> dict[str, Any]:
    """The mix of the profile with these options."""
    return {"mixes": [{"method": "quadmix", **options}]}


def affected(folder: Path, before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The assets whose hash the change from `before` to `before | after` changes."""
    old, new = settings(folder / "a", before), settings(folder / "b", before | after)
    return {
        asset
        for asset in assets_with_settings(old)
        if settings_hash(old, asset) != settings_hash(new, asset)
    }


@pytest.mark.parametrize(
    ("change", "assets"),
    [
        # What is computed elsewhere or faster, and what only checks, sensors and the UI read.
        ({"owner": "team:other", "lake": "elsewhere"}, set()),
        ({"automation.enabled": False, "automation.shards_per_run": 7}, set()),
        ({"corpus.raw": "elsewhere", "corpus.patterns": ["*.jsonl"]}, set()),
        ({"corpus.max_quarantine_share": 0.5, "corpus.max_target_overlap": 0.5}, set()),
        ({"features.max_drift": 0.5, "features.max_unknown_share": 0.1}, set()),
        ({"features.inference": {"device": "cpu", "batch_tokens": 9, "n_threads": 1}}, set()),
        ({"proxies.n_workers": 2, "proxies.stack_size": 3, "proxies.device": "cpu"}, set()),
        ({"execution": {"engine": "ray"}}, set()),
        ({"proxies.checkpoint_seconds": 5, "proxies.progress_seconds": 5}, set()),
        ({"proxies.compile": "off", "proxies.tensorboard": True}, set()),
        ({"proxies.compile": "on"}, MEASURED),
        ({"proxies.max_failed_share": 0.5}, set()),
        # One setting, the assets that read it.
        ({"corpus.planted.n_documents": 901}, {"planted_corpus"}),
        ({"corpus.max_text_bytes": 1_000}, {"raw_shards"}),
        ({"corpus.id_column": "id"}, {"raw_shards"}),
        ({"corpus.source_column": None}, {"raw_shards"}),
        ({"tokenizer.vocab_size": 600}, {"tokenizer"}),
        ({"targets": [{"name": "planted", "fit_share": 0.4}]}, {"target_sets"}),
        ({"targets": [{"name": "planted", "max_documents": 9}]}, {"target_sets"}),
        ({"targets": [{"name": "planted", "proof_share": 0.4}]}, {"target_sets"}),
        ({"targets": [{"name": "planted", "mask_template": False}]}, {"target_sets"}),
        ({"features.normalizer": {"max_breakpoints": 50}}, {"score_normalizers"}),
        ({"features.domains": CLASSIFIER | {"epochs": 9}}, {"fitted_models", "domain_labels"}),
        ({"proxies.pool_tokens": 99_000}, {"proxy_pool"}),
        ({"proxies.batch_size": 4}, {"parameter_sets"}),
        ({"parameters.n": 12}, {"parameter_sets"}),
        ({"parameters.omega_max": 0.4}, {"parameter_sets", "optimal_params"}),
        ({"proxies.training.learning_rate": 1e-3}, MEASURED),
        ({"proxies.max_target_tokens": 1_000}, MEASURED),
        ({"proxies.n_threads": 2}, MEASURED),
        ({"proxies.max_document_share": 0.1}, MEASURED),
        ({"proxies.target_epochs": 2.0}, MEASURED),
        ({"proxies.keep_weights_gb": 0.0}, set()),
        ({"proxies.training.n_tokens_per_proxy": 8_192}, MEASURED),
        ({"search.held_out_share": 0.3}, {"regressor"}),
        ({"search.compared": ["ridge_log"]}, {"regressor"}),
        ({"search.regressor": {"kind": "lightgbm", "n_leaves": 6}}, {"regressor"}),
        ({"search.regressor_inputs": "theta"}, {"regressor", "optimal_params"}),
        ({"search.n_threads": 2}, {"regressor", "optimal_params"}),
        ({"search.strategy": "cma_es"}, {"optimal_params"}),
        ({"search.n_points": 1_000}, {"optimal_params"}),
        ({"search.constraints.max_copies": 2.0}, {"optimal_params"}),
        ({"search.constraints.domains": {"law": {"off": True}}}, {"optimal_params"}),
        ({"search.stay_within_evidence": False}, {"optimal_params"}),
        ({"proxies.repeats": 2}, {"proxy_repeats"}),
        ({"search.check_seeds": 2}, {"optimum_check"}),
        (
            {"search.objectives": OBJECTIVES},
            {"optimal_params", "verification", "optimum_check", "report"},
        ),
        ({"search.verify.candidates": 3}, {"optimal_params", "verification"}),
        ({"search.verify.heats": [{"candidates": 4, "seeds": 2}]}, {"verification"}),
        ({"search.fidelity.n_thetas": 5}, {"proxy_fidelity"}),
        ({"search.refine.rounds": 1}, {"refinement"}),
        ({"search.refine.explore": 0.5}, set()),
        ({"search.constraints.budget": "scaled"}, set()),
        ({"search.constraints.mix_tokens": 9_999}, {"optimal_params", RULE}),
        ({"mix.max_breakpoints": 500}, {RULE}),
        ({"mix.export.format": "none"}, {DOCUMENTS}),
        ({"mix.accept": ["few_proxies_failed"]}, {MANIFEST, "report"}),
        ({"seed": 12_345}, WITH_SEED),
    ],
    ids=lambda value: next(iter(value), "none") if isinstance(value, dict) else "",
)
def test_exactly_the_affected_assets_change(
    tmp_path: Path, change: dict[str, Any], assets: set[str]
) -> None:
    before = {"features.domains": CLASSIFIER} if "features.domains" in change else {}
    assert affected(tmp_path, before, change) == assets


def criteria(*chosen: dict[str, Any]) -> dict[str, Any]:
    return {"features.criteria": list(chosen)}


FASTTEXT = {"kind": "target_fasttext", "target": "planted"}
HEURISTICS = {"kind": "heuristics"}


@pytest.mark.parametrize(
    ("before", "after", "assets"),
    [
        (
            criteria(FASTTEXT, HEURISTICS),
            criteria(FASTTEXT | {"epochs": 2}, HEURISTICS),
            {"fitted_models", "scored_shards", "catalog"},
        ),
        (
            criteria(FASTTEXT, HEURISTICS),
            criteria(HEURISTICS, FASTTEXT),
            WITH_CRITERION_NAMES,
        ),
        (
            criteria(FASTTEXT),
            criteria(FASTTEXT, HEURISTICS),
            {"fitted_models", *WITH_CRITERION_NAMES},
        ),
        (
            {"features.normalizer": {"kind": "zscore"}},
            {"features.normalizer": {"kind": "zscore", "max_breakpoints": 50}},
            set(),
        ),
        # How a network runs counts where one runs.
        (
            criteria(NETWORK),
            {"features.inference": {"precision": "bfloat16"}},
            {"fitted_models", "scored_shards"},
        ),
        (
            criteria(NETWORK),
            {"features.inference": {"engine": "openvino"}},
            {"scored_shards"},
        ),
        (
            criteria(NETWORK),
            {"features.inference": {"device": "cpu", "batch_tokens": 512}},
            set(),
        ),
        # A budget that theta* is only scaled to does not change the search.
        (
            {"search.constraints": {"budget": "scaled", "mix_tokens": 5_000}},
            {"search.constraints": {"budget": "scaled", "mix_tokens": 6_000}},
            {RULE},
        ),
        (
            {"search.constraints": {"budget": "scaled", "mix_tokens": 5_000}},
            {"search.constraints": {"budget": "searched", "mix_tokens": 5_000}},
            {"optimal_params"},
        ),
        # Further rounds follow the search once there are any.
        ({"search.refine.rounds": 1}, {"search.top": 3}, {"optimal_params", "refinement"}),
        ({"search.refine.rounds": 1}, {"search.refine.explore": 0.5}, {"refinement"}),
        ({"search.refine.rounds": 1}, {"parameters.n": 12}, {"parameter_sets", "refinement"}),
        # A named tokenizer is not trained.
        ({"tokenizer.source": "org/name"}, {"tokenizer.vocab_size": 600}, set()),
        # What stands for a default is the same as the default.
        ({}, mix(objective="planted"), set()),
        ({}, mix(follow=True, export="parquet"), set()),
        ({"search.constraints.mix_tokens": 9_999}, mix(tokens=9_999), set()),
        # What holds for one mix changes only this one.
        ({}, mix(tokens=9_999), {RULE}),
        ({}, mix(seed=3), {RULE, MANIFEST}),
        ({}, mix(export="none"), {DOCUMENTS}),
        (
            {"mixes": ["quadmix", "best_measured"]},
            {"mixes": ["quadmix", {"method": "best_measured", "tokens": 5}]},
            {"mixes/best_measured/selection_rule"},
        ),
        (
            {"search.objectives": []},
            {"search.objectives": [{"name": "all_targets", "targets": {"planted": 1.0}}]},
            set(),
        ),
        (
            {"search.objectives": OBJECTIVES, **mix(objective="planted")},
            mix(objective="other"),
            {RULE},
        ),
    ],
)
def test_what_other_settings_make_irrelevant_changes_nothing(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], assets: set[str]
) -> None:
    assert affected(tmp_path, before, after) == assets


@pytest.mark.parametrize("profile", sorted(path.stem for path in PROFILES_FOLDER.glob("*.yaml")))
def test_hashes_are_short_and_repeat(profile: str) -> None:
    chosen = load_settings(profile)
    for asset in assets_with_settings(chosen):
        first = settings_hash(chosen, asset)
        assert first == settings_hash(load_settings(profile), asset)
        assert len(first) == 8 and int(first, 16) >= 0


def test_near_duplicates_are_looked_for_only_if_asked(tmp_path: Path) -> None:
    stage = {"duplicate_signatures", "near_duplicates"}
    assert not stage & set(assets_with_settings(settings(tmp_path, {})))
    asked = settings(tmp_path, {"features.near_duplicates": {"enabled": True}})
    assert stage <= set(assets_with_settings(asked))


def test_assets_of_mixes_are_those_of_the_settings(tmp_path: Path) -> None:
    own = {"method": "quadmix", "name": "own", "criteria_off": ["heuristics"]}
    chosen = settings(tmp_path, {"mixes": ["best_measured", own]})
    names = assets_with_settings(chosen)
    assert len(set(names)) == len(names)
    assert [name for name in names if name.startswith("mixes/")] == [
        "mixes/best_measured/selection_rule",
        "mixes/best_measured/final_mix",
        "mixes/best_measured/mix_manifest",
        "mixes/own/optimal_params",
        "mixes/own/selection_rule",
        "mixes/own/final_mix",
        "mixes/own/mix_manifest",
    ]


def test_values_are_those_that_take_effect(tmp_path: Path) -> None:
    chosen = settings(tmp_path, {})
    assert settings_used(chosen, RULE)["mixes[quadmix].objective"] == "planted"
    assert settings_used(chosen, "optimal_params")["search.objectives[planted].scale"] == "nats"


def test_unknown_asset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="final_mixx"):
        settings_hash(settings(tmp_path, {}), "final_mixx")
