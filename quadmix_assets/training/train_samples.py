"""One batch of proxies: from samples of a token file to losses on the target sets."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from tokenizers import Tokenizer
from upath import UPath

from quadmix_assets.corpus.target_sets import evaluation_order
from quadmix_assets.corpus.tokenizer import END_OF_TEXT, encode, project_tokenizer
from quadmix_assets.device import choose_device, training_precision
from quadmix_assets.outputs import TARGET_SETS, TENSORBOARD
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, is_local
from quadmix_assets.training.capacity import stack_size
from quadmix_assets.training.evaluation import TargetWindows, pack_target
from quadmix_assets.training.loop import ProxyTraining
from quadmix_assets.training.progress import BatchProgress, ProgressBoard
from quadmix_assets.training.recipe import architecture_of, n_tokens_trained
from quadmix_assets.training.stacks import ProxyResult, Sample, StackJob
from quadmix_assets.training.tensorboard import require_tensorboard
from quadmix_assets.training.workers import run_stacks

METRICS_SCHEMA = {
    "sample_id": pl.Int32,
    "target": pl.String,
    "loss_nats": pl.Float64,
    "bits_per_byte": pl.Float64,
    "status": pl.String,
    "reason": pl.String,
    "n_tokens": pl.Int64,
    "n_tokens_sample": pl.Int64,
    "epochs": pl.Float64,
    "precision": pl.String,
}


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch of proxies.

    Attributes:
        metrics: one row per proxy and target set, columns of METRICS_SCHEMA.
        trainings: one record per proxy.
        tokens_per_second: of all proxies together.
        stack_size: proxies that were trained at once in one process.
    """

    metrics: pl.DataFrame
    trainings: list[ProxyTraining]
    tokens_per_second: float
    stack_size: int


def samples_of_subset(subset: pl.DataFrame, theta_ids: Sequence[int], *, seed: int) -> list[Sample]:
    """The samples of thetas from a table (theta_id, document, copies).

    All of them share one seed: proxies differ in their data alone.
    """
    groups = {
        int(str(theta_id)): rows
        for (theta_id,), rows in subset.group_by("theta_id", maintain_order=True)
    }
    empty = subset.clear()
    return [
        Sample(
            theta_id,
            groups.get(theta_id, empty)["document"].to_numpy(),
            groups.get(theta_id, empty)["copies"].to_numpy(),
            seed,
        )
        for theta_id in theta_ids
    ]


