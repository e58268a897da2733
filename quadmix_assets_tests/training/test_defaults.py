"""Every architecture learns by the recipe that it gets where the profile says nothing else."""

from pathlib import Path

import numpy as np
import pytest

from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import ARCHITECTURES
from quadmix_assets.training.loop import train_on_streams
from quadmix_assets.training.recipe import architecture_of, n_steps, rate_at
from quadmix_assets.training.window_stream import WindowStream
from quadmix_assets_tests.training.stacks import (
    SEPARATOR,
    VOCAB,
    chain_documents,
    write_token_file,
)

# A training is scaled down to so many steps of so many and so long windows.
N_STEPS, N_WINDOWS, CONTEXT = 100, 4, 32
# Larger ones are no work for a CPU.
MOST_PARAMETERS = 10_000_000


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_defaults_have_time_to_reach_the_peak_rate_and_to_learn_at_it(name: str) -> None:
    recipe = TrainingSettings(architecture=name)
    steps = n_steps(recipe, recipe.context)
    assert steps >= 100
    rates = np.array([rate_at(recipe, step, steps) for step in range(steps)])
    assert rates.mean() > recipe.learning_rate / 3


@pytest.mark.parametrize(
    "name",
    [name for name, each in ARCHITECTURES.items() if each.n_parameters(VOCAB) < MOST_PARAMETERS],
)
def test_the_loss_falls_with_the_defaults(name: str, tmp_path: Path) -> None:
    defaults = TrainingSettings(architecture=name)
    share = N_STEPS / n_steps(defaults, defaults.context)
    recipe = defaults.model_copy(
        update={
            "context": CONTEXT,
            "batch_windows": N_WINDOWS,
            "n_tokens_per_proxy": N_STEPS * N_WINDOWS * CONTEXT,
            "warmup_steps": round(defaults.warmup_steps * share),
            "precision": "float32",
        }
    )
    n_documents = 400
    documents = chain_documents(np.random.default_rng(0), n_documents, language=1)
    stream = WindowStream(
        write_token_file(tmp_path, documents),
        np.arange(n_documents),
        np.ones(n_documents, np.int64),
        np.arange(n_documents, dtype=np.uint64),
        seed=1,
        context=CONTEXT,
        separator_id=SEPARATOR,
    )
    trained = train_on_streams(
        [stream], architecture_of(recipe), recipe, vocab_size=VOCAB, seeds=[0], device="cpu"
    )
    (proxy,) = trained.proxies
    assert proxy.status == "trained"
    # Every token has two continuations: from about ln 64 towards ln 2.
    assert proxy.train_loss[-1][1] < 0.4 * np.log(VOCAB)


@pytest.mark.parametrize(
    ("name", "vocab_size", "millions"),
    [("10m", 8_192, 10), ("60m", 32_000, 60), ("160m", 32_000, 160), ("quadmix-530m", 32_000, 530)],
)
def test_names_say_how_many_parameters_there_are(name: str, vocab_size: int, millions: int) -> None:
    n_parameters = ARCHITECTURES[name].n_parameters(vocab_size)
    assert n_parameters / 1e6 == pytest.approx(millions, rel=0.1)
