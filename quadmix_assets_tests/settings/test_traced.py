"""What assets read of the settings while they run is what `settings_used` declares."""

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets.settings import (
    FROZEN_VARIABLE,
    assets_with_settings,
    load_settings,
    settings_used,
)
from quadmix_assets.whole_graph import graph_of
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.settings.reads import recorded_reads

# Read by any asset, and of no effect on the contents of what it makes.
WITHOUT_EFFECT = {
    "lake": "where outputs lie",
    "root": "where relative paths start",
    "profile": "part of paths and messages",
    "mixes[*].name": "part of the names of a mix's assets",
    "mix.keep_versions": "which old versions stay beside a mix",
    "corpus.source": "which files there are: input_files gives each of them a version",
    "corpus.raw": "which files there are",
    "corpus.patterns": "which files there are",
    "features.inference.*": "of neural networks, which this profile does not run",
    "proxies.device": "where models are trained",
    "proxies.compile": "how fast models are trained, and no digit unless it is on",
    "proxies.stack_size": "how many models a process trains",
    "proxies.n_workers": "how many processes train",
    "execution.*": "where work is done",
    "proxies.checkpoint_seconds": "how much a killed training loses",
    "proxies.progress_seconds": "how often progress is reported",
    "proxies.tensorboard": "files beside the results",
    "proxies.keep_weights_gb": "files beside the results",
}
_THETAS = {
    "parameters.scale_max": "names the columns of parameter_sets",
    "features.*name*": "names the columns of parameter_sets",
    "features.criteria[*].weighed": "names the columns of parameter_sets",
}
_EVIDENCE = {
    **_THETAS,
    "proxies.training.*": "losses count if measured by the present recipe, which is in their "
    "version",
    "proxies.max_target_tokens": "like the recipe",
    "proxies.target_epochs": "like the recipe",
    "proxies.max_document_share": "like the recipe",
}
_NO_BUDGET = {"search.constraints.budget": "there is no budget in this profile"}
# Read by single assets, and of no effect on the contents of what they make.
WITHOUT_EFFECT_ON = {
    "raw_shards": {
        "corpus.max_quarantine_share": "read by a check of its step",
        "corpus.planted.n_shards": "which files there are",
    },
    "target_sets": {
        "proxies.max_target_tokens": "how many tokens are evaluated is shown, not stored",
    },
    "target_overlap": {"evidence.enabled": "which held-out sets there are"},
    "mix_comparison": {"evidence.*": "held-out sets are left out"},
    "fitted_models": {"features.criteria[*].weighed": "each criterion is fitted by itself"},
    "domain_labels": {"features.criteria*": "all models are loaded together"},
    "scored_shards": {"features.domains.*": "all models are loaded together"},
    "score_normalizers": {"features.domains.names": "labels are read with the scores"},
    "score_report": {
        "features.domains.confidence_floor": "a line in a figure",
        "features.criteria[*].larger_is_better": "read by a check of its step",
    },
    "merged_ranks": _THETAS,
    "sampled_subset": _THETAS,
    "proxy_metrics": {
        **_THETAS,
        "parameters.n": "how far the swarm is",
        "proxies.batch_size": "how far the swarm is",
    },
    "proxy_evaluation": {
        **_THETAS,
        "parameters.n": "how far the swarm is",
        "proxies.batch_size": "how far the swarm is",
    },
    "proxy_repeats": {
        **_THETAS,
        "parameters.n": "how many thetas there are",
        "targets*.measure": "all measures are stored; which of them counts is chosen by readers",
    },
    "regressor": {
        **_EVIDENCE,
        "search.objectives*": "a table in the metadata",
        "parameters.n": "which batches of the swarm are not earlier ones",
        "proxies.batch_size": "which batches of the swarm are not earlier ones",
    },
    "refinement": {**_THETAS, **_NO_BUDGET},
    "optimal_params": {
        **_EVIDENCE,
        **_NO_BUDGET,
        "targets*.name": "whose regressors are read",
        "search.regressor.*": "whether the stored regressors are those of the paper; what they are "
        "is in their version",
    },
    "verification": _EVIDENCE,
    "optimum_check": _EVIDENCE,
    "proxy_fidelity": _EVIDENCE,
    "mixes/quadmix/selection_rule": {
        **_EVIDENCE,
        "mix.accept": "decides whether it is made, not what it holds",
        "features.max_unknown_share": "like mix.accept",
        "proxies.max_failed_share": "like mix.accept",
        "search.objectives*": "like mix.accept",
        "search.regressor_inputs": "like mix.accept",
        "search.n_threads": "like mix.accept",
        "targets*.measure": "like mix.accept",
        "seed": "losses count if measured with the present initial weights",
        "mixes[*].seed": "the project's stands for it, if it is null",
        "search.constraints.mix_tokens": "stands for the mix's tokens, if they are null",
        "search.constraints.criteria_off": "read with the tokens",
    },
    "mixes/quadmix/final_mix": {
        "mixes[*].method": "which class reads the rule, whose version says it",
        "production": "decides on the export of a mix that does not name one",
        "mix.export.format": "the export of the mix in production, if it does not name one",
    },
    "mixes/quadmix/mix_manifest": {"*": "a copy of all settings, for reading"},
    "report": {"*": "the definitions of all assets are loaded, whose failed checks it shows"},
    "catalog": {
        # Of a view without a table, an error names the asset that makes it.
        "production": "whose assets an error names first",
        "mixes[*].constraints": "which assets there are",
        "mixes[*].criteria_off": "which assets there are",
        "features.near_duplicates.enabled": "which assets there are",
    },
}

