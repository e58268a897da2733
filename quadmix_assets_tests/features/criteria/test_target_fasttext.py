"""DCLM's classifier as a criterion."""

import itertools

import numpy as np
import pytest

from quadmix_assets.features.criteria.target_fasttext import (
    TargetFasttextCriterion,
    TargetFasttextSettings,
)
from quadmix_assets.features.learned.pinned import NotFittedError
from quadmix_assets_tests.features.texts import AWKWARD, TOPICS, documents, prose, spam

SETTINGS = TargetFasttextSettings(
    kind="target_fasttext", target="good", dimension=8, epochs=20, n_buckets=2_000
)


def _texts(seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    target = [prose(rng, 4) for _ in range(60)]
    return target, [prose(rng, 4, "law") for _ in range(40)] + [spam(rng, 60) for _ in range(40)]


@pytest.fixture(scope="module")
def criterion() -> TargetFasttextCriterion:
    fitted = TargetFasttextCriterion(SETTINGS)
    fitted.fit(*_texts(0), seed=3)
    return fitted


def test_text_like_the_target_stands_above_the_pool(criterion: TargetFasttextCriterion) -> None:
    target, pool = _texts(1)
    scores = criterion.score(documents({str(k): text for k, text in enumerate(target + pool)}))
    assert scores[: len(target)].min() > scores[len(target) :].max()


def test_scores_are_probabilities_and_0_without_words(criterion: TargetFasttextCriterion) -> None:
    scores = criterion.score(documents(AWKWARD))
    assert ((scores >= 0.0) & (scores <= 1.0)).all()
    wordless = np.array([name in {"empty", "blank"} for name in AWKWARD])
    assert np.array_equal(scores == 0.0, wordless)


def test_scores_near_1_keep_apart_where_float32_does_not() -> None:
    sure = TargetFasttextCriterion(SETTINGS.model_copy(update={"learning_rate": 1.0, "epochs": 60}))
    sure.fit(*_texts(0), seed=3)
    pairs = [f"{a} {b}" for a, b in itertools.combinations(TOPICS["cooking"], 2)]
    scores = sure.score(documents({pair: pair for pair in pairs}))
    assert len(np.unique(scores)) == len(pairs)
    assert len(np.unique(scores.astype(np.float32))) < len(pairs)


def test_one_empty_side_is_refused_with_both_counts() -> None:
    with pytest.raises(ValueError, match=r"2 texts of the target set 'good' and 0 of the pool"):
        TargetFasttextCriterion(SETTINGS).fit(["some words", "more words"], [], seed=0)


def test_it_does_not_score_before_it_is_fitted() -> None:
    with pytest.raises(NotFittedError, match="fit or load it"):
        TargetFasttextCriterion(SETTINGS).score(documents({"a": "text"}))
