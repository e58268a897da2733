"""Finished mixes with results of made-up models: losses and accuracies whose means are known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.evidence.language_model import MODELS_SCHEMA, models_path
from quadmix_assets.evidence.results import (
    HELD_OUT,
    LANGUAGE_MODEL,
    TARGET,
    TASK,
    TRIGRAM,
    results_frame,
    results_path,
)
from quadmix_assets.store import Store
from quadmix_assets_tests.finished_mixes import Row, put_mix

BUDGETS = (1_000, 4_000)
N_SEEDS = 3
TARGETS = ("planted", "second")
HELD_OUT_SETS = ("stories", "letters", "laws")
TASKS = ("arc_easy", "piqa", "svamp")
# How good each mix is: its losses are higher by this much, its accuracies lower.
WORSE = {"quadmix": 0.0, "theta_only": 0.1, "top": 0.2, "random": 0.5}
SIZES = {"quadmix": 6_000, "theta_only": 6_000, "top": 6_010, "random": 6_000}
PROFILE: dict[str, Any] = {
    "mixes": [
        {"method": "quadmix", "tokens": 6_000},
        {"method": "quadmix_paper", "name": "theta_only", "tokens": 6_000},
        {"method": "top_k", "name": "top", "criterion": "heuristics", "tokens": 6_000},
        {"method": "random", "tokens": 6_000},
    ],
    "production": "quadmix",
    "evidence": {
        "enabled": True,
        "budgets": list(BUDGETS),
        "n_seeds": N_SEEDS,
        "held_out": [{"name": name, "path": f"{name}.jsonl"} for name in HELD_OUT_SETS],
        "tasks": [{"name": name} for name in TASKS],
    },
}


def level(name: str, budget: int) -> float:
    """The loss on a set of the best mix."""
    return 3.0 + len(name) / 10 - budget / 10_000


def results_of(
    mix: str, worse: float, *, noise: float = 0.01, budgets: Sequence[int] = BUDGETS
) -> pl.DataFrame:
    """Results of a mix: each seed has a luck of its own, which all mixes share."""
    rng = np.random.default_rng(sum(mix.encode()))
    rows: list[dict[str, Any]] = []
    for budget in budgets:
        for seed in range(N_SEEDS):
            key = {"mix": mix, "model": LANGUAGE_MODEL, "budget": budget, "seed": seed}
            for kind, names in ((TARGET, TARGETS), (HELD_OUT, HELD_OUT_SETS)):
                rows += [
                    key | {"set": name, "kind": kind, "metric": "loss_nats", "n": 50,
                           "value": level(name, budget) + worse + seed + noise * rng.normal()}
                    for name in names
                ]  # fmt: skip
            if budget == BUDGETS[-1]:
                rows += [
                    key | {"set": name, "kind": TASK, "metric": metric, "n": 50, "chance": 0.25,
                           "value": value - 0.1 * worse}
                    for name in TASKS
                    for metric, value in (
                        (("exact_match", 0.2),) if name == "svamp"
                        else (("acc", 0.3), ("acc_norm", 0.4), ("choice_probability", 0.26))
                    )
                ]  # fmt: skip
    rows += [
        {"mix": mix, "model": TRIGRAM, "budget": BUDGETS[-1], "seed": 0, "set": name, "kind": kind,
         "metric": "loss_nats", "n": 50, "value": level(name, 0) + 1.0 + worse}
        for kind, names in ((TARGET, TARGETS), (HELD_OUT, HELD_OUT_SETS))
        for name in names
    ]  # fmt: skip
    return results_frame(rows)


def models_of(mix: str) -> pl.DataFrame:
    """Trained models of a mix."""
    return pl.DataFrame(
        [
            {"mix": mix, "budget": budget, "seed": seed, "status": "trained", "reason": "",
             "n_tokens": budget, "n_tokens_mix": 6_000, "epochs": budget / 6_000,
             "train_loss_nats": 3.0, "n_parameters": 1_000, "engine": "stack",
             "precision": "float32", "folder": f"{budget}_{seed}"}
            for budget in BUDGETS
            for seed in range(N_SEEDS)
        ],
        schema=MODELS_SCHEMA,
    )  # fmt: skip


def put_measured(
    store: Store,
    worse: Mapping[str, float] = WORSE,
    sizes: Mapping[str, int] = SIZES,
    **further: Any,
) -> None:
    """Write finished mixes of one document each, their models and results."""
    methods = {"theta_only": "quadmix_paper", "top": "top_k", "random": "random"}
    for mix, amount in worse.items():
        row = Row(f"{mix}-0", "law", sizes[mix], 0.0, 0.0, 1)
        put_mix(store, mix, {"a": [row]}, method=methods.get(mix, "quadmix"))
        store.write_table(results_path(store, mix), results_of(mix, amount, **further))
        store.write_table(models_path(store, mix), models_of(mix))
