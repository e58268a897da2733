"""One batch of proxies: from samples of a token pool to losses on the target sets."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from tokenizers import Tokenizer

from quadmix_assets.corpus.tokenizer import END_OF_TEXT, encode, load_tokenizer
from quadmix_assets.outputs import TARGET_SETS, TOKENIZER
from quadmix_assets.proxies.evaluation import TargetWindows, pack_target
from quadmix_assets.proxies.recipe import Recipe
from quadmix_assets.proxies.shapes import shape_named
from quadmix_assets.proxies.training import ProxyTraining
from quadmix_assets.proxies.workers import ProxyResult, Sample, SwarmJob, run_swarms
from quadmix_assets.sampling import hash_ids
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

METRICS_SCHEMA = {
    "theta": pl.Int32,
    "target": pl.String,
    "loss_nats": pl.Float64,
    "bits_per_byte": pl.Float64,
    "status": pl.String,
    "reason": pl.String,
    "n_tokens": pl.Int64,
    "n_tokens_sample": pl.Int64,
    "epochs": pl.Float64,
}


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch of proxies.

    Attributes:
        metrics: one row per proxy and target set, columns of METRICS_SCHEMA.
        trainings: one record per proxy.
        tokens_per_second: of all proxies together.
    """

    metrics: pl.DataFrame
    trainings: list[ProxyTraining]
    tokens_per_second: float


def samples_of_subset(subset: pl.DataFrame, numbers: Sequence[int], *, seed: int) -> list[Sample]:
    """The samples of the thetas `numbers` from a table (theta, document, copies).

    All of them share one seed: proxies differ in their data alone.
    """
    groups = {
        int(str(number)): rows for (number,), rows in subset.group_by("theta", maintain_order=True)
    }
    empty = subset.clear()
    return [
        Sample(
            number,
            groups.get(number, empty)["document"].to_numpy(),
            groups.get(number, empty)["copies"].to_numpy(),
            seed,
        )
        for number in numbers
    ]


def train_samples(
    store: Store,
    settings: Settings,
    tokens: Path,
    id_hashes: np.ndarray,
    samples: Sequence[Sample],
    *,
    n_tokens: int,
    swarm_size: int,
    log: Callable[[str], None],
) -> BatchResult:
    """Train one proxy on each sample and measure its loss on every target set.

    The samples are cut into swarms of `swarm_size`, and `proxies.n_workers` processes
    take one swarm after the other: on a machine that others use too, processes of one thread
    each lose far less than one process whose threads wait for each other. A loss does not depend
    on the number of processes.

    Args:
        store: the lake, for tokenizer and target sets.
        settings: recipe, shape, device.
        tokens: the folder of the token pool.
        id_hashes: (D,) uint64, of the pool's documents.
        samples: what each proxy is trained on.
        n_tokens: training tokens of each proxy.
        swarm_size: proxies that are trained at once, as one batched model.
        log: is told of progress.

    Raises:
        MissingOutputError: tokenizer or target sets are not there.
    """
    training = settings.proxies.training
    shape = shape_named(training.shape)
    tokenizer = load_tokenizer(str(store.require(store.path(TOKENIZER, "tokenizer.json"))))
    separator = separator_id(tokenizer.get_vocab())
    recipe = Recipe(
        n_tokens=n_tokens,
        batch_windows=training.batch_windows,
        learning_rate=training.learning_rate,
        betas=(training.beta1, training.beta2),
        weight_decay=training.weight_decay,
        clip=training.clip,
        warmup_steps=training.warmup_steps,
        schedule=training.schedule,
        precision=training.precision,
    )
    job = SwarmJob(
        tokens=tokens,
        shape=shape,
        recipe=recipe,
        vocab_size=tokenizer.get_vocab_size(),
        separator_id=separator,
        targets=pack_targets(store, settings, tokenizer, shape.context, separator),
        device=settings.proxies.device,
        n_threads=settings.proxies.n_threads,
    )
    parts = [
        [(sample, id_hashes[sample.documents]) for sample in samples[first : first + swarm_size]]
        for first in range(0, len(samples), swarm_size)
    ]
    start = time.monotonic()
    done: list[ProxyResult] = []
    rate = 0.0
    for results in run_swarms(job, parts, n_workers=settings.proxies.n_workers, log=log):
        done += results
        seconds = time.monotonic() - start
        rate = sum(result.training.n_tokens for result in done) / seconds
        log(
            f"{len(done)} of {len(samples)} proxies trained, {rate:,.0f} tokens/s, "
            f"{seconds / len(done) * (len(samples) - len(done)):.0f} s to go"
        )
    rows = [
        {
            "theta": result.number,
            "target": target,
            "loss_nats": loss_nats,
            "bits_per_byte": bits_per_byte,
            "status": result.training.status,
            "reason": result.training.reason,
            "n_tokens": result.training.n_tokens,
            "n_tokens_sample": result.n_tokens_sample,
            "epochs": result.training.epochs,
        }
        for result in done
        for target, (loss_nats, bits_per_byte) in result.losses.items()
    ]
    return BatchResult(
        pl.DataFrame(rows, schema=METRICS_SCHEMA).sort("theta", "target"),
        [result.training for result in sorted(done, key=lambda result: result.number)],
        rate,
    )


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
        # In the order of a hash, so that the first tokens are a fair sample of the whole set.
        order = np.argsort(hash_ids(documents["id"].to_list()), kind="stable")
        documents = documents[order]
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