def train_samples(
    store: Store,
    settings: Settings,
    token_folder: Path,
    id_hashes: np.ndarray,
    samples: Sequence[Sample],
    *,
    n_tokens_per_proxy: int,
    on_progress: Callable[[BatchProgress], None],
    one_by_one: bool = False,
    unfinished_folder: UPath | None = None,
    inputs_version: Mapping[str, str] | None = None,
) -> BatchResult:
    """Train one proxy on each sample and measure its loss on every target set.

    The samples are cut into stacks of `proxies.stack_size`, each trained as one batched model, and
    `proxies.n_workers` processes take one stack after the other: on a machine that others use too,
    processes of one thread each lose far less than one process whose threads wait for each other. A
    GPU is used by this process alone. A loss does not depend on the number of processes.

    Args:
        store: the lake, for tokenizer and target sets.
        settings: recipe, architecture, device.
        token_folder: the folder of the token file.
        id_hashes: (D,) uint64, of its documents.
        samples: what each proxy is trained on.
        n_tokens_per_proxy: training tokens of each proxy.
        on_progress: is told of progress every `proxies.progress_seconds`, and at the end.
        one_by_one: train every proxy as a stack of its own.
        unfinished_folder: folder in which stacks leave their results and states, for a run that follows one that
            was killed; None keeps nothing.
        inputs_version: of what tokens and targets hold, so that nothing kept of others is used.

    Raises:
        MissingOutputError: tokenizer or target sets are not there.
        ValueError: TensorBoard files are wanted, but cannot be written.
    """
    device = choose_device(settings.proxies.device)
    training = settings.proxies.training
    architecture = architecture_of(training)
    recipe = training.model_copy(
        update={
            "n_tokens_per_proxy": n_tokens_per_proxy,
            "precision": training_precision(training.precision, device),
        }
    )
    tokenizer = project_tokenizer(store)
    separator = separator_id(tokenizer.get_vocab())
    job = StackJob(
        token_folder=token_folder,
        architecture=architecture,
        recipe=recipe,
        vocab_size=tokenizer.get_vocab_size(),
        separator_id=separator,
        targets=pack_targets(store, settings, tokenizer, architecture.context, separator),
        device=str(device),
        compiled=settings.proxies.compile,
        n_threads=settings.proxies.n_threads,
        inputs_version=json.dumps(inputs_version, sort_keys=True),
        unfinished_folder=unfinished_folder,
        checkpoint_seconds=settings.proxies.checkpoint_seconds,
        tensorboard_folder=_tensorboard_folder(store) if settings.proxies.tensorboard else None,
    )
    size = settings.proxies.stack_size
    if one_by_one:
        size = 1
    elif size == "auto":
        size = stack_size(architecture, recipe, job.vocab_size, device, most=len(samples))
    stacks = [
        [(sample, id_hashes[sample.documents]) for sample in samples[first : first + size]]
        for first in range(0, len(samples), size)
    ]
    n_tokens_total = len(samples) * n_tokens_trained(recipe, architecture.context)
    board = ProgressBoard(
        len(samples), n_tokens_total, on_progress, settings.proxies.progress_seconds
    )
    n_workers = 1 if device.type == "cuda" else settings.proxies.n_workers
    done: list[ProxyResult] = []
    for results in run_stacks(job, stacks, n_workers=n_workers, board=board):
        done += results
    board.tell_if_due(at_once=True)
    rows = [
        {
            "sample_id": result.sample_id,
            "target": target,
            "loss_nats": loss_nats,
            "bits_per_byte": bits_per_byte,
            "status": result.training.status,
            "reason": result.training.reason,
            "n_tokens": result.training.n_tokens,
            "n_tokens_sample": result.n_tokens_sample,
            "epochs": result.training.epochs,
            "precision": recipe.precision,
        }
        for result in done
        for target, (loss_nats, bits_per_byte) in result.losses.items()
    ]
    return BatchResult(
        pl.DataFrame(rows, schema=METRICS_SCHEMA).sort("sample_id", "target"),
        [result.training for result in sorted(done, key=lambda result: result.sample_id)],
        board.progress().tokens_per_second,
        size,
    )


def _tensorboard_folder(store: Store) -> Path:
    require_tensorboard()
    if not is_local(store.root):
        raise ValueError(
            f"proxies.tensorboard is on, but the lake is at {store.root}: TensorBoard files are "
            "written to local lakes only"
        )
    return Path(str(store.root / TENSORBOARD))


def pack_targets(
    store: Store, settings: Settings, tokenizer: Tokenizer, context: int, separator: int
) -> dict[str, TargetWindows]:
    """The held-out part of every target set, in windows.

    Raises:
        MissingOutputError: target sets are not there.
    """
    packed = {}
    for target in settings.target_names:
        documents = store.read_table(store.table_path(TARGET_SETS, f"{target}.held_out"))
        documents = evaluation_order(documents)
        packed[target] = pack_target(
            encode(tokenizer, documents["text"].to_list()),
            documents["text"].str.len_bytes().to_numpy(),
            context=context,
            separator_id=separator,
            max_tokens=settings.proxies.max_target_tokens,
        )
    return packed


def separator_id(vocabulary: Mapping[str, int]) -> int:
    """The token that stands between documents.

    Raises:
        ValueError: the tokenizer has none of the usual ones.
    """
    names = (END_OF_TEXT, "</s>", "<|end_of_text|>", "<eos>", "[SEP]")
    for name in names:
        if name in vocabulary:
            return vocabulary[name]
    raise ValueError(
        f"the tokenizer has no token to part documents: expected one of {', '.join(names)}"
    )
