"""Scoring networks in 16 bits on a CPU: used where they rank documents as float32 does."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.stats
import torch
from safetensors.torch import load_file, save_file
from upath import UPath

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.criteria.fineweb_edu import FinewebEduSettings
from quadmix_assets.features.inference import Runtime
from quadmix_assets.features.learned.fit import FitSummary, FittedModels, fit_models, load_models
from quadmix_assets.features.learned.pinned import StaleModelError
from quadmix_assets.features.learned.precisions import (
    RankCheck,
    runtimes_of,
    spearman,
    write_precisions,
)
from quadmix_assets.outputs import FITTED_MODELS
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.features.checkpoints import save_fineweb_edu
from quadmix_assets_tests.features.inference.runtimes import cpu_runtime
from quadmix_assets_tests.features.texts import TOPICS, prose, spam
from quadmix_assets_tests.lakes import put_raw

# Scores that are further apart than bfloat16's error keep their order.
_GAP = 0.4
# Added to all scores: bfloat16 has 8 bits, so that those of one document are those of any other.
_FAR_FROM_ZERO = 1_000.0


def scores(criterion: Criterion[Any], documents: pl.DataFrame) -> np.ndarray:
    return criterion.score(documents)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints: `apart`, and `close` with the same scores, shifted."""
    folder = tmp_path_factory.mktemp("ranked")
    for name in ("apart", "close"):
        save_fineweb_edu(folder / name)
    weights = load_file(folder / "close" / "model.safetensors")
    weights["classifier.bias"] += _FAR_FROM_ZERO
    save_file(weights, folder / "close" / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def documents(folder: Path) -> pl.DataFrame:
    """Texts whose scores by the checkpoint `apart` lie apart."""
    rng = np.random.default_rng(0)
    topics = list(TOPICS)
    texts = [prose(rng, topic=topics[n % 3]) if n % 4 else spam(rng) for n in range(120)]
    frame = pl.DataFrame({"id": [f"d{n:03}" for n in range(len(texts))], "text": texts})
    chosen = FinewebEduSettings(name="a", kind="fineweb_edu", model=str(folder / "apart"))
    criterion = chosen.make(cpu_runtime())
    criterion.fit([], [], seed=0)
    found = scores(criterion, frame)
    kept: list[int] = []
    for row in np.argsort(found).tolist():
        if not kept or found[row] - found[kept[-1]] >= _GAP:
            kept.append(row)
    assert len(kept) >= 8
    return frame[sorted(kept)]


def make(
    tmp_path: Path, folder: Path, documents: pl.DataFrame, *, n_shards: int = 1, **inference: Any
) -> tuple[Store, list[str], Settings]:
    """A project with two networks, and a pool of the documents."""
    settings = load_settings(
        write_profile(
            tmp_path,
            corpus={"source": "files", "carried_columns": {"topic": "string"}},
            targets=[{"name": "law", "path": "law.jsonl"}],
            search={"objectives": [{"name": "law", "targets": {"law": 1.0}}]},
            features={
                "criteria": [
                    {"kind": "fineweb_edu", "name": name, "model": str(folder / name)}
                    for name in ("apart", "close")
                ],
                "domains": {"kind": "column", "column": "topic", "names": ["a"]},
                "inference": {"device": "cpu", "n_threads": 1, **inference},
            },
        )
    )
    store = Store(settings.resolve(settings.lake))
    keys = [f"s{n}" for n in range(n_shards)]
    for n, key in enumerate(keys):
        put_raw(store, key, documents.to_dicts()[n::n_shards])
    return store, keys, settings


def fitted(
    tmp_path: Path, folder: Path, documents: pl.DataFrame, **options: Any
) -> tuple[Store, Settings, FitSummary]:
    store, keys, settings = make(tmp_path, folder, documents, **options)
    return store, settings, fit_models(store, keys, settings)


def loaded(store: Store, settings: Settings) -> FittedModels:
    folder = Path(str(store.root / FITTED_MODELS))
    return load_models(folder, settings, Runtime.of(settings))


def test_a_network_is_run_in_16_bits_only_if_it_ranks_alike(
    tmp_path: Path, folder: Path, documents: pl.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "quadmix_assets"):
        store, settings, summary = fitted(tmp_path, folder, documents, precision="bfloat16")
    checks = summary.rank_checks
    assert {name: check.used for name, check in checks.items()} == {
        "apart": "bfloat16",
        "close": "float32",
    }
    assert checks["apart"].spearman >= 0.999 > checks["close"].spearman
    assert checks["apart"].n_documents == documents.height
    said = {r.levelname: r.getMessage() for r in caplog.records if "Spearman" in r.getMessage()}
    assert said["INFO"].startswith("apart: ") and said["INFO"].endswith("scored in bfloat16")
    assert said["WARNING"].startswith("close: ") and said["WARNING"].endswith("scored in float32")

    exact_store, exact_settings, _ = fitted(
        tmp_path / "exact", folder, documents, precision="float32"
    )
    reduced, exact = loaded(store, settings), loaded(exact_store, exact_settings)
    found = {
        criterion.name: (scores(criterion, documents), scores(other, documents))
        for criterion, other in zip(reduced.criteria, exact.criteria, strict=True)
    }
    assert np.array_equal(*found["close"])
    assert not np.array_equal(*found["apart"])
    np.testing.assert_allclose(*found["apart"], atol=_GAP)
    # Only scores that are computed alike are reused.
    assert reduced.fingerprints["close"] == exact.fingerprints["close"]
    assert reduced.fingerprints["apart"] != exact.fingerprints["apart"]


def test_the_decision_does_not_depend_on_the_shards(
    tmp_path: Path, folder: Path, documents: pl.DataFrame
) -> None:
    stores = [
        fitted(tmp_path / str(n), folder, documents, n_shards=n, precision="bfloat16")[0]
        for n in (1, 3)
    ]
    prints = {store.fingerprint(store.root / FITTED_MODELS) for store in stores}
    assert len(prints) == 1


def test_nothing_is_decided_where_16_bits_are_not_asked_for(
    tmp_path: Path, folder: Path, documents: pl.DataFrame
) -> None:
    store, settings, summary = fitted(tmp_path, folder, documents)
    assert summary.rank_checks == {}
    assert not (store.root / FITTED_MODELS / "precisions.json").exists()
    asked = settings.model_copy(deep=True)
    changed = asked.features.inference.model_copy(update={"precision": "bfloat16"})
    features = asked.features.model_copy(update={"inference": changed})
    with pytest.raises(StaleModelError, match="apart, close may be scored so.*'fitted_models'"):
        loaded(store, asked.model_copy(update={"features": features}))


def test_a_pool_without_documents_says_what_to_do(
    tmp_path: Path, folder: Path, documents: pl.DataFrame
) -> None:
    with pytest.raises(ValueError, match="too few documents.*precision to auto"):
        fitted(tmp_path, folder, documents.clear(), precision="bfloat16")


def test_all_machines_follow_the_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = UPath(tmp_path)
    runtime = cpu_runtime(precision="bfloat16")
    checks = {"yes": RankCheck("bfloat16", 0.9995, 9), "no": RankCheck("bfloat16", 0.99, 9)}
    write_precisions(root, checks, runtime)
    gpu = cpu_runtime(precision="bfloat16", device="cuda")
    for able, n_warnings in (({"avx512_bf16": True}, 0), ({}, 1)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        caplog.clear()
        for machine in (runtime, gpu):
            found = runtimes_of(root, ["yes", "no"], machine)
            precisions = {name: each.settings.precision for name, each in found.items()}
            assert precisions == {"yes": "bfloat16", "no": "float32"}
        said = [r.getMessage() for r in caplog.records if "no bfloat16" in r.getMessage()]
        assert len(said) == n_warnings
    # Another question than the one that was decided.
    for precision, engine in (("float16", "torch"), ("bfloat16", "openvino")):
        with pytest.raises(StaleModelError):
            runtimes_of(root, ["yes"], cpu_runtime(precision=precision, engine=engine))
    undecided = cpu_runtime(precision="float16", device="cuda")
    assert runtimes_of(root, ["yes"], undecided)["yes"].settings.precision == "float16"
    assert json.loads((root / "precisions.json").read_text())["asked"] == "bfloat16"


def test_rank_correlation_is_scipys() -> None:
    rng = np.random.default_rng(1)
    one = rng.normal(size=200).round(1)
    other = (one + rng.normal(size=200) / 5).round(1)
    assert spearman(one, other) == pytest.approx(scipy.stats.spearmanr(one, other).statistic)
    assert spearman(one, one) == 1.0
    assert spearman(one, np.zeros(200)) == 0.0
    assert spearman(one, np.full(200, np.nan)) == 0.0
    assert spearman(np.zeros(3), np.zeros(3)) == 1.0
