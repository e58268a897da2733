"""Trains one model on each of several samples: from a token file to losses on target sets."""

import json
from collections.abc import Callable, Mapping, Sequence
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
from quadmix_assets.training.capacity import stack_size
from quadmix_assets.training.evaluation import Measured
from quadmix_assets.training.kept_weights import evaluate_kept, kept_stacks
from quadmix_assets.training.progress import BatchProgress, ProgressBoard
from quadmix_assets.training.recipe import architecture_of, n_tokens_trained
from quadmix_assets.training.stacks import KeepWeights, ProxyResult, Sample, StackJob
from quadmix_assets.training.targets import TargetWindows, read_targets
from quadmix_assets.training.tensorboard import tensorboard_folder
from quadmix_assets.training.trainer import ProxyTraining
from quadmix_assets.training.workers import run_stacks

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
    inputs_version: Mapping[str, str] | None = None,
    parts: Sequence[str] = (SEARCH,),
    keep: KeepWeights | None = None,
) -> BatchResult:
    """Train one proxy on each sample and measure its loss on parts of every target set.

    The samples are grouped into stacks of `proxies.stack_size`, each trained as one batched model
    by one of `proxies.n_workers` processes. Other programs on the machine slow down several
    single-threaded processes much less than one process whose threads wait for each other. On a GPU
    this process trains all stacks. A loss does not depend on the number of processes.

    Args:
        store: the lake, for tokenizer and target sets.
        settings: recipe, device, size of stacks, number of processes.
        token_folder: the folder of the token file.
        id_hashes: (D,) uint64 hashes of the ids of its documents.
        samples: one per proxy.
        n_tokens_per_proxy: training tokens of each proxy.
        piece_share: share of a sample that a proxy reads, see `WindowStream`.
        on_progress: called with the progress every `proxies.progress_seconds`, and at the end.
        one_by_one: train every proxy as a stack of its own.
        unfinished_folder: for results and checkpoints of stacks, so that a killed run can be
            resumed; None writes none.
        inputs_version: identifies token file and target sets; results and checkpoints of another
            version are not used.
        parts: of the target sets, one or both of EVALUATED.
        keep: where the weights of the proxies are kept; None keeps none.

    Raises:
        MissingOutputError: tokenizer or target sets are not there, or the target sets were encoded
            with another tokenizer.
        ValueError: a target set holds no tokens, or TensorBoard files cannot be written.
        RuntimeError: a worker process died, or a single proxy does not fit in memory.
    """
    proxies = settings.proxies
    device = choose_device(proxies.device)
    architecture = architecture_of(proxies.training)
    precision = training_precision(proxies.training.precision, device)
    recipe = proxies.training.model_copy(
        update={"n_tokens_per_proxy": n_tokens_per_proxy, "precision": precision}
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
        device=str(device),
        compiled=proxies.compile,
        n_threads=proxies.n_threads,
        inputs_version=json.dumps(inputs_version, sort_keys=True),
        unfinished_folder=unfinished_folder,
        checkpoint_seconds=proxies.checkpoint_seconds,
        tensorboard_folder=tensorboard_folder(store) if proxies.tensorboard else None,
        keep=keep,
    )
    size = 1 if one_by_one else proxies.stack_size
    if size == "auto":
        size = stack_size(architecture, recipe, job.vocab_size, device, most=len(samples))
    stacks = [
        [(sample, id_hashes[sample.documents]) for sample in samples[first : first + size]]
        for first in range(0, len(samples), size)
    ]
    board = ProgressBoard(
        len(samples),
        len(samples) * n_tokens_trained(recipe, architecture.context),
        on_progress,
        proxies.progress_seconds,
    )
    n_workers = 1 if device.type == "cuda" else proxies.n_workers
    results = sorted(
        (
            result
            for of_stack in run_stacks(job, stacks, n_workers=n_workers, board=board)
            for result in of_stack
        ),
        key=lambda result: result.sample_id,
    )
    board.tell_if_due(at_once=True)
    return BatchResult(
        _metrics(results, precision, targets.names),
        [result.training for result in results],
        _reads(results),
        board.progress().tokens_per_second,
        size,
        piece_share,
    )


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
