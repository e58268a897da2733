"""The cost of every stage of a profile."""

from collections.abc import Iterator
from dataclasses import dataclass

from quadmix_assets.mix.methods.quadmix import ThetaMix
from quadmix_assets.outputs import (
    BENCHMARK_RESULTS,
    FINAL_MIX,
    LANGUAGE_MODEL,
    NEAR_DUPLICATES,
    PROXY_METRICS,
    PROXY_POOL,
    RAW_SHARDS,
    SCORED_SHARDS,
)
from quadmix_assets.plan.devices import Device
from quadmix_assets.plan.inputs import InputSize, tokens_of_part
from quadmix_assets.plan.networks import scoring_networks
from quadmix_assets.plan.trainings import Training, all_trainings
from quadmix_assets.settings import EvidenceSettings, NamedMix, Settings, TaskSettings
from quadmix_assets.starter.sizes import BYTES_PER_TOKEN
from quadmix_assets.training.kept_weights import bytes_of_weights
from quadmix_assets.training.token_file import token_dtype

# Measured on 149,359 documents, 259 MB of text (benchmarks/RESULTS.md): of text on disk as Parquet,
# and of text that a core reads, scores without networks and labels in a second.
_COMPRESSED = 0.38
_BYTES_PER_CORE_SECOND = 8e5
# The id, token count and domain of a document beside its scores of eight bytes; a signature.
_BYTES_PER_ROW, _BYTES_PER_SCORE, _BYTES_PER_SIGNATURE = 16, 8, 310
# Of a question of a benchmark: choices, and tokens of each with the question; of a task of the hub,
# questions.
_CHOICES, _TOKENS_PER_CHOICE, _QUESTIONS = 4, 100, 2_000


@dataclass(frozen=True)
class Cost:
    """What one line of the plan costs.

    Attributes:
        stage: the asset.
        what: that is counted, in words.
        n_models: that are trained; 0 where none is.
        n_tokens: that are read or trained on.
        flops: of networks; None where they are not known, or there are none.
        hours: on the device, or for what no network does on the cores; None where not known.
        n_bytes: that stay on disk.
        on_cores: whether the hours are those of the processor, whatever the device.
        is_unknown: whether a network of unknown size runs, whose FLOPs are not counted.
    """

    stage: str
    what: str
    n_models: int = 0
    n_tokens: int = 0
    flops: float | None = None
    hours: float | None = None
    n_bytes: int = 0
    on_cores: bool = False
    is_unknown: bool = False


def costs(settings: Settings, inputs: InputSize, device: Device, *, n_cores: int) -> list[Cost]:
    """The cost of every stage, in their order.

    Args:
        settings: of the profile.
        inputs: sizes of pool and target sets.
        device: that networks run on.
        n_cores: that do everything else.
    """
    return [
        *_of_the_pool(settings, inputs, device, n_cores),
        *_of_trainings(settings, inputs, device),
        *_of_mixes(settings, inputs),
        *_of_results(settings, inputs, device),
    ]


def _of_the_pool(
    settings: Settings, inputs: InputSize, device: Device, n_cores: int
) -> Iterator[Cost]:
    n_tokens, n_documents = inputs.n_tokens, inputs.n_documents
    if n_tokens is not None and n_documents is not None:
        n_bytes = n_tokens * BYTES_PER_TOKEN
        hours = n_bytes / _BYTES_PER_CORE_SECOND / n_cores / 3_600
        stored = int(n_bytes * _COMPRESSED)
        yield Cost(RAW_SHARDS, "documents", 0, n_tokens, None, None, stored, on_cores=True)
        per_row = _BYTES_PER_ROW + _BYTES_PER_SCORE * len(settings.score_names)
        yield Cost(
            SCORED_SHARDS,
            "reading, scores and labels",
            n_tokens=n_tokens,
            hours=hours,
            n_bytes=n_documents * per_row,
            on_cores=True,
        )
        if settings.features.near_duplicates.enabled:
            n_bytes = n_documents * _BYTES_PER_SIGNATURE
            yield Cost(NEAR_DUPLICATES, "signatures", n_bytes=n_bytes, on_cores=True)
    for network in scoring_networks(settings, inputs):
        hours_of_network = (
            network.flops / device.large_rate / 3_600
            if network.flops and n_tokens is not None
            else None
        )
        yield Cost(
            SCORED_SHARDS,
            f"{network.name}: {network.model}",
            n_tokens=network.n_tokens,
            flops=network.flops or None,
            hours=hours_of_network,
            is_unknown=network.flops is None,
        )
    of_pool = settings.proxies.pool_tokens
    n_pool = of_pool if n_tokens is None else min(of_pool, n_tokens)
    width = token_dtype(settings.tokenizer.vocab_size).itemsize
    yield Cost(PROXY_POOL, "tokens that proxies train on", 0, n_pool, n_bytes=n_pool * width)


