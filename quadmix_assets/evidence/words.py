"""The words for what models are measured by and on, in tables, figures, checks and the report.

Columns of files keep their names, which SQL and programs read; whatever a reader sees has these.
"""

from collections.abc import Mapping

from quadmix_assets.evidence.results import HELD_OUT, LANGUAGE_MODEL, TARGET, TASK, TRIGRAM

METRICS: Mapping[str, str] = {
    "loss_nats": "loss, nats per token",
    "bits_per_byte": "bits per byte",
    "choice_probability": "probability of the right choice",
    "choice_probability_norm": "probability of the right choice, per byte",
    "choice_nats": "loss on the right choice, nats",
    "acc": "accuracy",
    "acc_norm": "accuracy, normalised by length",
    "exact_match": "exact matches",
    "answer_nats": "loss on the answer, nats per token",
}
"""The metrics of results."""
KINDS: Mapping[str, str] = {
    TARGET: "target set (proof part)",
    HELD_OUT: "held-out set",
    TASK: "benchmark task",
}
"""The kinds of sets of results."""
SETS: Mapping[str, str] = {TARGET: "search targets (proof part)", HELD_OUT: "held-out sets"}
"""The kinds of sets that losses are measured on, of all sets of a kind together."""
MODELS: Mapping[str, str] = {LANGUAGE_MODEL: "language model", TRIGRAM: "trigram model"}
"""The kinds of models of results."""
# What mixes are compared by, besides objectives, whose names are words.
_MEASURES: Mapping[str, str] = {
    "held_out": "loss on held-out sets",
    "tasks": "accuracy on tasks",
    "choice_probability": METRICS["choice_probability"],
}


def measure_in_words(measure: str) -> str:
    """What mixes are compared by; objectives are called as they are.

    Args:
        measure: its name in the tables of the comparison.
    """
    return _MEASURES.get(measure, measure)
