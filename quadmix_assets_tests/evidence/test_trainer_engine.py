"""The Trainer trains what a stack trains, resumes to the last bit, and says when it fails."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from upath import UPath

from quadmix_assets.evidence import llama_trainer, trainer_engine
from quadmix_assets.evidence.trainer_engine import train_by_trainer
from quadmix_assets.training.checkpoint import Checkpoint
from quadmix_assets.training.loop import StackProgress, TrainedStack, train_on_streams
from quadmix_assets.training.stacks import Sample, Stack, StackJob
from quadmix_assets.training.train_stack import streams_of, train_stack
from quadmix_assets_tests.lakes import damage
from quadmix_assets_tests.training.stacks import ARCHITECTURE, make_job, make_recipe, make_stacks

N_STEPS, N_WINDOWS = 12, 4
N_TOKENS = N_STEPS * N_WINDOWS * ARCHITECTURE.context


class Killed(BaseException):
    """What ends a run in the middle."""


@pytest.fixture
def job(tmp_path: Path) -> StackJob:
    job = make_job(tmp_path / "tokens", n_tokens=N_TOKENS)
    recipe = make_recipe(
        n_tokens_per_proxy=N_TOKENS,
        batch_windows=N_WINDOWS,
        learning_rate=1e-2,
        warmup_steps=3,
        schedule="cosine",
        max_grad_norm=0.5,
    )
    return dataclasses.replace(job, recipe=recipe)


STACK: Stack = make_stacks(2)[1]


def silence(_: StackProgress) -> None:
    """Nobody follows the training."""


def train(
    job: StackJob,
    checkpoint: Checkpoint | None = None,
    on_progress: Callable[[StackProgress], None] = silence,
    **options: Any,
) -> TrainedStack:
    streams = streams_of(job, STACK)
    return train_by_trainer(job, STACK, streams, checkpoint, on_progress, **options)


def assert_same(one: TrainedStack, other: TrainedStack, tolerance: float = 0.0) -> None:
    for mine, theirs in zip(one.model.parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=tolerance, rtol=0.0)
    (first,), (second,) = one.proxies, other.proxies
    assert dataclasses.replace(first, train_loss=()) == dataclasses.replace(second, train_loss=())
    np.testing.assert_allclose(first.train_loss, second.train_loss, rtol=1e-3 * bool(tolerance))


def test_it_trains_what_a_stack_trains(job: StackJob) -> None:
    """The same windows, rates, clipping, decay and initial weights, by other code."""
    stack = train_on_streams(
        streams_of(job, STACK),
        job.architecture,
        job.recipe,
        vocab_size=job.vocab_size,
        seeds=[STACK[0][0].seed],
        device="cpu",
    )
    trained = train(job)
    assert_same(trained, stack, tolerance=1e-4)
    assert trained.proxies[0].train_loss[-1][1] < trained.proxies[0].train_loss[0][1] - 0.3


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_killed_training_resumes_to_the_last_bit(
    job: StackJob, tmp_path: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = job.recipe.model_copy(update={"precision": precision})
    job = dataclasses.replace(job, recipe=recipe, checkpoint_seconds=0.0)
    whole = train(job)
    folder = tmp_path / "unfinished"
    checkpoint = Checkpoint(UPath(folder / "key.state"), "key", 0.0)
    monkeypatch.setattr(llama_trainer, "_REPORT_SECONDS", 0.0)
    steps: list[int] = []

    def kill_half_way(progress: StackProgress) -> None:
        steps.append(progress.step)
        if progress.step == N_STEPS // 2:
            raise Killed

    with pytest.raises(Killed):
        train(job, checkpoint, kill_half_way)
    assert [file.name for file in folder.iterdir()] == ["key.checkpoint"]
    resumed: list[int] = []
    again = train(job, checkpoint, lambda progress: resumed.append(progress.step))
    assert 0 < resumed[0] <= steps[-1]
    assert_same(again, whole)
    checkpoint.remove()
    assert list(folder.iterdir()) == []


def test_a_damaged_checkpoint_is_as_good_as_none(job: StackJob, tmp_path: Path) -> None:
    job = dataclasses.replace(job, checkpoint_seconds=0.0)
    checkpoint = Checkpoint(UPath(tmp_path / "unfinished" / "key.state"), "key", 0.0)
    whole = train(job, checkpoint)
    damage(checkpoint.folder / "optimizer.pt")
    steps: list[int] = []
    assert_same(train(job, checkpoint, lambda progress: steps.append(progress.step)), whole)
    assert steps[0] == 0


def test_more_passes_where_memory_is_short(job: StackJob, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(job)
    real, tried = llama_trainer.train_llama, []

    def short(job: StackJob, seed: int, stream: Any, attempt: Any, report: Any) -> Any:
        tried.append(attempt.windows_per_pass)
        if attempt.windows_per_pass > 1:
            stream.read(3)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(job, seed, stream, attempt, report)

    monkeypatch.setattr(llama_trainer, "train_llama", short)
    assert_same(train(job), whole, tolerance=1e-5)
    assert tried == [4, 2, 1]


def test_several_processes_share_the_windows_of_a_step(job: StackJob, tmp_path: Path) -> None:
    steps: list[int] = []
    streams = streams_of(job, STACK)
    shared = train_by_trainer(
        job, STACK, streams, None, lambda progress: steps.append(progress.step), n_processes=2
    )
    assert_same(shared, train(job), tolerance=1e-5)
    assert steps[-1] == N_STEPS


def test_a_model_that_diverges_is_a_failed_one(job: StackJob) -> None:
    recipe = job.recipe.model_copy(update={"learning_rate": 1e30, "warmup_steps": 0})
    (proxy,) = (found := train(dataclasses.replace(job, recipe=recipe))).proxies
    assert proxy.status == "failed"
    assert proxy.reason is not None
    assert "not finite at step" in proxy.reason
    assert proxy.n_tokens < N_TOKENS
    assert all(np.isfinite(loss) for _, loss in proxy.train_loss)
    assert all(not bool(parameter.any()) for parameter in found.model.parameters())


def test_a_sample_without_tokens_is_a_failed_model(job: StackJob) -> None:
    none = np.zeros(0, np.int64)
    stack: Stack = [(Sample(0, none, none, seed=1, order_seed=1), none.astype(np.uint64))]
    trained = train_by_trainer(job, stack, streams_of(job, stack), None, silence)
    assert [proxy.reason for proxy in trained.proxies] == ["its sample holds no tokens"]


def test_results_of_stacks_are_kept_as_those_of_the_other_engine(
    job: StackJob, tmp_path: Path
) -> None:
    job = dataclasses.replace(
        job, engine=train_by_trainer, unfinished_folder=UPath(tmp_path / "unfinished"), targets={}
    )
    (first,) = train_stack(job, STACK, lambda _: None)
    reports: list[int] = []
    (again,) = train_stack(job, STACK, lambda report: reports.append(report.n_tokens_resumed))
    assert again == first
    assert reports == [N_TOKENS]
    assert first.sample_id == STACK[0][0].sample_id
    assert first.training.n_tokens == N_TOKENS


def test_it_refuses_several_models_at_once(job: StackJob) -> None:
    both = [*make_stacks(2)[0], *make_stacks(2)[1]]
    with pytest.raises(ValueError, match="one by one"):
        train_by_trainer(job, both, streams_of(job, both), None, silence)


def test_divisors() -> None:
    find = partial(trainer_engine._divisor, 12)
    assert [find(most) for most in (0, 1, 5, 7, 12, 99)] == [1, 1, 4, 6, 12, 12]
