from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.corpus.text_sample import in_sample
from quadmix_assets.features.inference import Runtime
from quadmix_assets.features.learned.fit import fit_models, load_models
from quadmix_assets.features.learned.pinned import StaleModelError
from quadmix_assets.outputs import FITTED_MODELS, TARGET_SETS
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import MissingOutputError, Store, atomic_folder
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.features.texts import TOPICS, prose, spam
from quadmix_assets_tests.lakes import put_raw, write_lines

RNG = np.random.default_rng(0)
POOL = {
    f"pool-{n}": prose(RNG, topic=list(TOPICS)[n % 3]) if n % 4 else spam(RNG) for n in range(160)
}
TARGET = [prose(RNG, topic="law") for _ in range(60)]
LABELS = [{"text": prose(RNG, topic=topic), "domain": topic} for topic in TOPICS for _ in range(12)]
CRITERIA: list[dict[str, Any]] = [
    {"kind": "target_fasttext", "target": "law", "n_pool_documents": 40, "epochs": 2,
     "n_buckets": 500, "dimension": 4},
    {"kind": "importance", "target": "law", "n_pool_documents": 90, "n_buckets": 200},
    {"kind": "heuristics"},
]  # fmt: skip
DOMAINS = {"kind": "fasttext", "labels": "labels.jsonl", "names": list(TOPICS), "epochs": 3,
           "n_buckets": 500, "dimension": 4}  # fmt: skip


def make_settings(folder: Path, **features: Any) -> Settings:
    write_lines(folder / "labels.jsonl", LABELS)
    return load_settings(
        write_profile(
            folder,
            corpus={"source": "files", "carried_columns": {"quality": "float", "topic": "string"}},
            targets=[{"name": "law", "path": "law.jsonl"}],
            features={"criteria": CRITERIA, "domains": DOMAINS, **features},
            search={"objectives": [{"name": "planted", "targets": {"law": 1.0}}]},
        )
    )


def make_store(settings: Settings, n_shards: int = 2) -> tuple[Store, list[str]]:
    store = Store(settings.resolve(settings.lake))
    rows = [{"id": id_, "text": text} for id_, text in POOL.items()]
    keys = [f"s{n}" for n in range(n_shards)]
    for n, key in enumerate(keys):
        put_raw(store, key, rows[n::n_shards])
    for part, texts in (("fit", TARGET[:40]), ("search", TARGET[40:])):
        frame = pl.DataFrame({"id": [f"{part}-{n}" for n in range(len(texts))], "text": texts})
        store.write_table(store.table_path(TARGET_SETS, f"law.{part}"), frame)
    return store, keys


def fit(store: Store, shards: list[str], settings: Settings) -> dict[str, int]:
    return fit_models(store, shards, settings).n_documents


def test_models_are_those_that_the_fit_part_and_the_sample_give(tmp_path: Path) -> None:
    """Every criterion fitted by hand on the texts that it should see; the same bytes."""
    settings = make_settings(tmp_path)
    store, keys = make_store(settings)
    used = fit(store, keys, settings)
    with atomic_folder(UPath(tmp_path / "by_hand")) as by_hand:
        for criterion_settings in settings.features.criteria:
            criterion = criterion_settings.make()
            n_pool = criterion_settings.pool_sample_size
            chosen = in_sample(list(POOL), n_pool / len(POOL), purpose="fit", seed=settings.seed)
            texts = [text for text, take in zip(POOL.values(), chosen, strict=True) if take]
            target = TARGET[:40] if criterion_settings.target_learned_from else []
            criterion.fit(target, texts, seed=settings.seed)
            criterion.save(by_hand / "criteria" / criterion.name)
            assert used[criterion.name] == len(target) + len(texts)
        domains = settings.features.domains.make()
        domains.fit([r["text"] for r in LABELS], [r["domain"] for r in LABELS], seed=settings.seed)
        domains.save(by_hand / "domains")
    assert used == {**used, "domains": len(LABELS), "heuristics": 0}
    expected = store.fingerprint(UPath(tmp_path / "by_hand"))
    assert store.fingerprint(store.root / FITTED_MODELS) == expected


