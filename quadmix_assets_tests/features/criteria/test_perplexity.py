import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from quadmix_assets.features.criteria.askllm import AskllmSettings
from quadmix_assets.features.criteria.perplexity import PerplexityCriterion, PerplexitySettings
from quadmix_assets.features.inference.checkpoint import CheckpointError
from quadmix_assets_tests.features.inference.runtimes import cpu_runtime
from quadmix_assets_tests.features.texts import AWKWARD, prose

SETTINGS = PerplexitySettings(kind="perplexity", max_tokens=100)
Make = Callable[..., PerplexityCriterion]


def documents() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    texts = [prose(rng, n_sentences=int(n)) for n in rng.integers(1, 30, 12)]
    return pl.DataFrame({"text": [*texts, "x", *AWKWARD.values()]})


@pytest.fixture(scope="module")
def make(checkpoints: Path) -> Make:
    return lambda **settings: PerplexityCriterion(SETTINGS, cpu_runtime(checkpoints, **settings))


def test_score_is_minus_the_loss_of_the_library(make: Make, checkpoints: Path) -> None:
    folder = checkpoints / SETTINGS.model
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    frame = documents()
    expected = []
    for text in frame["text"]:
        ids = tokenizer(text, add_special_tokens=False).input_ids[:100]
        if not ids:
            expected.append(-math.log(len(tokenizer)))
            continue
        inputs = torch.tensor([[tokenizer.bos_token_id, *ids]])
        with torch.no_grad():
            expected.append(-model(input_ids=inputs, labels=inputs).loss.item())
    np.testing.assert_allclose(make().score(frame), expected, atol=1e-5, rtol=1e-5)


def test_score_does_not_depend_on_the_batch(make: Make) -> None:
    frame = documents()
    alone = make(batch_tokens=1).score(frame)
    np.testing.assert_allclose(make(batch_tokens=5_000).score(frame), alone, atol=1e-5)


def test_text_is_cut_to_the_models_context(checkpoints: Path) -> None:
    settings = PerplexitySettings(kind="perplexity", max_tokens=1_000_000)
    criterion = PerplexityCriterion(settings, cpu_runtime(checkpoints))
    long = pl.DataFrame({"text": ["words and more words " * 3_000]})
    assert np.isfinite(criterion.score(long)).all()


def test_encoder_decoder_is_refused(checkpoints: Path) -> None:
    t5 = AskllmSettings(kind="askllm").model
    settings = PerplexitySettings(kind="perplexity", model=t5)
    criterion = PerplexityCriterion(settings, cpu_runtime(checkpoints))
    with pytest.raises(CheckpointError, match="expects a causal language model"):
        criterion.fit([], [], seed=0)
