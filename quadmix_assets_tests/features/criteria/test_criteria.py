"""What holds for every criterion: the contract of the interface."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from quadmix_assets.corpus import words
from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.criteria.registry import CRITERIA
from quadmix_assets.settings import CriterionSettings
from quadmix_assets_tests.features.texts import (
    AWKWARD,
    REAL_CORPUS,
    documents,
    prose,
    repeated_spam,
    spam,
)

SETTINGS: list[dict[str, Any]] = [
    {"kind": "target_fasttext", "target": "good", "dimension": 8, "n_buckets": 2_000},
    {"kind": "importance", "target": "good", "n_buckets": 1_000},
    {"kind": "heuristics"},
    {"kind": "column", "name": "given", "column": "n_bytes", "larger_is_better": False},
]
KINDS = [str(settings["kind"]) for settings in SETTINGS]
LEARNING = {"target_fasttext", "importance"}


def _read(values: dict[str, Any]) -> CriterionSettings:
    found = CRITERIA.settings_class(values["kind"]).model_validate(values)
    assert isinstance(found, CriterionSettings)
    return found


def _fit(settings: CriterionSettings, reverse: bool = False) -> Criterion:
    rng = np.random.default_rng(0)
    target = [prose(rng) for _ in range(30)]
    pool = [spam(rng) for _ in range(30)] + [prose(rng, 4, "law") for _ in range(10)]
    step = -1 if reverse else 1
    criterion = settings.make()
    criterion.fit(target[::step], pool[::step], seed=5)
    return criterion


@pytest.fixture(scope="module")
def criteria() -> dict[str, Criterion]:
    return {str(s["kind"]): _fit(_read(s)) for s in SETTINGS}


@pytest.fixture(scope="module")
def batch() -> pl.DataFrame:
    rng = np.random.default_rng(9)
    mixed = [make(rng) for make in (prose, spam, repeated_spam) for _ in range(15)]
    return documents(AWKWARD | {f"d{k}": text for k, text in enumerate(mixed)})


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_needs(criteria: dict[str, Criterion], kind: str) -> None:
    criterion = criteria[kind]
    settings = criterion.settings
    assert (settings.target_learned_from == "good") == (kind in LEARNING)
    assert (settings.pool_sample_size > 0) == (kind in LEARNING)
    assert criterion.name == ("given" if kind == "column" else kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_depends_on_its_document_alone(
    criteria: dict[str, Criterion],
    batch: pl.DataFrame,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    criterion = criteria[kind]
    scores = criterion.score(batch)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert np.array_equal(criterion.score(batch), scores)
    assert np.array_equal(criterion.score(batch.reverse()), scores[::-1])
    assert np.array_equal(
        np.concatenate([criterion.score(batch[row]) for row in range(batch.height)]), scores
    )
    monkeypatch.setattr(words, "CHUNK_BYTES", 700)
    assert np.array_equal(criterion.score(batch), scores)


@pytest.mark.parametrize("kind", KINDS)
def test_no_documents_give_no_scores(
    criteria: dict[str, Criterion], batch: pl.DataFrame, kind: str
) -> None:
    scores = criteria[kind].score(batch.clear())
    assert scores.shape == (0,)
    assert scores.dtype == np.float64


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_scores_alike(
    criteria: dict[str, Criterion], batch: pl.DataFrame, kind: str, tmp_path: Path
) -> None:
    criterion = criteria[kind]
    criterion.save(tmp_path)
    again = criterion.settings.load(tmp_path)
    assert type(again) is type(criterion)
    assert np.array_equal(again.score(batch), criterion.score(batch))


@pytest.mark.parametrize("kind", KINDS)
def test_fitting_again_in_another_order_gives_equal_bytes(
    criteria: dict[str, Criterion], kind: str, tmp_path: Path
) -> None:
    criteria[kind].save(tmp_path / "a")
    _fit(criteria[kind].settings, reverse=True).save(tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.parametrize("kind", [*sorted(LEARNING), "heuristics"])
def test_prose_stands_above_keyword_spam(criteria: dict[str, Criterion], kind: str) -> None:
    rng = np.random.default_rng(2)
    good = criteria[kind].score(documents({str(k): prose(rng) for k in range(20)}))
    bad = criteria[kind].score(documents({str(k): spam(rng) for k in range(20)}))
    assert good.min() > bad.max()


def _awkward_files() -> pl.DataFrame:
    folder = REAL_CORPUS / "awkward"
    texts: dict[str, str] = {}
    for name in ("uuencoded_noise", "other_languages", "unicode_line_separators"):
        lines = (folder / f"{name}.jsonl").read_bytes().split(b"\n")
        for row, line in enumerate(lines[:40]):
            if line:
                texts[f"{name}-{row}"] = json.loads(line)["text"]
    with gzip.open(folder / "long_docs.jsonl.gz") as file:
        for row, line in enumerate(file):
            texts[f"long-{row}"] = json.loads(line)["text"]
    empty = pl.read_parquet(folder / "empty_docs.parquet").drop_nulls("text").tail(15)
    return documents(texts | dict(zip(empty["id"], empty["text"], strict=True)))


@pytest.mark.corpus
@pytest.mark.skipif(not REAL_CORPUS.is_dir(), reason=f"no real corpus at {REAL_CORPUS}")
@pytest.mark.parametrize("kind", KINDS)
def test_awkward_real_documents(criteria: dict[str, Criterion], kind: str) -> None:
    awkward = _awkward_files()
    scores = criteria[kind].score(awkward)
    assert np.isfinite(scores).all()
    chosen = list(range(0, awkward.height, 7))
    alone = [criteria[kind].score(awkward[row])[0] for row in chosen]
    assert np.array_equal(scores[chosen], alone)
    if kind == "heuristics":
        noise = scores[awkward["id"].str.starts_with("uuencoded").to_numpy()]
        novels = scores[awkward["id"].is_in(["long-0", "long-1", "long-2"]).to_numpy()]
        assert np.median(noise) < novels.min()