def test_layout_of_the_pool_and_the_evaluated_part_change_nothing(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "one")
    store, keys = make_store(settings)
    fit(store, keys, settings)
    other = make_settings(tmp_path / "two")
    other_store, other_keys = make_store(other, n_shards=3)
    search = pl.DataFrame({"id": ["x"], "text": ["something else altogether"]})
    other_store.write_table(other_store.table_path(TARGET_SETS, "law.search"), search)
    fit(other_store, other_keys[::-1], other)
    models = store.root / FITTED_MODELS
    assert store.fingerprint(models) == store.fingerprint(other_store.root / FITTED_MODELS)


def test_loaded_models_are_in_the_order_of_the_settings_and_refuse_others(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    store, keys = make_store(settings)
    fit(store, keys, settings)
    folder = Path(str(store.root / FITTED_MODELS))
    models = load_models(folder, settings)
    assert tuple(criterion.name for criterion in models.criteria) == settings.criterion_names
    good, bad = prose(RNG, topic="law"), spam(RNG)
    frame = pl.DataFrame({"id": ["good", "bad"], "text": [good, bad]})
    for criterion in models.criteria:
        scores = criterion.score(frame)
        assert scores[0] > scores[1], criterion.name
    assert models.domains.classify(frame)["domain"][0] == "law"

    changed = [{**CRITERIA[0], "epochs": 7}, *CRITERIA[1:]]
    with pytest.raises(StaleModelError, match="epochs: saved 2, expected 7"):
        load_models(folder, make_settings(tmp_path, criteria=changed))


def test_what_learns_nothing_needs_neither_targets_nor_texts(tmp_path: Path) -> None:
    criteria = [{"kind": "heuristics"}, {"kind": "column", "name": "q", "column": "quality"}]
    domains = {"kind": "column", "column": "topic", "names": ["a"]}
    settings = make_settings(tmp_path, criteria=criteria, domains=domains)
    store = Store(settings.resolve(settings.lake))
    put_raw(store, "s", [{"id": "1", "text": "words"}])
    assert fit(store, ["s"], settings) == {"heuristics": 0, "q": 0}
    models = load_models(Path(str(store.root / FITTED_MODELS)), settings)
    assert [criterion.name for criterion in models.criteria] == ["heuristics", "q"]


def test_scores_of_a_network_are_not_reused_when_it_runs_otherwise(
    tmp_path: Path, checkpoints: Path
) -> None:
    def fingerprints(**inference: Any) -> dict[str, str]:
        settings = make_settings(
            tmp_path,
            criteria=[{"kind": "heuristics"}, {"kind": "fineweb_edu"}],
            domains={"kind": "column", "column": "topic", "names": ["a"]},
            inference={"checkpoints": str(checkpoints), "device": "cpu", **inference},
        )
        store = Store(settings.resolve(settings.lake))
        put_raw(store, "s", [{"id": "1", "text": "words"}])
        fit(store, ["s"], settings)
        folder = Path(str(store.root / FITTED_MODELS))
        return load_models(folder, settings, Runtime.of(settings)).fingerprints

    before = fingerprints()
    assert fingerprints(batch_tokens=64) == before
    for otherwise in ({"engine": "openvino"}, {"precision": "bfloat16"}):
        after = fingerprints(**otherwise)
        assert {name for name in before if after[name] != before[name]} == {"fineweb_edu"}


def test_failed_fit_leaves_the_old_models(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    store, keys = make_store(settings)
    fit(store, keys, settings)
    before = store.fingerprint(store.root / FITTED_MODELS)
    write_lines(tmp_path / "labels.jsonl", [*LABELS, {"text": "some words", "domain": "gardens"}])
    with pytest.raises(ValueError, match="'gardens'"):
        fit(store, keys, settings)
    assert store.fingerprint(store.root / FITTED_MODELS) == before
    assert [p.name for p in store.root.iterdir() if p.name.endswith(".tmp")] == []


def test_missing_target_set_names_the_asset(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    store, keys = make_store(settings)
    Path(str(store.table_path(TARGET_SETS, "law.fit"))).unlink()
    with pytest.raises(MissingOutputError, match="target_sets"):
        fit(store, keys, settings)
