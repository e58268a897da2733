"""A shard whose windows a node of a Ray cluster scores, with models that it loads itself."""

from pathlib import Path

import pytest

from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.corpus.tokenizer import project_tokenizer, tokenizer_path
from quadmix_assets.features import spread_windows
from quadmix_assets.features.inference import Runtime
from quadmix_assets.features.learned.fit import load_models
from quadmix_assets.features.score import N_TOKENS, label_shard, score_shard
from quadmix_assets.outputs import DOMAIN_LABELS, FITTED_MODELS, SCORED_SHARDS
from quadmix_assets.settings import ExecutionSettings
from quadmix_assets_tests.cluster.ray_nodes import ray_nodes
from quadmix_assets_tests.conftest import Project


@pytest.mark.slow
def test_tables_of_windows_that_a_node_has_scored_are_the_same_bytes(
    tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny.copy(tmp_path / "copy")
    ray = ExecutionSettings.model_validate({"engine": "ray", "ray": {"windows_per_task": 1}})
    settings = project.settings.model_copy(update={"execution": ray})
    store, shard = project.store, sorted(tiny.store.root.glob(f"{SCORED_SHARDS}/*.parquet"))[0].stem
    # Shards of the tiny project have one window: this process takes them for larger ones.
    monkeypatch.setattr(spread_windows, "BATCH_ROWS", 100)
    made_from = {FITTED_MODELS: store.fingerprint(store.root / FITTED_MODELS)}
    counted = {**made_from, "tokenizer": store.fingerprint(tokenizer_path(store))}
    expected = {
        asset: store.table_path(asset, shard).read_bytes()
        for asset in (SCORED_SHARDS, DOMAIN_LABELS)
    }
    for asset in expected:
        store.table_path(asset, shard).unlink()
    with ray_nodes(1):
        spread_windows.spread_windows(store, settings, SCORED_SHARDS, shard, counted)
        spread_windows.spread_windows(store, settings, DOMAIN_LABELS, shard, made_from)
    with store.local_folder(store.root / FITTED_MODELS) as folder:
        models = load_models(folder, settings, Runtime.of(settings))

    def refuse(*arguments: object) -> None:
        raise AssertionError("a window was computed again")

    monkeypatch.setattr(TokenEncoder, "count", refuse)
    for model in (*models.criteria, models.domains):
        monkeypatch.setattr(type(model), "score", refuse, raising=False)
        monkeypatch.setattr(type(model), "classify", refuse, raising=False)
    keys = {**models.fingerprints, N_TOKENS: counted["tokenizer"]}
    counter = TokenEncoder(project_tokenizer(store))
    score_shard(store, shard, models.criteria, counter, counted, keys)
    label_shard(store, shard, models.domains, made_from, models.fingerprints)
    for asset, content in expected.items():
        assert store.table_path(asset, shard).read_bytes() == content
