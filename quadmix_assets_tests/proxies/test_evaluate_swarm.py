from pathlib import Path

import pytest

from quadmix_assets.outputs import PROXY_EVALUATION, PROXY_METRICS, PROXY_READS, PROXY_WEIGHTS
from quadmix_assets.proxies.batch_weights import swarm_weights_bytes
from quadmix_assets.proxies.evaluate_swarm import evaluate_swarm, losses_version
from quadmix_assets.proxies.evidence import is_trained, read_evidence
from quadmix_assets.proxies.train_batch import train_batch
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError
from quadmix_assets.training import train_samples as train_samples_module
from quadmix_assets_tests.conftest import Project

BATCHES = ("batch-00000", "batch-00001")


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


def with_proxies(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update={"proxies": settings.proxies.model_copy(update=changes)})


def test_a_swarm_is_measured_anew_without_training(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, settings = project.store, project.settings
    before = evaluate_swarm(store, settings)
    assert before.current == BATCHES
    assert not (before.evaluated or before.without_weights or before.other_training)
    assert not (store.root / PROXY_EVALUATION).exists()
    version = losses_version(store, settings)

    fewer = with_proxies(settings, max_target_tokens=settings.proxies.max_target_tokens // 3)
    with pytest.raises(MissingOutputError, match="on older ones"):
        read_evidence(store, fewer)
    with monkeypatch.context() as patch:
        patch.setattr(train_samples_module, "run_stacks", None)
        found = evaluate_swarm(store, fewer)
    assert found.evaluated == BATCHES
    assert all(is_trained(store, fewer, batch) for batch in BATCHES)
    evaluated = read_evidence(store, fewer)
    assert evaluated.n_stale == 0
    assert losses_version(store, fewer) != version
    assert evaluate_swarm(store, fewer).current == BATCHES
    # Back again: the losses of the training are still there.
    assert evaluate_swarm(store, settings).current == BATCHES
    assert losses_version(store, settings) == version

    # What training anew gives, without weights and with them.
    reads = {b: store.read_table(store.table_path(PROXY_READS, b)) for b in BATCHES}
    store.remove_folder(store.root / PROXY_EVALUATION)
    for batch in BATCHES:
        store.remove_folder(store.root / PROXY_WEIGHTS / batch)
        train_batch(store, fewer, batch, lambda progress: None)
        assert store.read_table(store.table_path(PROXY_READS, batch)).equals(reads[batch])
    trained = read_evidence(store, fewer)
    assert trained.metrics.equals(evaluated.metrics)
    with monkeypatch.context() as patch:
        patch.setattr(train_samples_module, "run_stacks", None)
        train_batch(store, settings, BATCHES[0], lambda progress: None)
    assert store.read_table(store.table_path(PROXY_READS, BATCHES[0])).equals(reads[BATCHES[0]])
    assert is_trained(store, settings, BATCHES[0])


def test_batches_without_weights_are_named(project: Project) -> None:
    store, settings = project.store, project.settings
    none = with_proxies(settings, keep_weights_gb=0.0, max_target_tokens=500)
    assert swarm_weights_bytes(store, none) > 0
    store.remove_folder(store.root / PROXY_WEIGHTS / BATCHES[1])
    found = evaluate_swarm(store, none)
    assert (found.evaluated, found.without_weights) == (BATCHES[:1], BATCHES[1:])
    assert "(batch-00001): materialise these partitions of 'proxy_metrics'" in found.in_words()
    store.delete(store.table_path(PROXY_METRICS, BATCHES[1]))
    assert evaluate_swarm(store, none).other_training == BATCHES[1:]
    train_batch(store, none, BATCHES[1], lambda progress: None)
    assert not (store.root / PROXY_WEIGHTS / BATCHES[1]).exists()
