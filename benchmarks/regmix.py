"""Regressors on the published proxies of RegMix: 512 training and 256 test mixtures.

    python -m benchmarks.regmix --data path/to/regmix --rows 64 128 256 512

The data are train_mixture_1m.csv, train_pile_loss_1m.csv and their test_ parts (sail-sg/regmix, MIT
licence). The test part is used for evaluation only: RegMix's notebook stops boosting early on it,
which is not done here. Below all rows, every repeat fits to other rows.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks.measured_swarms import Case, fits_of, lines_of, measure, read_table
from quadmix_assets.search.regressors.registry import REGRESSORS


def cases_of(folder: Path, *, rows: Sequence[int], repeats: int, n_targets: int) -> Iterator[Case]:
    """Cases of the first targets; repeats take disjoint rows as far as there are enough."""
    _, x = read_table(folder / "train_mixture_1m.csv")
    names, y = read_table(folder / "train_pile_loss_1m.csv")
    _, x_test = read_table(folder / "test_mixture_1m.csv")
    _, y_test = read_table(folder / "test_pile_loss_1m.csv")
    for n in rows:
        for repeat in range(min(repeats, len(x) // n)):
            part = slice(repeat * n, (repeat + 1) * n)
            for k, name in enumerate(names[:n_targets]):
                yield Case(name, repeat, x[part], y[part, k], x_test, y_test[:, k])


def main() -> None:
    """Fit, evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--targets", type=int, default=13)
    parser.add_argument(
        "--kinds", nargs="+", default=[*REGRESSORS.kinds, "plain_lightgbm", "log_linear"]
    )
    parser.add_argument("--leaves", type=int, nargs="*", default=[])
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, one thread")
    cases = cases_of(
        options.data, rows=options.rows, repeats=options.repeats, n_targets=options.targets
    )
    measured = measure(fits_of(options.kinds, options.leaves), cases)
    print("\n".join(lines_of(measured)))


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
