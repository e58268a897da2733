"""Measures the models of a mix: losses on sets of texts, and benchmark tasks.

Nothing is trained: on other sets, models that are there are measured again.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import polars as pl

from quadmix_assets.corpus.tokenizer import project_tokenizer
from quadmix_assets.device import choose_device, precision_dtype, torch_threads
from quadmix_assets.evidence.language_model import StoredModel, load_stack, read_models
from quadmix_assets.evidence.losses import SetLosses, set_losses
from quadmix_assets.evidence.measured_sets import MeasuredSet, read_measured_sets
from quadmix_assets.evidence.overlap import overlap_of
from quadmix_assets.evidence.results import (
    LANGUAGE_MODEL,
    TRIGRAM,
    overlap_path,
    results_frame,
    results_path,
)
from quadmix_assets.evidence.tasks.run import run_tasks
from quadmix_assets.evidence.trigram_of_mix import n_tokens_counted, trigram_of_mix
from quadmix_assets.mix.selections import MixRows, read_mix
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

# Parameters of the models that are in memory at once: 1 GiB of them.
_PARAMETERS_AT_ONCE = 1 << 28


def measure_mix(store: Store, settings: Settings, mix: str) -> pl.DataFrame:
    """Measure the models of a mix, and store the results and the overlap of sets with the mix.

    Returns:
        The results, columns of RESULTS_SCHEMA. A model whose training failed has none.

    Raises:
        MissingOutputError: the mix, its models or a set is not there.
        DamagedOutputError: one of them is not what was written.
        FileNotFoundError: the file of a task is not there.
        ValueError: a set or a task cannot be used.
    """
    rows = read_mix(store, mix)
    models = read_models(store, mix)
    tokenizer = project_tokenizer(store)
    sets = read_measured_sets(store, settings, tokenizer, settings.evidence.model.context)
    with torch_threads(settings.proxies.n_threads):
        measured = [*_losses_of_models(store, settings, models, sets)]
    if settings.evidence.trigram.enabled:
        measured += _losses_of_trigram(store, settings, rows, sets)
    found = results_frame(measured)
    if settings.evidence.tasks:
        with torch_threads(settings.proxies.n_threads):
            found = pl.concat([found, _answers(store, settings, models)])
    overlap = overlap_of(store, settings, rows)
    store.write_table(overlap_path(store, mix), overlap)
    store.write_table(results_path(store, mix), found, {"version": rows.version})
    return found


def _losses_of_models(
    store: Store, settings: Settings, models: Sequence[StoredModel], sets: Sequence[MeasuredSet]
) -> Iterator[dict[str, Any]]:
    for _, of_budget in groupby(models, key=lambda model: model.budget):
        chosen = list(of_budget)
        n_at_once = max(1, _PARAMETERS_AT_ONCE // int(chosen[0].training["n_parameters"]))
        for first in range(0, len(chosen), n_at_once):
            group = chosen[first : first + n_at_once]
            stack = load_stack(store, settings, group)
            dtype = precision_dtype(stack.recipe.precision)
            for each in sets:
                losses = set_losses(stack.model, each.windows, dtype)
                for k, model in enumerate(group):
                    key = {"mix": model.mix, "budget": model.budget, "seed": model.seed}
                    yield from _rows(key | {"model": LANGUAGE_MODEL}, each, losses, k)


def _losses_of_trigram(
    store: Store, settings: Settings, rows: MixRows, sets: Sequence[MeasuredSet]
) -> Iterator[dict[str, Any]]:
    trigram = trigram_of_mix(store, settings, rows)
    key = {"mix": rows.mix, "budget": n_tokens_counted(settings), "seed": 0, "model": TRIGRAM}
    for each in sets:
        losses = trigram.set_losses(
            each.tokens, each.windows.choices, settings.proxies.max_target_tokens
        )
        yield from _rows(key, each, losses, 0)


def _rows(
    key: dict[str, Any], measured: MeasuredSet, losses: SetLosses, k: int
) -> Iterator[dict[str, Any]]:
    for value in losses.values_of(k):
        yield key | {
            "set": measured.name,
            "kind": measured.kind,
            "metric": value.metric,
            "value": value.mean.value,
            "standard_error": value.mean.standard_error,
            "n": value.n,
            "chance": value.chance,
        }


def _answers(store: Store, settings: Settings, models: Sequence[StoredModel]) -> pl.DataFrame:
    """What the models of the largest budget reach on the benchmark tasks."""
    evidence = settings.evidence
    return run_tasks(
        store,
        [model for model in models if model.budget == evidence.largest_budget],
        evidence.tasks,
        {task.name: settings.resolve(task.path) for task in evidence.tasks if task.path},
        max_questions=evidence.max_questions,
        device=str(choose_device(settings.proxies.device)),
    )
