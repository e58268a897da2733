"""The paper's own criteria and domains through the whole graph, on small checkpoints."""

from pathlib import Path

import polars as pl
import pytest
import yaml

from quadmix_assets.features.domains.nvidia import NVIDIA_DOMAINS
from quadmix_assets.outputs import DOMAIN_LABELS, FITTED_MODELS, SCORED_SHARDS
from quadmix_assets.settings import PROFILES_FOLDER, load_settings
from quadmix_assets_tests.conftest import Project

pytestmark = pytest.mark.slow


def paper_features() -> dict[str, object]:
    features = yaml.safe_load((PROFILES_FOLDER / "paper.yaml").read_text())["features"]
    assert isinstance(features, dict)
    # DSIR's ratio is no published model: it learns from a target set, here that of the corpus.
    (ratio,) = (one for one in features["criteria"] if one["kind"] == "importance")
    ratio["target"] = "planted"
    return features


def test_profile_names_the_published_models() -> None:
    features = load_settings("paper").features
    models = {c.kind: c.model for c in features.criteria if hasattr(c, "model")}
    assert models == {
        "askllm": "google/flan-t5-xl",
        "fineweb_edu": "HuggingFaceFW/fineweb-edu-classifier",
        "dclm": "mlfoundations/fasttext-oh-eli5",
    }
    assert features.domains.names == NVIDIA_DOMAINS


def test_whole_graph_with_the_papers_criteria_and_domains(
    tmp_path: Path, checkpoints: Path
) -> None:
    inference = {"checkpoints": str(checkpoints), "device": "cpu"}
    features = {**paper_features(), "inference": inference}
    project = Project(
        tmp_path / "paper",
        features=features,
        corpus={"planted": {"n_documents": 120, "n_shards": 2, "n_target": 60}},
    )
    assert project.run()
    store, settings = project.store, project.settings
    assert settings.criterion_names == ("askllm", "fineweb_edu", "dclm")
    scored = pl.concat(
        store.read_table(path) for path in sorted((store.root / SCORED_SHARDS).glob("*.parquet"))
    )
    assert scored.columns[2:] == [
        *("askllm", "fineweb_edu", "fineweb_edu_int", "dclm", "dsir_ratio"),
    ]
    assert scored["askllm"].is_between(0, 1).all()
    assert scored["dclm"].is_between(0, 1).all()
    for name in settings.criterion_names:
        assert scored[name].n_unique() > 50
    labels = pl.concat(
        store.read_table(path) for path in sorted((store.root / DOMAIN_LABELS).glob("*.parquet"))
    )
    assert set(labels["domain"]) <= {*NVIDIA_DOMAINS, "unknown"}
    saved = store.root / FITTED_MODELS / "criteria" / "dclm"
    assert [path.name for path in saved.iterdir()] == ["card.json"]
