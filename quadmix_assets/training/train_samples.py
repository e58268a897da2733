"""Trains one model on each of several samples: from a token file to losses on target sets."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from tokenizers import Tokenizer
from upath import UPath

from quadmix_assets.corpus.target_sets import SEARCH
from quadmix_assets.corpus.tokenizer import project_tokenizer, separator_id
from quadmix_assets.device import choose_device, training_precision
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.training.kept_weights import evaluate_kept, kept_stacks
from quadmix_assets.training.progress import BatchProgress, ProgressBoard
from quadmix_assets.training.recipe import architecture_of, n_tokens_trained
from quadmix_assets.training.records import Measured, ProxyTraining
from quadmix_assets.training.stacks import (
    Engine,
    KeepWeights,
    ProxyResult,
    Sample,
    Stack,
    StackJob,
)
from quadmix_assets.training.targets import TargetWindows, read_targets
from quadmix_assets.training.task_workers import run_stacks_as_tasks
from quadmix_assets.training.tensorboard import tensorboard_folder
from quadmix_assets.training.token_source import TokenSource
from quadmix_assets.training.workers import StackBatch, run_stacks

METRICS_SCHEMA = {
    "sample_id": pl.Int32,
    "target": pl.String,
    "part": pl.String,
    **dict.fromkeys(Measured._fields, pl.Float64),
    "status": pl.String,
    "reason": pl.String,
    "n_tokens": pl.Int64,
    "n_tokens_sample": pl.Int64,
    "epochs": pl.Float64,
    "precision": pl.String,
}
READS_SCHEMA = {"sample_id": pl.Int32, "id_hash": pl.UInt64, "n_tokens": pl.Float64}


@dataclass(frozen=True)
class BatchResult:
    """The trainings and losses of a batch of proxies.

    Attributes:
        metrics: one row per proxy, target set and part, columns of METRICS_SCHEMA.
        trainings: one record per proxy, ordered by sample_id.
        reads: what each proxy read, columns of READS_SCHEMA: one row per proxy and document.
        tokens_per_second: of all proxies together.
        stack_size: largest number of proxies in one stack.
        piece_share: share of their samples that the proxies read.
    """

    metrics: pl.DataFrame
    trainings: list[ProxyTraining]
    reads: pl.DataFrame
    tokens_per_second: float
    stack_size: int
    piece_share: float = 1.0


@dataclass(frozen=True)
class SampleTraining:
    """One proxy for each of several samples, ready to be trained.

    Attributes:
        job: what all of them share.
        stacks: the samples of each stack.
        names: target set and part of each key of the losses.
    """

    job: StackJob
    stacks: list[Stack]
    names: Mapping[str, tuple[str, str]]

    @property
    def n_proxies(self) -> int:
        """Proxies of all stacks."""
        return sum(len(stack) for stack in self.stacks)

    def batch(
        self, on_progress: Callable[[BatchProgress], None] | None, seconds: float
    ) -> StackBatch:
        """The stacks, with a board that tells the progress every so many seconds."""
        of_proxy = n_tokens_trained(self.job.recipe, self.job.architecture.context)
        board = ProgressBoard(self.n_proxies, self.n_proxies * of_proxy, on_progress, seconds)
        return StackBatch(self.job, self.stacks, board)

    def result(self, results: Sequence[ProxyResult], tokens_per_second: float) -> BatchResult:
        """What the training gave."""
        ordered = sorted(results, key=lambda result: result.sample_id)
        return BatchResult(
            _metrics(ordered, self.job.recipe.precision, self.names),
            [result.training for result in ordered],
            _reads(ordered),
            tokens_per_second,
            max((len(stack) for stack in self.stacks), default=0),
            self.job.piece_share,
        )


def train_samples(
    store: Store,
    settings: Settings,
    token_folder: Path,
    id_hashes: np.ndarray,
    samples: Sequence[Sample],
    *,
    n_tokens_per_proxy: int,
    piece_share: float = 1.0,
    on_progress: Callable[[BatchProgress], None] | None = None,
    one_by_one: bool = False,
    unfinished_folder: UPath | None = None,
    token_source: TokenSource | None = None,
    inputs_version: Mapping[str, str] | None = None,
    parts: Sequence[str] = (SEARCH,),
    keep: KeepWeights | None = None,
) -> BatchResult:
    """Train one proxy on each sample and measure its loss on parts of every target set.

    Args:
        on_progress: called with the progress every `proxies.progress_seconds`, and at the end.
        store, settings, token_folder, id_hashes, samples, n_tokens_per_proxy, piece_share: as of
            `prepare_samples`, like all others.

    Raises:
        MissingOutputError, ValueError: as in `prepare_samples`.
        RuntimeError: as in `train_prepared`.
    """
    training = prepare_samples(
        store,
        settings,
        token_folder,
        id_hashes,
        samples,
        n_tokens_per_proxy=n_tokens_per_proxy,
        piece_share=piece_share,
        one_by_one=one_by_one,
        unfinished_folder=unfinished_folder,
        token_source=token_source,
        inputs_version=inputs_version,
        parts=parts,
        keep=keep,
    )
    return train_prepared(settings, [training], [on_progress])[0]


def prepare_samples(
    store: Store,
    settings: Settings,
    token_folder: Path,
    id_hashes: np.ndarray,
    samples: Sequence[Sample],
    *,
    n_tokens_per_proxy: int,
    piece_share: float = 1.0,
    one_by_one: bool = False,
    unfinished_folder: UPath | None = None,
    token_source: TokenSource | None = None,
    inputs_version: Mapping[str, str] | None = None,
    parts: Sequence[str] = (SEARCH,),
    keep: KeepWeights | None = None,
    engine: Engine | None = None,
) -> SampleTraining:
    """Group samples into stacks of `proxies.stack_size`, each to be trained as one batched model.

    Args:
        store: the lake, for tokenizer and target sets.
        settings: recipe, device, size of stacks.
        token_folder: the folder of the token file.
        id_hashes: (D,) uint64 hashes of the ids of its documents.
        samples: one per proxy.
        n_tokens_per_proxy: training tokens of each proxy.
        piece_share: share of a sample that a proxy reads, see `WindowStream`.
        one_by_one: train every proxy as a stack of its own.
        unfinished_folder: for results and checkpoints of stacks, so that a killed run can be
            resumed; None writes none.
        token_source: where other machines find the token file; None: only this one trains.
        inputs_version: identifies token file and target sets; results and checkpoints of another
            version are not used.
        parts: of the target sets on which losses are measured, one or both of EVALUATED, or none.
        keep: where the weights of the proxies are kept; None keeps none.
        engine: what trains proxies, one by one and in this process; None trains stacks.

    Raises:
        MissingOutputError: tokenizer or target sets are not there, or the target sets were encoded
            with another tokenizer.
        ValueError: a target set holds no tokens, or TensorBoard files cannot be written.
    """
    proxies = settings.proxies
    device = choose_device(proxies.device)
    architecture = architecture_of(proxies.training)
    recipe = proxies.training.model_copy(
        update={
            "n_tokens_per_proxy": n_tokens_per_proxy,
            "precision": training_precision(proxies.training.precision, device),
        }
    )
    tokenizer = project_tokenizer(store)
    targets = _read_parts(store, settings, tokenizer, architecture.context, parts)
    job = StackJob(
        token_folder=token_folder,
        architecture=architecture,
        recipe=recipe,
        vocab_size=tokenizer.get_vocab_size(),
        separator_id=separator_id(tokenizer),
        targets=targets.windows,
        piece_share=piece_share,
        max_pieces=_max_pieces(settings, n_tokens_per_proxy, architecture.context),
        # An engine may use all GPUs.
        device=str(device) if engine is None else proxies.device,
        compiled=proxies.compile,
        n_threads=proxies.n_threads,
        inputs_version=json.dumps(inputs_version, sort_keys=True),
        unfinished_folder=unfinished_folder,
        checkpoint_seconds=proxies.checkpoint_seconds,
        tensorboard_folder=tensorboard_folder(store) if proxies.tensorboard else None,
        keep=keep,
        engine=engine,
        token_source=token_source,
    )
    size = 1 if one_by_one or engine is not None else proxies.stack_size
    if size == "auto":
        from quadmix_assets.training.capacity import stack_size

        size = stack_size(architecture, recipe, job.vocab_size, device, most=len(samples))
    stacks: list[Stack] = [
        [(sample, id_hashes[sample.documents]) for sample in samples[first : first + size]]
        for first in range(0, len(samples), size)
    ]
    return SampleTraining(job, stacks, targets.names)


def train_prepared(
    settings: Settings,
    trainings: Sequence[SampleTraining],
    on_progress: Sequence[Callable[[BatchProgress], None] | None],
) -> list[BatchResult]:
    """Train the stacks of all trainings, by `proxies.n_workers` processes.

    Other programs on the machine slow down several single-threaded processes much less than one
    process whose threads wait for each other. On a GPU, and with an engine, this process trains all
    stacks; with `execution.engine: ray`, tasks of the cluster do. A loss does not depend on that.

    Args:
        settings: device, and number of processes.
        trainings: with the same engine.
        on_progress: of each training, called every `proxies.progress_seconds`, and at the end.

    Raises:
        RuntimeError: a worker process or task was lost, or a single proxy does not fit in memory.
    """
    proxies = settings.proxies
    batches = [
        training.batch(tell, proxies.progress_seconds)
        for training, tell in zip(trainings, on_progress, strict=True)
    ]
    results: list[list[ProxyResult]] = [[] for _ in trainings]
    for number, of_stack in _trained(settings, batches):
        results[number] += of_stack
    found = []
    for training, batch, of_training in zip(trainings, batches, results, strict=True):
        batch.board.tell_if_due(at_once=True)
        found.append(training.result(of_training, batch.board.progress().tokens_per_second))
    return found


def _trained(
    settings: Settings, batches: Sequence[StackBatch]
) -> Iterator[tuple[int, list[ProxyResult]]]:
    """The number of the batch and the results of each stack, trained wherever the settings say."""
    jobs = [batch.job for batch in batches]
    with_engine = any(job.engine is not None for job in jobs)
    tasks = settings.execution.stack_tasks
    if tasks is not None and not with_engine and all(job.token_source for job in jobs):
        return run_stacks_as_tasks(batches, tasks)
    in_here = with_engine or choose_device(settings.proxies.device).type == "cuda"
    return run_stacks(batches, n_workers=1 if in_here else settings.proxies.n_workers)


def evaluate_samples(
    store: Store,
    settings: Settings,
    keep: KeepWeights,
    sample_ids: Sequence[int],
    *,
    piece_share: float,
    parts: Sequence[str] = (SEARCH,),
) -> BatchResult | None:
    """Measure kept proxies on the present target sets, without training.

    Args:
        store: the lake, for tokenizer and target sets.
        settings: recipe and device.
        keep: where the weights of the proxies were kept, and by which version they were trained.
        sample_ids: the proxies.
        piece_share: the share of their samples that they read.
        parts: of the target sets, one or both of EVALUATED.

    Returns:
        What their training would have given, with a rate of 0 tokens per second; None if the
        weights of a proxy were not kept, or are damaged.

    Raises:
        MissingOutputError, ValueError: as in `train_samples`.
    """
    stacks = kept_stacks(keep)
    if not {result.sample_id for stack in stacks for result in stack.results} >= set(sample_ids):
        return None
    device = choose_device(settings.proxies.device)
    architecture = architecture_of(settings.proxies.training)
    tokenizer = project_tokenizer(store)
    targets = _read_parts(store, settings, tokenizer, architecture.context, parts)
    by_id: dict[int, ProxyResult] = {}
    for stack in stacks:
        results = evaluate_kept(
            stack,
            architecture,
            tokenizer.get_vocab_size(),
            targets.windows,
            device=device,
            n_threads=settings.proxies.n_threads,
        )
        if results is None:
            return None
        by_id = {result.sample_id: result for result in results} | by_id
    found = [by_id[sample_id] for sample_id in sorted(sample_ids)]
    return BatchResult(
        _metrics(found, stacks[0].recipe.precision, targets.names),
        [result.training for result in found],
        _reads(found),
        0.0,
        max(len(stack.results) for stack in stacks),
        piece_share,
    )


class _Parts(NamedTuple):
    """Parts of target sets by a key of their own, and target and part of each key."""

    windows: dict[str, TargetWindows]
    names: dict[str, tuple[str, str]]


def _read_parts(
    store: Store, settings: Settings, tokenizer: Tokenizer, context: int, parts: Sequence[str]
) -> _Parts:
    found = _Parts({}, {})
    for part in parts:
        for name, windows in read_targets(store, settings, tokenizer, context, part=part).items():
            found.windows[f"{name}.{part}"] = windows
            found.names[f"{name}.{part}"] = name, part
    return found


def _max_pieces(settings: Settings, n_tokens_per_proxy: int, context: int) -> int:
    """Pieces of one document in a proxy's sample, at least two."""
    most = settings.proxies.max_document_share * n_tokens_per_proxy
    return max(2, int(most // context))


def _reads(results: Sequence[ProxyResult]) -> pl.DataFrame:
    frames = [
        pl.DataFrame(
            {
                "sample_id": np.full(len(result.reads.id_hashes), result.sample_id),
                "id_hash": result.reads.id_hashes,
                "n_tokens": result.reads.n_tokens,
            },
            schema=READS_SCHEMA,
        )
        for result in results
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema=READS_SCHEMA)


def _metrics(
    results: Sequence[ProxyResult], precision: str, names: Mapping[str, tuple[str, str]]
) -> pl.DataFrame:
    """The rows of METRICS_SCHEMA; `names` are target and part of each key of the losses."""
    rows = [
        {
            "sample_id": result.sample_id,
            "target": names[key][0],
            "part": names[key][1],
            **measured._asdict(),
            "status": result.training.status,
            "reason": result.training.reason,
            "n_tokens": result.training.n_tokens,
            "n_tokens_sample": result.n_tokens_sample,
            "epochs": result.training.epochs,
            "precision": precision,
        }
        for result in results
        for key, measured in result.losses.items()
    ]
    return pl.DataFrame(rows, schema=METRICS_SCHEMA).sort("sample_id", "target", "part")
