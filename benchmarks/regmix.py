"""Regressors on the published proxies of RegMix: 512 training and 256 test mixtures.

    python -m benchmarks.regmix --data path/to/regmix --rows 64 128 256 512

The data are train_mixture_1m.csv, train_pile_loss_1m.csv and their test_ parts (sail-sg/regmix, MIT
licence). The test part is used for evaluation only, except in the row marked with a leak: RegMix's
notebook stops boosting early on the test part. Prints mean absolute error and Spearman correlation
on Pile-CC and their means over all 13 losses.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from quadmix_assets.search.regressors.fitting import fit_regressor, regressor_settings
from quadmix_assets.search.regressors.registry import REGRESSORS

PILE_CC = "metric/the_pile_pile_cc_val_loss"
NOTEBOOK: dict[str, Any] = {
    "objective": "regression",
    "metric": "l1,l2",
    "learning_rate": 1e-2,
    "seed": 42,
    "verbosity": -1,
    "num_threads": 1,
}
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def read(folder: Path, name: str) -> tuple[list[str], np.ndarray]:
    """Column names and values of a CSV table, without its index column."""
    path = folder / name
    header = path.read_text().splitlines()[0].split(",")[1:]
    return header, np.genfromtxt(path, delimiter=",", skip_header=1)[:, 1:]


def notebook(leak: bool) -> Fit:
    """RegMix's settings: 1,000 rounds; with `leak`, stopped early on the test part."""

    def predict(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> np.ndarray:
        data = lgb.Dataset(x, y)
        callbacks: list[Callable[..., Any]] = []
        if leak:
            callbacks.append(lgb.early_stopping(3, verbose=False))
        booster = lgb.train(
            NOTEBOOK,
            data,
            num_boost_round=1_000,
            valid_sets=[lgb.Dataset(x_test, y_test, reference=data)] if leak else None,
            callbacks=callbacks,
        )
        return np.asarray(booster.predict(x_test, num_iteration=booster.best_iteration))

    return predict


def ours(kind: str) -> Fit:
    """A regressor of this project, which does not see the test losses."""

    def predict(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, _: np.ndarray) -> np.ndarray:
        return fit_regressor(kind, x, y, seed=0).predict(x_test)

    return predict


def main() -> None:
    """Fit, evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--kinds", nargs="+", default=list(REGRESSORS.kinds))
    options = parser.parse_args()
    _, x = read(options.data, "train_mixture_1m.csv")
    names, y = read(options.data, "train_pile_loss_1m.csv")
    _, x_test = read(options.data, "test_mixture_1m.csv")
    _, y_test = read(options.data, "test_pile_loss_1m.csv")
    fits: dict[str, Fit] = {
        "notebook's LightGBM, with its leak": notebook(leak=True),
        "notebook's LightGBM, 1,000 rounds": notebook(leak=False),
        **{regressor_settings(kind).label: ours(kind) for kind in options.kinds},
    }
    print(f"{os.cpu_count()} cores, one thread; {len(names)} losses, {len(x_test)} test mixtures")
    for n in options.rows:
        for label, fit in fits.items():
            start = time.perf_counter()
            maes, correlations = [], []
            for k in range(len(names)):
                predicted = fit(x[:n], y[:n, k], x_test, y_test[:, k])
                maes.append(float(np.abs(predicted - y_test[:, k]).mean()))
                correlations.append(float(spearmanr(predicted, y_test[:, k]).statistic))
            seconds = (time.perf_counter() - start) / len(names)
            cc = names.index(PILE_CC)
            print(
                f"{n:4} rows  {label:36} Pile-CC: MAE {maes[cc]:.4f} Spearman "
                f"{correlations[cc]:.4f}   mean of 13: MAE {np.mean(maes):.4f} Spearman "
                f"{np.mean(correlations):.4f}   {seconds:5.1f} s a fit",
                flush=True,
            )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