def _of_trainings(settings: Settings, inputs: InputSize, device: Device) -> Iterator[Cost]:
    vocab_size = settings.tokenizer.vocab_size
    n_measured = sum(tokens_of_part(settings, inputs, target) for target in settings.targets)
    for training in all_trainings(settings):
        flops = training.training_flops(vocab_size)
        flops += training.measuring_flops(vocab_size, n_measured)
        rate = device.training_rate(training.recipe, vocab_size)
        yield Cost(
            training.stage,
            f"{training.what} ({training.architecture.name})",
            training.n_models,
            training.n_tokens,
            flops,
            flops / rate / 3_600,
            _kept_bytes(settings, training),
        )


def _kept_bytes(settings: Settings, training: Training) -> int:
    """Bytes of the weights that stay when a training is done."""
    weights = bytes_of_weights(
        training.architecture, settings.tokenizer.vocab_size, training.n_models
    )
    if training.stage == PROXY_METRICS:
        return min(weights, int(settings.proxies.keep_weights_gb * 1e9))
    return weights if training.stage == LANGUAGE_MODEL else 0


def _of_mixes(settings: Settings, inputs: InputSize) -> Iterator[Cost]:
    per_row = _BYTES_PER_ROW + _BYTES_PER_SCORE * (len(settings.score_names) + 4)
    n_tokens_all, n_bytes, n_exported, n_known = 0, 0, 0, 0
    for mix in settings.mixes:
        n_tokens = tokens_of_mix(settings, inputs, mix)
        if n_tokens is None:
            continue
        n_known, n_tokens_all = n_known + 1, n_tokens_all + n_tokens
        if inputs.n_tokens and inputs.n_documents:
            n_documents = int(min(n_tokens / inputs.n_tokens, 1.0) * inputs.n_documents)
            n_bytes += n_documents * per_row
        if settings.export_of(mix) != "none":
            n_exported += 1
            n_bytes += int(n_tokens * BYTES_PER_TOKEN * _COMPRESSED)
    if n_known:
        what = f"{n_known} mixes, {n_exported} with their texts"
        yield Cost(FINAL_MIX, what, n_tokens=n_tokens_all, n_bytes=n_bytes, on_cores=True)


def tokens_of_mix(settings: Settings, inputs: InputSize, mix: NamedMix) -> int | None:
    """Tokens that a mix will have; None where neither the settings nor the pool tell.

    A theta that was not searched for yet is taken for the mean of Algorithm 1: half of omega_max,
    a little more than once.
    """
    wanted = settings.tokens_of(mix)
    if isinstance(wanted, int):
        return wanted
    if isinstance(wanted, str):
        return tokens_of_mix(settings, inputs, settings.mix_named(wanted))
    if inputs.n_tokens is None or not isinstance(mix, ThetaMix):
        return None
    return int(inputs.n_tokens * min(settings.parameters.omega_max * 0.6, 1.0))


def _of_results(settings: Settings, inputs: InputSize, device: Device) -> Iterator[Cost]:
    """The measuring of language models: losses of all, and the tasks of the largest budget."""
    evidence = settings.evidence
    if not evidence.enabled:
        return
    models = [each for each in all_trainings(settings) if each.stage == LANGUAGE_MODEL]
    sets = (*settings.targets, *settings.held_out_sets)
    per_model = sum(tokens_of_part(settings, inputs, each) for each in sets)
    for_losses = per_model * sum(each.n_models for each in models)
    yield _measuring(settings, device, models[-1], f"losses on {len(sets)} sets", for_losses)
    if evidence.tasks:
        n_questions = sum(_questions(evidence, inputs, task) for task in evidence.tasks)
        for_tasks = models[-1].n_models * n_questions * _CHOICES * _TOKENS_PER_CHOICE
        what = f"{len(evidence.tasks)} tasks, about {n_questions:,} questions a model"
        yield _measuring(settings, device, models[-1], what, for_tasks)


def _questions(evidence: EvidenceSettings, inputs: InputSize, task: TaskSettings) -> int:
    """Questions of a task that every model answers."""
    there = inputs.questions.get(task.name, evidence.max_questions or _QUESTIONS)
    return min(there, evidence.max_questions or there)


def _measuring(
    settings: Settings, device: Device, model: Training, what: str, n_tokens: int
) -> Cost:
    """So many tokens read by models of one size: forward alone, a third of the training."""
    vocab_size = settings.tokenizer.vocab_size
    flops = n_tokens * model.architecture.flops_per_token(vocab_size) // 3
    hours = flops / device.training_rate(model.recipe, vocab_size) / 3_600
    return Cost(BENCHMARK_RESULTS, what, 0, n_tokens, flops, hours)
