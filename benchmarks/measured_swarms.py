"""Measures regressors on the losses of trained models: what `benchmarks.regmix` and `.olmix` share.

A case is a training part and a test part of the same measured models. Regressors see the losses of
the test part in no way. Errors are relative to those of the constant that is the training part's
mean, so that losses of any spread can be averaged.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl
from scipy.optimize import least_squares
from scipy.stats import spearmanr

from quadmix_assets.search.regressors.fitting import fit_regressor, regressor_settings
from quadmix_assets.search.regressors.registry import REGRESSORS

PLAIN: dict[str, Any] = {
    "objective": "regression",
    "metric": "l1,l2",
    "learning_rate": 1e-2,
    "seed": 42,
    "verbosity": -1,
    "num_threads": 1,
}
# Training inputs (n, F) and losses (n,), test inputs (k, F) -> predictions (k,).
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

_RESAMPLES = 2_000
_FLOORS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.97)
# Of the coefficients of the log-linear form; without it they are not determined by few rows.
_PENALTY = 0.003


@dataclass(frozen=True, eq=False)
class Case:
    """Rows to fit to and rows to predict, for one target.

    Attributes:
        target: its name.
        repeat: number of the choice of rows.
        x, y: inputs (n, F) and losses (n,) of the training part.
        x_test, y_test: of the test part.
    """

    target: str
    repeat: int
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def plain_lightgbm(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """LightGBM as in RegMix's notebook: default trees, 1,000 rounds."""
    booster = lgb.train(PLAIN, lgb.Dataset(x, y), num_boost_round=1_000)
    return np.asarray(booster.predict(x_test))


def log_linear(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """Olmix's form, loss = c + exp(b + x · t), by least squares from several starts of c."""
    design = np.column_stack([np.ones(len(x)), x])
    best: Any = None
    for floor in _FLOORS:
        start = np.linalg.lstsq(design, np.log(y - floor * y.min()), rcond=None)[0]
        first = np.concatenate([[np.log(max(floor, 1e-3) * y.min())], start])
        found = least_squares(
            lambda p: np.append(
                np.exp(p[0]) + np.exp(np.clip(design @ p[1:], -30, 30)) - y, _PENALTY * p[2:]
            ),
            first,
            loss="huber",
            f_scale=0.02,
            max_nfev=200,
        )
        if best is None or found.cost < best.cost:
            best = found
    test = np.column_stack([np.ones(len(x_test)), x_test])
    return np.asarray(np.exp(best.x[0]) + np.exp(np.clip(test @ best.x[1:], -30, 30)))


def ours(
    options: str | dict[str, Any], x: np.ndarray, y: np.ndarray, x_test: np.ndarray
) -> np.ndarray:
    """A regressor of this project: the name of a kind, or its options with a key `kind`."""
    if isinstance(options, str):
        options = {"kind": options}
    settings = REGRESSORS.settings_class(options["kind"]).model_validate(options)
    return fit_regressor(settings, x, y, seed=0).predict(x_test)  # type: ignore[arg-type]


def fits_of(kinds: Sequence[str], leaves: Sequence[int] = ()) -> dict[str, Fit]:
    """The regressors to compare, by label: kinds of this project, and the two comparisons.

    Args:
        kinds: of the registry, or `plain_lightgbm` and `log_linear`.
        leaves: further LightGBM regressors with so many leaves.
    """
    comparisons: dict[str, tuple[str, Fit]] = {
        "plain_lightgbm": ("plain LightGBM", plain_lightgbm),
        "log_linear": ("Olmix's log-linear form", log_linear),
    }
    found: dict[str, Fit] = {}
    for kind in kinds:
        if kind in comparisons:
            label, fit = comparisons[kind]
            found[label] = fit
        else:
            found[regressor_settings(kind).label] = partial(ours, kind)
    for n in leaves:
        found[f"LightGBM, {n} leaves"] = partial(ours, {"kind": "lightgbm", "n_leaves": n})
    return found


def measure(fits: Mapping[str, Fit], cases: Iterable[Case]) -> pl.DataFrame:
    """One row per regressor and case: label, n, target, repeat, error, spearman, mae, seconds."""
    rows = []
    for case in cases:
        constant = float(np.abs(case.y.mean() - case.y_test).mean())
        for label, fit in fits.items():
            start = time.perf_counter()
            predicted = fit(case.x, case.y, case.x_test)
            mae = float(np.abs(predicted - case.y_test).mean())
            rows.append(
                {
                    "label": label,
                    "n": len(case.x),
                    "target": case.target,
                    "repeat": case.repeat,
                    "error": mae / constant,
                    "spearman": float(spearmanr(predicted, case.y_test).statistic),
                    "mae": mae,
                    "seconds": time.perf_counter() - start,
                }
            )
    return pl.DataFrame(rows)


def lines_of(measured: pl.DataFrame) -> list[str]:
    """A Markdown table per number of rows, best first.

    The last column is how much larger a regressor's error is than that of the best one, with its
    90 % interval over bootstrap samples of the targets and repeats.
    """
    lines = []
    for n in measured["n"].unique().sort():
        of_size = measured.filter(pl.col("n") == n)
        errors = of_size.pivot("label", index=["target", "repeat"], values="error")
        means = of_size.group_by("label").agg(pl.col("error", "spearman", "mae", "seconds").mean())
        ordered = means.sort("error")
        best = errors[ordered["label"][0]].to_numpy()
        lines += [
            f"\n{n} rows, {len(best)} fits each\n",
            "| regressor | MAE | error / constant's | Spearman | above the best | s a fit |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for label, error, spearman, mae, seconds in ordered.iter_rows():
            worse = interval(errors[label].to_numpy() - best)
            lines.append(
                f"| {label} | {mae:.4f} | {error:.3f} | {spearman:.3f} | {worse} | {seconds:.1f} |"
            )
    return lines


def interval(values: np.ndarray) -> str:
    """The mean of values and its 90 % interval, by bootstrap."""
    rows = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    low, high = np.quantile(values[rows].mean(axis=1), [0.05, 0.95])
    digits = 3 if np.abs(values).max() < 1 else 2
    return f"{values.mean():.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def read_table(path: Path) -> tuple[list[str], np.ndarray]:
    """Names and values (n, k) of the columns of numbers of a CSV file, without its first column."""
    frame = pl.read_csv(path)
    names = [name for name in frame.columns[1:] if frame[name].dtype.is_numeric()]
    return names, frame.select(names).to_numpy().astype(np.float64)
