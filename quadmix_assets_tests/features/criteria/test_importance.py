"""DSIR's weight against counts in plain Python dictionaries."""

import math
import re
from collections import Counter
from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
import xxhash

from quadmix_assets.corpus import words
from quadmix_assets.features.criteria.importance import ImportanceCriterion, ImportanceSettings
from quadmix_assets.features.learned.pinned import NotFittedError
from quadmix_assets.features.window import Window
from quadmix_assets_tests.features.texts import AWKWARD, documents, prose, spam

N_BUCKETS = 997
SETTINGS = ImportanceSettings(kind="importance", target="good", n_buckets=N_BUCKETS)


def _buckets(text: str) -> tuple[int, list[int]]:
    """Number of words, and the buckets of all unigrams and bigrams, in Python's integers."""
    found = re.findall(r"\w+|[^\w\s]+", text.lower())
    hashes = [xxhash.xxh3_64_intdigest(word.encode()) for word in found]
    pairs = []
    for first, second in pairwise(hashes):
        mixed = (first * 0x9E3779B97F4A7C15 + second) % 2**64
        pairs.append(mixed ^ (mixed >> 29))
    return len(found), [value % N_BUCKETS for value in hashes + pairs]


def _log_ratios(target: list[str], pool: list[str]) -> dict[int, float]:
    logs = []
    for texts in (target, pool):
        counts = Counter(bucket for text in texts for bucket in _buckets(text)[1])
        total = sum(counts.values()) + N_BUCKETS
        logs.append({bucket: math.log((counts[bucket] + 1) / total) for bucket in range(N_BUCKETS)})
    return {bucket: logs[0][bucket] - logs[1][bucket] for bucket in range(N_BUCKETS)}


def _texts() -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(0)
    return [prose(rng) for _ in range(5)], [spam(rng) for _ in range(5)] + [prose(rng, 2, "law")]


def _fitted(per: Literal["word", "document"] = "word") -> ImportanceCriterion:
    criterion = ImportanceCriterion(SETTINGS.model_copy(update={"per": per}))
    criterion.fit(*_texts(), seed=0)
    return criterion


def test_scores_are_those_of_plain_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "CHUNK_BYTES", 1_000)
    ratios = _log_ratios(*_texts())
    rng = np.random.default_rng(1)
    texts = {"prose": prose(rng), "spam": spam(rng), "word": "Oven", "new": "qq ww ee; rr"}
    texts |= {"emoji": "😀 ok 😀😀 🎉", "chinese": AWKWARD["chinese"]}
    for text, score in zip(texts.values(), _fitted().score(documents(texts)), strict=True):
        n_words, buckets = _buckets(text)
        assert score == pytest.approx(sum(ratios[b] for b in buckets) / n_words, abs=1e-12)


def test_of_a_document_they_are_the_sums_of_plain_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "CHUNK_BYTES", 1_000)
    ratios = _log_ratios(*_texts())
    rng = np.random.default_rng(1)
    texts = {"prose": prose(rng), "spam": spam(rng), "word": "Oven", "new": "qq ww ee; rr"}
    scores = _fitted("document").score(documents(texts))
    expected = [sum(ratios[b] for b in _buckets(text)[1]) for text in texts.values()]
    np.testing.assert_allclose(scores, expected, atol=1e-9)


def test_criteria_that_share_a_window_score_as_each_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(words, "CHUNK_BYTES", 1_000)
    good, bad = _texts()
    criteria = [_fitted(), _fitted("document")]
    for n_buckets, target, pool in ((N_BUCKETS, bad, good), (101, good, bad)):
        settings = SETTINGS.model_copy(update={"n_buckets": n_buckets})
        criteria.append(ImportanceCriterion(settings))
        criteria[-1].fit(target, pool, seed=0)
    rng = np.random.default_rng(1)
    frame = documents({**AWKWARD, "prose": prose(rng), "spam": spam(rng), "word": "Oven"})
    window = Window(frame)
    together = [criterion.score_window(window) for criterion in criteria]
    for criterion, scores in zip(criteria, together, strict=True):
        assert np.array_equal(scores, criterion.score(frame))
        assert np.array_equal(scores, criterion.score_window(window))
    # The same buckets with target and pool exchanged, and the sum in place of the mean.
    text = frame["text"][-3]
    n_words, found = _buckets(text)
    ratios = _log_ratios(good, bad)
    expected = sum(ratios[bucket] for bucket in found)
    assert together[0][-3] == pytest.approx(expected / n_words, abs=1e-12)
    assert together[1][-3] == pytest.approx(expected, abs=1e-9)
    assert together[2][-3] == pytest.approx(-expected / n_words, abs=1e-12)


@pytest.mark.parametrize("per", ["word", "document"])
def test_documents_without_words_are_never_above_any_other(
    per: Literal["word", "document"],
) -> None:
    spammed = {**AWKWARD, "spam": spam(np.random.default_rng(2))}
    scores = _fitted(per).score(documents(spammed))
    wordless = [list(AWKWARD).index(name) for name in ("empty", "blank")]
    assert np.isfinite(scores).all()
    assert scores[wordless[0]] == scores[wordless[1]] == scores.min()


def test_the_length_of_a_document_does_not_drive_the_score() -> None:
    text = prose(np.random.default_rng(3))
    once, many = _fitted().score(documents({"once": text, "many": " ".join([text] * 50)}))
    assert once == pytest.approx(many, abs=0.02)


def test_equal_sides_tell_nothing_apart() -> None:
    texts, _ = _texts()
    criterion = ImportanceCriterion(SETTINGS)
    criterion.fit(texts, texts, seed=0)
    assert np.abs(criterion.score(documents({"a": texts[0], "b": "unseen words"}))).max() < 1e-12


def test_a_side_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="no words in the texts of the target set 'good'"):
        ImportanceCriterion(SETTINGS).fit([" ", ""], ["words"], seed=0)
    with pytest.raises(ValueError, match="no words in the texts of the pool"):
        ImportanceCriterion(SETTINGS).fit(["words"], [], seed=0)


def test_it_does_not_score_before_it_is_fitted() -> None:
    with pytest.raises(NotFittedError, match="fit or load it"):
        ImportanceCriterion(SETTINGS).score(documents({"a": "text"}))
