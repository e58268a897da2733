"""Training speed of proxies: stacks against one model after the other in plain PyTorch.

    python -m benchmarks.stacks                                      # architecture tiny on the CPU
    python -m benchmarks.stacks --architecture regmix-1m --vocabulary 50000 --batch-windows 64 \
        --device cuda --sizes 1 16 64 --workers 1
    python -m benchmarks.stacks --growth 1 4 16 64 256               # how cost grows with proxies

One run measures the ceiling (a large matrix product on every core, or on the GPU), plain PyTorch
with all cores in both precisions (the faster one is the baseline), and stacks of several sizes
through the project's own workers. Prints tokens per second of all proxies together, the ratio to
plain PyTorch, the share of the ceiling, and on a GPU the hours for a proxy of a billion tokens.
"""

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from benchmarks.plain_llama import PlainLlama
from quadmix_assets.device import precision_dtype, training_precision
from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import ARCHITECTURES, Architecture, architecture_named
from quadmix_assets.training.progress import ProgressBoard
from quadmix_assets.training.stacks import Sample, Stack, StackJob
from quadmix_assets.training.token_file import TokenFile, TokenFileWriter
from quadmix_assets.training.workers import StackBatch, run_stacks

N_DOCUMENTS, DOCUMENT_TOKENS = 2_000, 500


def ceiling_flops(device: torch.device, precision: str, n_workers: int) -> float:
    """Floating-point operations per second of large matrix products, summed over all workers."""
    size = 1_024 if device.type == "cpu" else 8_192
    a, b = (torch.randn(size, size, device=device).to(precision_dtype(precision)) for _ in "ab")

    def product() -> float:
        torch.set_num_threads(1)
        a @ b
        start, n = time.perf_counter(), 0
        while time.perf_counter() - start < 1.0:
            a @ b
            n += 1
        if device.type == "cuda":
            torch.cuda.synchronize()
        return n * 2 * size**3 / (time.perf_counter() - start)

    with ThreadPoolExecutor(n_workers) as executor:
        return sum(executor.map(lambda _: product(), range(n_workers)))


def plain_rate(job: StackJob, precision: str, n_threads: int, seconds: float) -> float:
    """Tokens per second of one model after the other, in plain PyTorch with all cores."""
    torch.set_num_threads(n_threads)
    device = torch.device(job.device)
    token_file = TokenFile.open(job.token_folder)
    model = PlainLlama(job.architecture, job.vocab_size).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    n_windows, length = job.recipe.batch_windows, job.architecture.context + 1
    tokens = np.asarray(token_file.tokens[: n_windows * length * 4], np.int64)

    def step(n: int) -> None:
        start = n % 4 * n_windows * length
        windows = torch.from_numpy(tokens[start : start + n_windows * length]).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            loss = model(windows.view(n_windows, length))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    for n in range(3):
        step(n)
    start, n = time.perf_counter(), 0
    while time.perf_counter() - start < seconds or not n:
        step(n)
        n += 1
        if device.type == "cuda":
            torch.cuda.synchronize()
    return n * n_windows * job.architecture.context / (time.perf_counter() - start)


def stack_rate(job: StackJob, size: int, n_proxies: int, n_workers: int, n_steps: int) -> float:
    """Tokens per second of `n_proxies` in stacks of `size`, through the project's workers."""
    documents = np.arange(N_DOCUMENTS)
    hashes = documents.astype(np.uint64)
    proxies = [
        (Sample(k, documents, np.ones(N_DOCUMENTS, np.int64), seed=k, order_seed=k), hashes)
        for k in range(n_proxies)
    ]
    stacks: Sequence[Stack] = [proxies[k : k + size] for k in range(0, n_proxies, size)]
    n_tokens = n_steps * job.recipe.batch_windows * job.architecture.context
    timed = dataclasses.replace(
        job, recipe=job.recipe.model_copy(update={"n_tokens_per_proxy": n_tokens})
    )
    board = ProgressBoard(1, 1, None, 1e9)
    start = time.perf_counter()
    done = [
        r
        for _, found in run_stacks([StackBatch(timed, stacks, board)], n_workers=n_workers)
        for r in found
    ]
    seconds = time.perf_counter() - start
    return sum(result.training.n_tokens for result in done) / seconds


def make_job(folder: Path, architecture: Architecture, options: argparse.Namespace) -> StackJob:
    """A job on a token file of random tokens, without target sets."""
    rng = np.random.default_rng(0)
    with TokenFileWriter(folder, options.vocabulary) as writer:
        for _ in range(N_DOCUMENTS):
            writer.append([rng.integers(1, options.vocabulary, DOCUMENT_TOKENS)])
    recipe = TrainingSettings(
        architecture=options.architecture, batch_windows=options.batch_windows
    ).model_copy(
        update={"precision": training_precision(options.precision, torch.device(options.device))}
    )
    return StackJob(
        token_folder=folder,
        architecture=architecture,
        recipe=recipe,
        vocab_size=options.vocabulary,
        separator_id=0,
        targets={},
        device=options.device,
        compiled=options.compile,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), default="tiny")
    parser.add_argument("--vocabulary", type=int, default=2_048)
    parser.add_argument("--batch-windows", type=int, default=4)
    parser.add_argument("--context", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--compile", default="auto", choices=["auto", "on", "off"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", type=int, nargs="+", help="numbers of proxies, in stacks of 8")
    options = parser.parse_args()
    architecture = architecture_named(options.architecture)
    architecture = dataclasses.replace(
        architecture, context=options.context or architecture.context
    )
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory() as name:
        job = make_job(Path(name), architecture, options)
        # Starts the workers, which import torch, before anything is timed.
        stack_rate(job, 1, options.workers, options.workers, 3)
        if options.growth:
            for n in options.growth:
                rate = stack_rate(job, 8, n, options.workers, options.steps)
                print(f"{n:4} proxies: {rate:10,.0f} tokens/s", flush=True)
            return
        flops = architecture.flops_per_token(options.vocabulary)
        top = ceiling_flops(device, job.recipe.precision, options.workers) / flops
        print(f"ceiling of matrix products, {job.recipe.precision}: {top:12,.0f} tokens/s")
        for size in options.sizes:
            # Each size of stack is compiled once, which would hide the speed of short trainings.
            stack_rate(job, size, size * options.workers, options.workers, 3)
        best: dict[object, float] = {}
        for _ in range(options.rounds):
            for precision in ("float32", "bfloat16"):
                rate = plain_rate(job, precision, options.workers, 2.0)
                best[precision] = max(best.get(precision, 0.0), rate)
            for size in options.sizes:
                n = size * options.workers
                rate = stack_rate(job, size, n, options.workers, options.steps)
                best[size] = max(best.get(size, 0.0), rate)
        plain = max(best["float32"], best["bfloat16"])
        for precision in ("float32", "bfloat16"):
            print(f"plain PyTorch, {precision:8}: {best[precision]:12,.0f} tokens/s")
        for size in options.sizes:
            rate = best[size]
            hours = f", {1e9 / rate / 3600:.3f} h for 1B tokens" if device.type == "cuda" else ""
            print(
                f"stacks of {size:3}: {rate:12,.0f} tokens/s, {rate / plain:5.2f} times plain "
                f"PyTorch, {rate / top:4.0%} of the ceiling{hours}",
                flush=True,
            )


if __name__ == "__main__":
    main()
