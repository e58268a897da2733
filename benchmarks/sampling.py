"""From scores to copies for one theta: this project's functions against plain Polars.

    python -m benchmarks.sampling --documents 1000000

Prints the seconds of both for the same pool and theta, the shortest of several runs, and the ratio.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import polars as pl

from quadmix_assets.sampling import (
    Theta,
    draw_copies,
    hash_ids,
    merge_scores,
    rank_within_domains,
    sample_parameters,
    sampling_value,
)

N_CRITERIA, N_DOMAINS = 3, 26


def ours(
    sigma: np.ndarray, domains: np.ndarray, tokens: np.ndarray, hashes: np.ndarray, theta: Theta
) -> np.ndarray:
    """Equations 1 to 3 and the draw, with the public functions."""
    merged = merge_scores(sigma, domains, theta.alpha)
    ranks = rank_within_domains(merged, domains, tokens)
    return draw_copies(sampling_value(ranks, domains, *theta[1:]), hashes, 0)


def plain_polars(
    sigma: np.ndarray, domains: np.ndarray, tokens: np.ndarray, hashes: np.ndarray, theta: Theta
) -> np.ndarray:
    """Equations 1 to 3 with a sort and window functions over a data frame, and the same draw."""
    weights = theta.alpha[domains]
    frame = pl.DataFrame(
        {
            "domain": domains,
            "tokens": tokens,
            "merged": (sigma * weights).sum(axis=1),
            "row": np.arange(len(tokens)),
        }
    ).sort("domain", "merged")
    ranks = (
        frame.with_columns(
            pl.col("tokens").cum_sum().over("domain").alias("up_to"),
            pl.col("tokens").sum().over("domain").alias("total"),
        )
        .with_columns(
            (pl.col("up_to").max().over("domain", "merged") / pl.col("total")).alias("rank")
        )
        .sort("row")["rank"]
        .to_numpy()
    )
    omega, lam = theta.omega[domains], theta.lam[domains]
    # Clipped against overflow, which occurs only beyond omega, where the value is not used.
    logistic = 2 / (1 + np.exp(np.minimum(-lam * (omega - ranks), 700.0)))
    values = np.where(ranks <= omega, logistic ** theta.eta[domains], 0.0) + theta.epsilon[domains]
    return draw_copies(values, hashes, 0)


def best_seconds(run: Callable[[], np.ndarray], repeats: int) -> float:
    """The shortest of several runs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    n = options.documents
    sigma = rng.random((n, N_CRITERIA))
    domains = rng.choice(N_DOMAINS, n, p=rng.dirichlet(np.ones(N_DOMAINS))).astype(np.int32)
    tokens = rng.integers(20, 4_000, n)
    hashes = hash_ids(np.arange(n))
    theta = sample_parameters(1, N_CRITERIA, N_DOMAINS, seed=0)[0]
    arguments = (sigma, domains, tokens, hashes, theta)
    difference = np.abs(ours(*arguments) - plain_polars(*arguments)).sum()
    print(f"{n:,} documents, {N_CRITERIA} criteria, {N_DOMAINS} domains")
    print(f"copies that differ (rounding at omega): {difference}")
    fast = best_seconds(lambda: ours(*arguments), options.repeats)
    plain = best_seconds(lambda: plain_polars(*arguments), options.repeats)
    print(f"this project {fast:.3f} s, plain Polars {plain:.3f} s, ratio {plain / fast:.1f}")


if __name__ == "__main__":
    main()
