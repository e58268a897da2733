from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from quadmix_assets.features.criteria.fineweb_edu import FinewebEduCriterion, FinewebEduSettings
from quadmix_assets_tests.features.inference.runtimes import cpu_runtime
from quadmix_assets_tests.features.texts import AWKWARD, prose

SETTINGS = FinewebEduSettings(kind="fineweb_edu", name="edu")


def documents() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    texts = [prose(rng, n_sentences=int(n)) for n in rng.integers(1, 60, 40)]
    return pl.DataFrame({"text": [*texts, *AWKWARD.values()]})


@pytest.fixture(scope="module")
def make(checkpoints: Path) -> Callable[..., FinewebEduCriterion]:
    return lambda **settings: FinewebEduCriterion(SETTINGS, cpu_runtime(checkpoints, **settings))


@pytest.fixture(scope="module")
def folder(checkpoints: Path) -> Path:
    return checkpoints / SETTINGS.model


def test_scores_are_those_of_a_plain_forward_pass(
    make: Callable[..., FinewebEduCriterion], folder: Path
) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    frame = documents()
    expected = []
    with torch.no_grad():
        for text in frame["text"]:
            inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=512)
            expected.append(model(**inputs).logits.squeeze().item())
    assert np.ptp(expected) > 0.3
    np.testing.assert_allclose(make().score(frame), expected, atol=1e-5, rtol=1e-5)


def test_scores_are_those_of_the_padded_pipeline(
    make: Callable[..., FinewebEduCriterion], folder: Path
) -> None:
    classify = pipeline("text-classification", model=str(folder), device="cpu")
    frame = documents().head(12)
    results = classify(
        frame["text"].to_list(),
        padding="max_length",
        truncation=True,
        max_length=512,
        batch_size=32,
        function_to_apply="none",
    )
    expected = [result["score"] for result in results]
    np.testing.assert_allclose(make().score(frame), expected, atol=1e-4)


def test_openvino_gives_the_same_scores(make: Callable[..., FinewebEduCriterion]) -> None:
    pytest.importorskip("openvino")
    frame = documents()
    np.testing.assert_allclose(
        make(engine="openvino").score(frame), make().score(frame), atol=1e-5, rtol=1e-5
    )


def test_score_does_not_depend_on_the_batch(make: Callable[..., FinewebEduCriterion]) -> None:
    frame = documents()
    together = make().score(frame)
    alone = np.concatenate([make(batch_tokens=1).score(frame[:20]), make().score(frame[20:])])
    backwards = make(batch_tokens=10_000).score(frame.reverse())[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together, backwards, atol=1e-5)


def test_raw_score_is_kept_and_the_integer_stands_beside_it(
    make: Callable[..., FinewebEduCriterion],
) -> None:
    criterion = make()
    scores = np.array([-0.7, 0.49, 2.51, 3.4, 5.6])
    assert criterion.extras(scores)["edu_int"].tolist() == [0, 0, 3, 3, 5]
    assert set(criterion.extra_columns) == {"edu_int"}


def test_no_documents(make: Callable[..., FinewebEduCriterion]) -> None:
    assert make().score(pl.DataFrame({"text": []}, schema={"text": pl.String})).shape == (0,)