# Those of the demo, which the tiny project has too.
ASSETS = assets_with_settings(load_settings("demo"))


@pytest.fixture(scope="module")
def project(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished project, with a round of refinement to be made."""
    project = tiny.copy(tmp_path_factory.mktemp("traced") / "project")
    text = project.profile.read_text()
    project.profile.write_text(text.replace("search:\n", "search:\n  refine: {rounds: 1}\n"))
    os.environ.pop(FROZEN_VARIABLE, None)
    assert project.settings.search.refine.rounds == 1
    return project


@pytest.fixture(scope="module")
def definitions(project: Project) -> dg.Definitions:
    """Loaded before anything is traced, because loading reads the settings of all assets."""
    return project.definitions()


def materialize(project: Project, definitions: dg.Definitions, asset: str) -> None:
    """Make one asset again, or its last partition, without the checks that are separate steps."""
    graph = definitions.resolve_asset_graph()
    partitions = graph.get(dg.AssetKey.from_user_string(asset)).partitions_def
    with project.instance() as instance:
        keys = (
            partitions.get_partition_keys(dynamic_partitions_store=instance)
            if partitions
            else [None]
        )
        result = dg.materialize(
            [
                a
                for a in definitions.assets or ()
                if isinstance(a, dg.AssetsDefinition | dg.AssetSpec)
            ],
            selection=dg.AssetSelection.assets(asset)
            .without_checks()
            .required_multi_asset_neighbors(),
            resources=definitions.resources,
            instance=instance,
            partition_key=keys[-1],
        )
    assert result.success


def is_declared(path: str, declared: set[str]) -> bool:
    """Whether a setting that was read is one of the declared ones, or part of one."""
    if path in declared:
        return True
    # Which criteria are weighed is part of the lists of their names.
    names = re.sub(r"\[[^\]]*\]\.(name|weighed)$", "[].name", path)
    if names in declared:
        return True
    below = (f"{path}.", path.removesuffix("name") if path.endswith("].name") else f"{path}.")
    within = any(path.startswith((f"{key}.", f"{key}[")) for key in declared)
    return within or any(key.startswith(below) for key in declared)


def test_every_asset_declares_its_settings(project: Project, definitions: dg.Definitions) -> None:
    assert set(graph_of(definitions)[0]) <= set(assets_with_settings(project.settings))


@pytest.mark.parametrize("asset", ASSETS)
def test_nothing_else_is_read(
    project: Project, definitions: dg.Definitions, asset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if asset not in graph_of(definitions)[0]:
        pytest.skip("not in the graph of this profile")
    with recorded_reads(monkeypatch) as reads:
        materialize(project, definitions, asset)
    declared = set(settings_used(project.settings, asset))
    allowed = WITHOUT_EFFECT | WITHOUT_EFFECT_ON.get(asset, {})
    undeclared = {
        path
        for path in reads.paths
        if not is_declared(path, declared)
        and not any(fnmatchcase(path, pattern.replace("[", "[[]")) for pattern in allowed)
    }
    assert reads.paths
    assert not undeclared, "\n".join(sorted(undeclared))


def test_reads_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(Project(tmp_path).profile)
    with recorded_reads(monkeypatch) as reads:
        assert settings.mix.max_breakpoints
        assert settings.criterion_names
        assert [target.fit_share for target in settings.targets]
        assert settings.proxies.training.model_copy().beta1
        assert settings.parameters.model_dump()
    assert reads.paths == {
        "mix.max_breakpoints",
        *(
            f"features.criteria[{name}].{key}"
            for name in settings.criterion_names
            for key in ("name", "weighed")
        ),
        "targets[planted].fit_share",
        "proxies.training.beta1",
        *(f"parameters.{name}" for name in ("n", "omega_max", "lambda_prior", "scale_max")),
    }
