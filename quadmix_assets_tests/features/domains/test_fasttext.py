"""The fastText domain classifier."""

import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.domains.fasttext import FasttextDomains, FasttextDomainsSettings
from quadmix_assets.features.learned.pinned import NotFittedError
from quadmix_assets_tests.features.texts import AWKWARD, TOPICS, documents, prose

SETTINGS = FasttextDomainsSettings(
    kind="fasttext", labels="labels.jsonl", names=tuple(TOPICS), dimension=8, epochs=40
)


def _examples(seed: int, n: int = 90) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    labels = [list(TOPICS)[k % len(TOPICS)] for k in range(n)]
    return [prose(rng, 4, topic) for topic in labels], labels


@pytest.fixture(scope="module")
def classifier() -> FasttextDomains:
    fitted = FasttextDomains(SETTINGS)
    fitted.fit(*_examples(0), seed=1)
    return fitted


def test_it_finds_the_topic_and_is_sure(classifier: FasttextDomains) -> None:
    texts, labels = _examples(1)
    found = classifier.classify(documents({str(k): text for k, text in enumerate(texts)}))
    assert found.schema == pl.Schema({"domain": pl.String, "confidence": pl.Float64})
    assert found["domain"].to_list() == labels
    assert found["confidence"].min() > 1 / 3  # type: ignore[operator]


def test_mixed_text_makes_it_less_sure(classifier: FasttextDomains) -> None:
    rng = np.random.default_rng(2)
    pure = prose(rng, 6, "law")
    mixed = prose(rng, 3, "law") + " " + prose(rng, 3, "cooking")
    confidence = classifier.classify(documents({"pure": pure, "mixed": mixed}))["confidence"]
    assert confidence[0] > confidence[1]


def test_texts_without_words_are_unknown(classifier: FasttextDomains) -> None:
    found = classifier.classify(documents(AWKWARD))
    wordless = [name in {"empty", "blank"} for name in AWKWARD]
    assert (found["domain"] == "unknown").to_list() == wordless
    assert (found["confidence"] == 0.0).to_list() == wordless


def test_unknown_can_be_learnt() -> None:
    texts, labels = _examples(0)
    labels = ["unknown" if label == "law" else label for label in labels]
    learnt = FasttextDomains(
        SETTINGS.model_copy(update={"names": ("cooking", "astronomy", "unknown")})
    )
    learnt.fit(texts, labels, seed=1)
    found = learnt.classify(documents({"a": prose(np.random.default_rng(3), 4, "law")}))
    assert found["domain"].item() == "unknown"
    assert found["confidence"].item() > 1 / 3


def test_an_unknown_label_is_named_with_its_row() -> None:
    texts, labels = _examples(0)
    labels[4] = "gardening"
    with pytest.raises(ValueError, match=r"labels.jsonl, example 5: 'gardening'.*cooking, astron"):
        FasttextDomains(SETTINGS).fit(texts, labels, seed=0)


def test_a_domain_without_examples_is_named() -> None:
    texts, labels = _examples(0)
    texts = [" \n" if label == "law" else text for text, label in zip(texts, labels, strict=True)]
    with pytest.raises(ValueError, match=r"labels.jsonl: no example with a text for law, of"):
        FasttextDomains(SETTINGS).fit(texts, labels, seed=0)


def test_it_does_not_classify_before_it_is_fitted() -> None:
    with pytest.raises(NotFittedError, match="fit or load it"):
        FasttextDomains(SETTINGS).classify(documents({"a": "text"}))
