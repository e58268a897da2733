"""What a model reaches on a task, of the harness's record of every question."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import log_softmax

from quadmix_assets.evidence.results import mean_of
from quadmix_assets.evidence.tasks.chance import ACC, ACC_NORM, EXACT_MATCH

CHOICE_PROBABILITY, CHOICE_NATS = "choice_probability", "choice_nats"
CHOICE_PROBABILITY_NORM = "choice_probability_norm"
ANSWER_NATS = "answer_nats"

_Sample = Mapping[str, Any]


def choice_scores(samples: Sequence[_Sample], right: Sequence[int]) -> list[dict[str, Any]]:
    """The metrics of multiple-choice questions, as rows of results without their keys.

    acc and acc_norm are the harness's: the likeliest choice, and the likeliest per character.
    choice_probability is the probability of the right choice among the choices, choice_nats minus
    its logarithm; choice_probability_norm takes for each choice the probability per byte. Questions
    with a choice that is longer than the model's context are left out.

    Args:
        samples: the harness's record of each question.
        right: the place of the right choice of each question.
    """
    values: dict[str, list[float]] = {}
    chances = []
    for sample, answer in zip(samples, right, strict=True):
        nats = np.array([float(logarithm) for logarithm, _ in sample["filtered_resps"]])
        if np.isnan(nats).any():
            continue
        chances.append(1 / len(nats))
        n_bytes = np.array([len(text.strip().encode()) for _, text in sample["arguments"]])
        logarithm = log_softmax(nats)[answer]
        by_byte = log_softmax(nats / np.maximum(1, n_bytes))[answer]
        found = {name: float(sample[name]) for name in (ACC, ACC_NORM) if name in sample}
        found[CHOICE_PROBABILITY] = math.exp(logarithm)
        found[CHOICE_PROBABILITY_NORM] = math.exp(by_byte)
        found[CHOICE_NATS] = -logarithm
        for name, value in found.items():
            values.setdefault(name, []).append(value)
    chance = float(np.mean(chances)) if chances else None
    return [
        _row(name, np.array(of_metric), None if name == CHOICE_NATS else chance)
        for name, of_metric in values.items()
    ]


def open_scores(
    samples: Sequence[_Sample], answer_nats: Callable[[list[tuple[str, str]]], np.ndarray]
) -> list[dict[str, Any]]:
    """The metrics of open questions, as rows of results without their keys.

    exact_match is the harness's: whether the model writes one of the accepted answers. answer_nats
    is the model's mean loss per token of the first of them, which tells models apart that never
    write it.

    Args:
        samples: the harness's record of each question.
        answer_nats: the mean loss in nats per token of answers, of pairs of what comes before an
            answer and the answer.
    """
    rows = []
    if EXACT_MATCH in samples[0]:
        matches = np.array([float(sample[EXACT_MATCH]) for sample in samples])
        rows.append(_row(EXACT_MATCH, matches, 0.0))
    nats = answer_nats(
        [(sample["arguments"][0][0], _usual(sample["target"])) for sample in samples]
    )
    known = nats[~np.isnan(nats)]
    if len(known):
        rows.append(_row(ANSWER_NATS, known, None))
    return rows


def _usual(target: object) -> str:
    """The answer with the space before it; the first where several are accepted."""
    return f" {target[0] if isinstance(target, list | tuple) else target}"


def _row(metric: str, values: np.ndarray, chance: float | None) -> dict[str, Any]:
    value, error = mean_of(values)
    return {
        "metric": metric,
        "value": value,
        "standard_error": error,
        "n": len(values),
        "chance": chance,
    }
