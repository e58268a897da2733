import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from upath import UPath

from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.checkpoint import Checkpoint
from quadmix_assets.training.evaluation import evaluate_stack
from quadmix_assets.training.loop import StackProgress, TrainedStack, train_on_streams
from quadmix_assets.training.targets import pack_target
from quadmix_assets.training.token_file import TokenFile
from quadmix_assets_tests.training.stacks import (
    ARCHITECTURE,
    SEPARATOR,
    VOCAB,
    chain_documents,
    make_recipe,
    stream_of,
    write_token_file,
)

RECIPE = make_recipe(n_tokens_per_proxy=6_000, batch_windows=4, learning_rate=1e-2, warmup_steps=5)
LANGUAGES = {"a": np.arange(150), "b": np.arange(150, 300)}


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> TokenFile:
    rng = np.random.default_rng(0)
    documents = chain_documents(rng, 150, language=1) + chain_documents(rng, 150, language=2)
    return write_token_file(tmp_path_factory.mktemp("token_file"), documents)


def train(
    token_file: TokenFile,
    samples: list[np.ndarray],
    recipe: TrainingSettings = RECIPE,
    *,
    seed: int = 0,
) -> TrainedStack:
    streams = [stream_of(token_file, sample) for sample in samples]
    return train_on_streams(
        streams, ARCHITECTURE, recipe, vocab_size=VOCAB, seeds=[seed] * len(streams)
    )


def last_losses(stack: TrainedStack) -> list[float]:
    return [proxy.train_loss[-1][1] for proxy in stack.proxies]


def test_proxies_learn_and_matching_data_wins(token_file: TokenFile) -> None:
    stack = train(token_file, list(LANGUAGES.values()))
    # Two continuations each: the chain's entropy is ln 2, an untrained model's loss ln 64.
    assert max(last_losses(stack)) < 0.6 * np.log(VOCAB)
    rng = np.random.default_rng(9)
    targets = {}
    for number, name in enumerate(LANGUAGES, start=1):
        documents = chain_documents(rng, 60, language=number)
        sizes = [len(d) for d in documents]
        targets[name] = pack_target(
            documents, sizes, context=ARCHITECTURE.context, separator_id=SEPARATOR
        )
    losses = evaluate_stack(stack, targets)
    assert losses["a"].loss_nats[0] + 0.5 < losses["a"].loss_nats[1]
    assert losses["b"].loss_nats[1] + 0.5 < losses["b"].loss_nats[0]


