import dataclasses
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from upath import UPath

from quadmix_assets.training import train_stack as train_stack_module
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.progress import StackReport
from quadmix_assets.training.stacks import ProxyResult, StackJob
from quadmix_assets.training.train_stack import train_stack
from quadmix_assets_tests.training.stacks import make_job, stack_of


def resumable_job(folder: Path, *, n_tokens: int = 640) -> StackJob:
    return dataclasses.replace(
        make_job(folder, n_tokens=n_tokens),
        unfinished_folder=UPath(folder / "unfinished"),
        checkpoint_seconds=1e-9,
    )


@pytest.fixture(autouse=True)
def nothing_learned_of_memory() -> None:
    train_stack_module._fits.clear()


def test_results_that_were_kept_are_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = resumable_job(tmp_path)
    first: list[StackReport] = []
    results = train_stack(job, stack_of(2), first.append)
    files = {file.suffix for file in (tmp_path / "unfinished").iterdir()}
    assert files == {".json", ".card"}, "no checkpoint is left"
    monkeypatch.setattr(train_stack_module, "train_on_streams", None)
    second: list[StackReport] = []
    assert train_stack(job, stack_of(2), second.append) == results
    assert second == [StackReport(2 * 640, 2 * 640, None, 0)]
    assert (first[0].n_tokens, first[-1].n_tokens, first[-1].n_tokens_resumed) == (0, 2 * 640, 0)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_losses_are_the_same_to_the_bit_in_stacks_of_any_size(
    tmp_path: Path, precision: str
) -> None:
    job = make_job(tmp_path, n_tokens=1)
    # Two passes a step, so that the order in which gradients are summed matters.
    architecture = dataclasses.replace(job.architecture, context=512)
    recipe = job.recipe.model_copy(
        update={"precision": precision, "n_tokens_per_proxy": 2 * 9 * 512, "batch_windows": 9}
    )
    job = dataclasses.replace(job, architecture=architecture, recipe=recipe, targets={})
    proxies = stack_of(16)
    alone = [train_stack(job, [proxy], lambda report: None)[0] for proxy in proxies[:3]]
    for size in (3, 16):
        together = train_stack(job, proxies[:size], lambda report: None)
        assert [result.training for result in together[:3]] == [each.training for each in alone]


def test_results_go_through_json_unchanged(tmp_path: Path) -> None:
    documents = np.arange(0)
    empty = dataclasses.replace(stack_of(1)[0][0], documents=documents, copies=documents)
    stack = [*stack_of(1), (empty, documents.astype(np.uint64))]
    for result in train_stack(make_job(tmp_path, n_tokens=640), stack, lambda report: None):
        assert ProxyResult.from_json(result.to_json()) == result


def test_a_stack_too_large_for_the_memory_is_halved_for_what_follows_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tmp_path, n_tokens=640)
    expected = train_stack(job, stack_of(7), lambda report: None)
    sizes: list[int] = []
    compute = StackedLM.add_gradients

    def little_memory(self: StackedLM, *arguments: Any, **options: Any) -> torch.Tensor:
        sizes.append(self.n_proxies)
        if self.n_proxies > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(self, *arguments, **options)

    monkeypatch.setattr(StackedLM, "add_gradients", little_memory)
    reports: list[StackReport] = []
    found = train_stack(job, stack_of(7), reports.append)
    assert [result.sample_id for result in found] == list(range(7))
    for one, other in zip(found, expected, strict=True):
        assert one.losses["held_out"][0] == pytest.approx(other.losses["held_out"][0], rel=1e-4)
    assert list(dict.fromkeys(sizes)) == [7, 4, 2, 1]
    assert sizes[:3] == [7, 4, 2]
    n_tokens = [report.n_tokens for report in reports]
    assert n_tokens[-1] == 7 * 640
    sizes.clear()
    train_stack(job, stack_of(4), lambda report: None)
    assert max(sizes) == 2


def test_one_proxy_too_large_for_the_memory_is_an_error_that_names_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*arguments: Any, **options: Any) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")

    monkeypatch.setattr(StackedLM, "add_gradients", no_memory)
    with pytest.raises(
        RuntimeError, match=r"not hold a single proxy: .*proxies\.training\.architecture"
    ):
        train_stack(make_job(tmp_path, n_tokens=640), stack_of(2), lambda report: None)


def test_a_killed_process_goes_on_where_it_was_and_ends_in_the_same_numbers(
    tmp_path: Path,
) -> None:
    program = tmp_path / "train.py"
    program.write_text(
        textwrap.dedent(f"""
            from pathlib import Path
            import sys
            from quadmix_assets.training.train_stack import train_stack
            from quadmix_assets_tests.training.test_train_stack import resumable_job, stack_of

            job = resumable_job(Path({str(tmp_path)!r}), n_tokens=20_000)
            for result in train_stack(job, stack_of(3), lambda r: print(r, file=sys.stderr)):
                print(result.to_json())
        """)
    )
    command = [sys.executable, str(program)]
    unfinished = tmp_path / "unfinished"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not list(unfinished.glob("*.state")):
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        assert process.communicate()[0] == b""
    assert list(unfinished.glob("*.state"))
    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    begun = int(again.stderr.split("n_tokens=")[1].split(",")[0])
    assert 0 < begun < 3 * 20_000
    undisturbed = make_job(tmp_path / "other", n_tokens=20_000)
    expected = train_stack(undisturbed, stack_of(3), lambda report: None)
    assert again.stdout.splitlines() == [str(result.to_json()) for result in expected]
    assert not list(unfinished.glob("*.state"))
