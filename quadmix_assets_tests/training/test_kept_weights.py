import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from upath import UPath

from quadmix_assets.training.kept_weights import (
    bytes_of_weights,
    drop_other_stacks,
    evaluate_kept,
    kept_stacks,
)
from quadmix_assets.training.stacks import KeepWeights, ProxyResult, Sample, StackJob
from quadmix_assets.training.targets import TargetWindows, pack_target
from quadmix_assets.training.train_stack import train_stack
from quadmix_assets_tests.training.stacks import (
    ARCHITECTURE,
    SEPARATOR,
    VOCAB,
    make_job,
    stack_of,
)


def job_that_keeps(folder: Path, version: str = "one") -> StackJob:
    keep = KeepWeights(UPath(folder / "weights"), version)
    return dataclasses.replace(make_job(folder, n_tokens=640), keep=keep)


def keep_of(job: StackJob) -> KeepWeights:
    assert job.keep is not None
    return job.keep


def other_target() -> TargetWindows:
    documents = [np.arange(1, 40), np.arange(5, 30)]
    return pack_target(documents, [39, 25], context=ARCHITECTURE.context, separator_id=SEPARATOR)


def evaluate(job: StackJob, targets: dict[str, TargetWindows]) -> list[ProxyResult]:
    results = []
    for stack in kept_stacks(keep_of(job)):
        found = evaluate_kept(
            stack, ARCHITECTURE, VOCAB, targets, device=torch.device("cpu"), n_threads=1
        )
        assert found is not None
        results += found
    return results


def test_kept_proxies_have_the_losses_of_their_training(tmp_path: Path) -> None:
    """To the last bit, on other target sets too; a failed proxy stays failed."""
    job = job_that_keeps(tmp_path)
    nothing = np.empty(0, np.int64)
    empty = (Sample(9, nothing, nothing, seed=1, order_seed=1), nothing.astype(np.uint64))
    stack = [*stack_of(3), empty]
    trained = train_stack(job, stack, lambda report: None)
    assert evaluate(job, dict(job.targets)) == trained
    targets = {"other": other_target()}
    with_others = dataclasses.replace(job, targets=targets, keep=None)
    expected = train_stack(with_others, stack, lambda report: None)
    found = evaluate(job, targets)
    assert found == expected
    assert found[3].losses["other"].loss_nats is None
    size = sum(p.stat().st_size for p in (tmp_path / "weights").glob("*.pt"))
    assert size == pytest.approx(bytes_of_weights(ARCHITECTURE, VOCAB, 4), rel=0.2)


def test_weights_of_another_training_are_not_used(tmp_path: Path) -> None:
    job = job_that_keeps(tmp_path)
    train_stack(job, stack_of(1), lambda report: None)
    other = KeepWeights(keep_of(job).folder, "two")
    assert kept_stacks(other) == []
    assert len(kept_stacks(keep_of(job))) == 1
    drop_other_stacks(keep_of(job))
    assert len(kept_stacks(keep_of(job))) == 1
    drop_other_stacks(other)
    assert list((tmp_path / "weights").iterdir()) == []
    assert kept_stacks(KeepWeights(UPath(tmp_path / "none"), "one")) == []


def test_damaged_weights_are_no_weights(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    job = job_that_keeps(tmp_path)
    train_stack(job, stack_of(1), lambda report: None)
    (file,) = (tmp_path / "weights").glob("*.pt")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    (stack,) = kept_stacks(keep_of(job))
    found = evaluate_kept(stack, ARCHITECTURE, VOCAB, {}, device=torch.device("cpu"), n_threads=1)
    assert found is None
    assert "the proxies have to be trained again" in caplog.text
    (record,) = (tmp_path / "weights").glob("*.json")
    record.write_text("{}")
    assert kept_stacks(keep_of(job)) == []


def test_a_proxy_that_is_kept_twice_counts_once(tmp_path: Path) -> None:
    """As after a resumed run with other stacks."""
    job = job_that_keeps(tmp_path)
    train_stack(job, stack_of(2), lambda report: None)
    train_stack(job, stack_of(1), lambda report: None)
    ids = [result.sample_id for stack in kept_stacks(keep_of(job)) for result in stack.results]
    assert set(ids) == {0, 1}
