"""What models of a mix reach: one long table per mix, whatever was measured and how."""

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.outputs import BENCHMARK_RESULTS, mix_output
from quadmix_assets.store import Store

LANGUAGE_MODEL: Final = "language_model"
TRIGRAM: Final = "trigram"
TARGET: Final = "target"
"""The kind of the part `proof` of a target set."""
HELD_OUT: Final = "held_out"
"""The kind of a set that no objective and no criterion saw."""
TASK: Final = "task"
"""The kind of a benchmark task."""
Kind = Literal["target", "held_out", "task"]

RESULTS_SCHEMA = {
    "mix": pl.String,
    "model": pl.String,
    "budget": pl.Int64,
    "seed": pl.Int32,
    "set": pl.String,
    "kind": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "standard_error": pl.Float64,
    "n": pl.Int64,
    "chance": pl.Float64,
}
"""The columns of results.

mix: name of the mix. model: language_model or trigram. budget: training tokens of the settings.
seed: number of the model among those of its mix and budget. set: name of the target set, held-out
set or task. kind: target, held_out or task. metric: loss_nats, bits_per_byte, choice_probability,
choice_probability_norm, choice_nats, acc, acc_norm, exact_match or answer_nats. value: a mean over
documents or questions. standard_error: of that mean over the n documents or questions, null where
there are too few. n: their number. chance: what guessing reaches, null where that has no meaning.
"""


class Mean(NamedTuple):
    """A mean with its standard error, which is None where it cannot be told."""

    value: float
    standard_error: float | None


def mean_of(values: np.ndarray) -> Mean:
    """The mean of (n,) values, and sd / sqrt(n)."""
    n = len(values)
    error = float(np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else None
    return Mean(float(values.mean()), error)


def ratio_of(sums: np.ndarray, sizes: np.ndarray) -> Mean:
    """sum(sums) / sum(sizes) over n documents, (n,) each, with its standard error.

    The error is that of a ratio estimator (the delta method): documents are drawn, not tokens, and
    long documents weigh more. It is the spread of `sums - ratio * sizes` over the documents.
    """
    n, total = len(sums), float(sizes.sum())
    ratio = float(sums.sum()) / total
    if n < 2:
        return Mean(ratio, None)
    deviations = sums - ratio * sizes
    return Mean(ratio, float(np.sqrt(n / (n - 1) * (deviations**2).sum()) / total))


def results_frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows with the keys of RESULTS_SCHEMA as a table; keys that a row lacks are null."""
    return pl.DataFrame(rows, schema=RESULTS_SCHEMA)


def results_path(store: Store, mix: str) -> UPath:
    """Where the results of a mix lie."""
    return store.table_path(mix_output(mix, BENCHMARK_RESULTS), "results")


def overlap_path(store: Store, mix: str) -> UPath:
    """Where the overlap of measured sets with pool and mix lies."""
    return store.table_path(mix_output(mix, BENCHMARK_RESULTS), "overlap")


def read_results(store: Store, mix: str) -> pl.DataFrame:
    """The results of a mix, columns of RESULTS_SCHEMA.

    Raises:
        MissingOutputError: they were not made.
        DamagedOutputError: they are not what was written.
    """
    return store.read_table(results_path(store, mix))
