"""Trains and evaluates one stack; splits it if memory is short, resumes it after a killed run.

Unfinished work is checkpointed under a hash of its inputs: the results of a finished stack and the
state of one in training stay in files until the whole batch is written. So a batch that was killed
resumes, with the same results.
"""

import json
from collections.abc import Callable, Sequence

import numpy as np
import torch
from upath import UPath

from quadmix_assets.device import is_out_of_memory, torch_threads
from quadmix_assets.store import carded_file, read_carded, read_reusable
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.checkpoint import Checkpoint
from quadmix_assets.training.evaluation import TargetLoss, evaluate_stack
from quadmix_assets.training.kept_weights import keep_stack
from quadmix_assets.training.loop import StackProgress, TrainedStack, train_on_streams
from quadmix_assets.training.progress import StackReport
from quadmix_assets.training.recipe import n_steps
from quadmix_assets.training.stacks import ProxyResult, Stack, StackJob, stack_key
from quadmix_assets.training.tensorboard import TensorBoardLog
from quadmix_assets.training.token_file import TokenFile
from quadmix_assets.training.window_stream import WindowStream

Report = Callable[[StackReport], None]

# By architecture and vocabulary size: the largest stack that fits, set when a larger one did not.
_fits: dict[tuple[Architecture, int], int] = {}


def train_stack(job: StackJob, stack: Stack, report: Report) -> list[ProxyResult]:
    """Train and evaluate the proxies of a stack.

    A stack that does not fit in memory is halved until it does; the size that fitted is used for
    later stacks too.

    Args:
        job: the inputs that all stacks share.
        stack: the samples.
        report: called with the progress of the whole stack.

    Raises:
        RuntimeError: memory does not hold a single proxy.
    """
    model = (job.architecture, job.vocab_size)
    waiting = _cut(stack, _fits.get(model, len(stack)))
    results: list[ProxyResult] = []
    done = StackReport(0, 0, None, 0)
    while waiting:
        part = waiting.pop(0)
        try:
            found, last = _train_or_reuse(job, part, _after(done, report))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(part) == 1:
                raise RuntimeError(
                    "the memory does not hold a single proxy: choose a smaller "
                    "proxies.training.architecture, context or tokenizer vocabulary"
                ) from error
            torch.cuda.empty_cache()
            _fits[model] = -(-len(part) // 2)
            waiting = _cut([*part, *(one for rest in waiting for one in rest)], _fits[model])
        else:
            results += found
            done = _sum(done, last)
    return results


def _train_or_reuse(
    job: StackJob, stack: Stack, report: Report
) -> tuple[list[ProxyResult], StackReport]:
    """Results and last report, from the results file of an earlier run if there is one."""
    if job.unfinished_folder is None:
        return _train_and_evaluate(job, stack, None, report)
    key = stack_key(job, stack)
    results_file = job.unfinished_folder / f"{key}.json"
    results = _finished(results_file)
    if results is not None:
        n_tokens = sum(result.training.n_tokens for result in results)
        n_failed = sum(result.training.status == "failed" for result in results)
        last = StackReport(n_tokens, n_tokens, None, n_failed)
        report(last)
        return results, last
    checkpoint = Checkpoint(job.unfinished_folder / f"{key}.state", key, job.checkpoint_seconds)
    results, last = _train_and_evaluate(job, stack, checkpoint, report)
    with carded_file(results_file) as file:
        file.write(json.dumps([result.to_json() for result in results]).encode())
    checkpoint.remove()
    return results, last


def _finished(path: UPath) -> list[ProxyResult] | None:
    """The results of a finished stack; None if there are none, or they are damaged."""
    content = read_reusable(lambda: read_carded(path), "the stack is trained again")
    if content is None:
        return None
    return [ProxyResult.from_json(each) for each in json.loads(content)]


def _train_and_evaluate(
    job: StackJob, stack: Stack, checkpoint: Checkpoint | None, report: Report
) -> tuple[list[ProxyResult], StackReport]:
    streams = streams_of(job, stack)
    sample_ids = [sample.sample_id for sample, _ in stack]
    curves = TensorBoardLog(job.tensorboard_folder, sample_ids) if job.tensorboard_folder else None
    reports: list[StackReport] = []

    def on_progress(progress: StackProgress) -> None:
        n_resumed = reports[0].n_tokens if reports else progress.n_tokens
        finite = progress.losses[np.isfinite(progress.losses)]
        loss = float(finite.mean()) if finite.size else None
        reports.append(StackReport(progress.n_tokens, n_resumed, loss, progress.n_failed))
        report(reports[-1])
        if curves is not None:
            curves.add(progress)

    with torch_threads(job.n_threads):
        train = job.engine or _as_one_model
        trained = train(job, stack, streams, checkpoint, on_progress)
        losses = evaluate_stack(trained, job.targets)
    results = [
        _result(sample_id, k, streams[k], trained, losses) for k, sample_id in enumerate(sample_ids)
    ]
    if job.keep is not None:
        keep_stack(job.keep, stack_key(job, stack), trained, results)
    if curves is not None:
        target_nats = [
            {t: measured.loss_nats for t, measured in result.losses.items()} for result in results
        ]
        curves.close(target_nats, n_steps(job.recipe, job.architecture.context))
    return results, reports[-1]


def _as_one_model(
    job: StackJob,
    stack: Stack,
    streams: Sequence[WindowStream],
    checkpoint: Checkpoint | None,
    on_progress: Callable[[StackProgress], None],
) -> TrainedStack:
    """The engine for small models: all of the stack as one batched model."""
    return train_on_streams(
        streams,
        job.architecture,
        job.recipe,
        vocab_size=job.vocab_size,
        seeds=[sample.seed for sample, _ in stack],
        device=job.device,
        compiled=job.compiled,
        on_progress=on_progress,
        checkpoint=checkpoint,
    )


def streams_of(job: StackJob, stack: Stack) -> list[WindowStream]:
    """What the proxies of a stack read, at its beginning."""
    token_file = TokenFile.open(job.token_folder)
    return [
        WindowStream(
            token_file,
            sample.documents,
            sample.copies,
            hashes,
            seed=sample.order_seed,
            context=job.architecture.context,
            separator_id=job.separator_id,
            piece_share=job.piece_share,
            max_pieces=job.max_pieces,
        )
        for sample, hashes in stack
    ]


def _result(
    sample_id: int,
    k: int,
    stream: WindowStream,
    trained: TrainedStack,
    losses: dict[str, TargetLoss],
) -> ProxyResult:
    """The result of the k-th proxy of the stack."""
    training = trained.proxies[k]
    measured = {target: loss.of_proxy(k) for target, loss in losses.items()}
    reads = stream.tokens_read().sample()
    return ProxyResult(sample_id, training, stream.n_tokens_sample, measured, reads)


def _cut(stack: Stack, size: int) -> list[Stack]:
    return [stack[first : first + size] for first in range(0, len(stack), size)]


def _after(done: StackReport, report: Report) -> Report:
    """A `report` that adds `done`, the progress of the parts of the stack trained before."""
    return lambda now: report(_sum(done, now))


def _sum(done: StackReport, now: StackReport) -> StackReport:
    return StackReport(
        done.n_tokens + now.n_tokens,
        done.n_tokens_resumed + now.n_tokens_resumed,
        now.mean_loss_nats,
        done.n_failed + now.n_failed,
    )