def test_a_proxy_trains_alike_alone_and_among_others(token_file: TokenFile) -> None:
    rng = np.random.default_rng(1)
    samples = [rng.choice(300, 120, replace=False) for _ in range(8)]
    recipe = RECIPE.model_copy(update={"n_tokens_per_proxy": 2_000})
    together = last_losses(train(token_file, samples, recipe))
    for k in (0, 5):
        alone = last_losses(train(token_file, [samples[k]], recipe))
        assert alone == pytest.approx([together[k]], rel=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_call_gives_the_same_bytes(token_file: TokenFile, precision: str) -> None:
    recipe = RECIPE.model_copy(update={"n_tokens_per_proxy": 1_000, "precision": precision})
    samples = list(LANGUAGES.values())
    one, two = (train(token_file, samples, recipe) for _ in range(2))
    assert one.proxies == two.proxies
    for mine, other in zip(one.model.parameters(), two.model.parameters(), strict=True):
        assert torch.equal(mine, other)
    reseeded = train(token_file, samples, recipe, seed=1)
    assert last_losses(reseeded) != last_losses(one)


def test_windows_of_another_order_train_another_proxy(token_file: TokenFile) -> None:
    streams = [stream_of(token_file, LANGUAGES["a"], seed=seed) for seed in (1, 2)]
    recipe = RECIPE.model_copy(update={"n_tokens_per_proxy": 1_000})
    stack = train_on_streams(streams, ARCHITECTURE, recipe, vocab_size=VOCAB, seeds=[0, 0])
    assert last_losses(stack)[0] != last_losses(stack)[1]


def test_a_sample_without_tokens_fails_alone(token_file: TokenFile) -> None:
    recipe = RECIPE.model_copy(update={"n_tokens_per_proxy": 1_000})
    stack = train(token_file, [LANGUAGES["a"], np.arange(0)], recipe)
    failed = stack.proxies[1]
    assert (failed.status, failed.reason) == ("failed", "its sample holds no tokens")
    assert (failed.train_loss, failed.n_tokens, failed.epochs) == ((), 0, 0.0)
    assert stack.proxies[0].status == "trained"
    alone = train(token_file, [LANGUAGES["a"], LANGUAGES["b"]], recipe)
    assert stack.proxies[0] == alone.proxies[0]


def test_a_stack_of_failures_ends(token_file: TokenFile) -> None:
    stack = train(token_file, [np.arange(0)], RECIPE.model_copy(update={"n_tokens_per_proxy": 200}))
    assert stack.proxies[0].status == "failed"


def test_records_count_tokens_and_epochs(token_file: TokenFile) -> None:
    few = np.arange(3)
    stack = train(token_file, [few], RECIPE.model_copy(update={"n_tokens_per_proxy": 1_000}))
    record = stack.proxies[0]
    n_windows = 16 * 4
    assert record.n_tokens == n_windows * ARCHITECTURE.context
    lengths = token_file.n_tokens[few]
    n_sample = int((lengths + -(-lengths // ARCHITECTURE.context)).sum())
    assert record.epochs == pytest.approx(n_windows * (ARCHITECTURE.context + 1) / n_sample)
    ends = [n_tokens for n_tokens, _ in record.train_loss]
    assert ends == sorted(set(ends))
    assert ends[-1] == record.n_tokens
    assert stack.seconds > 0


def test_progress_comes_at_the_start_and_at_the_end(token_file: TokenFile) -> None:
    heard: list[StackProgress] = []
    train_on_streams(
        [stream_of(token_file, LANGUAGES["a"]), stream_of(token_file, np.arange(0))],
        ARCHITECTURE,
        RECIPE.model_copy(update={"n_tokens_per_proxy": 640}),
        vocab_size=VOCAB,
        seeds=[0, 0],
        on_progress=heard.append,
    )
    assert [progress.step for progress in heard] == [0, 10]
    assert np.isnan(heard[0].losses).all()
    last = heard[-1]
    assert (last.n_steps, last.n_tokens, last.n_failed) == (10, 2 * 640, 1)
    assert 0 < last.losses[0] < 2 * np.log(VOCAB)
    assert np.isnan(last.losses[1])
    assert last.learning_rate == RECIPE.learning_rate


def test_a_training_goes_on_from_its_checkpoint(token_file: TokenFile, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"n_tokens_per_proxy": 2_000})
    expected = train(token_file, list(LANGUAGES.values()), recipe)
    heard: list[int] = []

    def run(stop_at: int | None, key: str = "key") -> TrainedStack:
        checkpoint = Checkpoint(UPath(tmp_path / "state"), key, seconds=1e-9)

        def on_progress(progress: StackProgress) -> None:
            heard.append(progress.step)
            if stop_at is not None and progress.step >= stop_at:
                raise KeyboardInterrupt

        return train_on_streams(
            [stream_of(token_file, sample) for sample in LANGUAGES.values()],
            ARCHITECTURE,
            recipe,
            vocab_size=VOCAB,
            seeds=[0, 0],
            on_progress=on_progress,
            checkpoint=checkpoint,
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quadmix_assets.training.loop._REPORT_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            run(stop_at=12)
    heard.clear()
    resumed = run(None)
    assert 0 < heard[0] <= 12
    assert resumed.proxies == expected.proxies
    for one, other in zip(resumed.model.parameters(), expected.model.parameters(), strict=True):
        assert torch.equal(one, other)
    heard.clear()
    run(None, key="another")
    assert heard[0] == 0


def test_inputs_that_do_not_fit_are_refused(token_file: TokenFile) -> None:
    stream = stream_of(token_file, LANGUAGES["a"])
    with pytest.raises(ValueError, match="1 streams and 2 seeds"):
        train_on_streams([stream], ARCHITECTURE, RECIPE, vocab_size=VOCAB, seeds=[1, 2])
    longer = dataclasses.replace(ARCHITECTURE, context=17)
    with pytest.raises(ValueError, match="windows of 17 tokens; architecture test needs 18"):
        train_on_streams([stream], longer, RECIPE, vocab_size=VOCAB, seeds=[1])
    with pytest.raises(ValueError, match="outside the vocabulary of 8"):
        train_on_streams([stream], ARCHITECTURE, RECIPE, vocab_size=8, seeds=[1])
