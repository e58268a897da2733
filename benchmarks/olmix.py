"""Regressors on the published proxies of Olmix: 127 models of 30M parameters over 24 topics.

    python -m benchmarks.olmix --data path/to/olmix --rows 32 64 96 --targets 12

The data are dclm_ratios.csv (topic shares of each run) and dclm_metrics.csv (bits per byte of each
run on 110 tasks) of allenai/olmix (Apache-2.0). Every repeat fits to another random choice of rows
and predicts rows that are not among them; the largest number of rows leaves a quarter for that.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from benchmarks.measured_swarms import Case, fits_of, lines_of, measure
from quadmix_assets.search.regressors.registry import REGRESSORS

# What is no topic and no task.
_KEYS = ("", "run", "name", "index")
_TEST_SHARE = 0.25


def read(folder: Path) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Topic shares (n, 24), names of tasks, and their bits per byte (n, 110)."""
    ratios = pl.read_csv(folder / "dclm_ratios.csv")
    metrics = pl.read_csv(folder / "dclm_metrics.csv")
    both = ratios.join(metrics, on="run", validate="1:1", maintain_order="left")
    topics = [name for name in ratios.columns if name not in _KEYS]
    tasks = [name for name in metrics.columns if name not in _KEYS]
    return both.select(topics).to_numpy(), tasks, both.select(tasks).to_numpy()


def cases_of(
    x: np.ndarray,
    tasks: Sequence[str],
    y: np.ndarray,
    *,
    rows: Sequence[int],
    n_targets: int,
    repeats: int,
) -> Iterator[Case]:
    """Cases of the mean over tasks and of single tasks, evenly chosen among all."""
    chosen = np.unique(np.linspace(0, len(tasks) - 1, max(n_targets - 1, 1)).astype(int))
    losses = {"mean of all tasks": y.mean(axis=1), **{tasks[k]: y[:, k] for k in chosen}}
    n_test = round(_TEST_SHARE * len(x))
    for repeat in range(repeats):
        order = np.random.default_rng(repeat).permutation(len(x))
        test, rest = order[:n_test], order[n_test:]
        for n in rows:
            part = rest[:n]
            for name, values in losses.items():
                yield Case(name, repeat, x[part], values[part], x[test], values[test])


def main() -> None:
    """Fit, evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=[32, 64, 95])
    parser.add_argument("--targets", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument(
        "--kinds", nargs="+", default=[*REGRESSORS.kinds, "plain_lightgbm", "log_linear"]
    )
    parser.add_argument("--leaves", type=int, nargs="*", default=[])
    options = parser.parse_args()
    x, tasks, y = read(options.data)
    print(f"{os.cpu_count()} cores, one thread; {len(x)} runs, {x.shape[1]} topics")
    cases = cases_of(
        x, tasks, y, rows=options.rows, n_targets=options.targets, repeats=options.repeats
    )
    measured = measure(fits_of(options.kinds, options.leaves), cases)
    print("\n".join(lines_of(measured)))


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
