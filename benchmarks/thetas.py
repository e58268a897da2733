"""From scores to copies for many thetas over one pool: the index against a full sort per theta.

    python -m benchmarks.thetas --documents 1000000 --threads 2

Both take the same pool and thetas and must give the same copies. Prints thetas per second, the
ratio, the time to build the index, and the peak memory of the process.
"""

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np

from quadmix_assets.sampling import PoolDraw, PoolIndex, Theta, hash_ids, sample_parameters
from quadmix_assets.sampling.draw import uniform_of_ids
from quadmix_assets.sampling.pool_draw import Taken

N_CRITERIA, N_DOMAINS = 3, 26


def make_pool(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Correlated sigma (D, N), skewed domains (D,), skewed tokens (D,) and hashes of ids (D,)."""
    rng = np.random.default_rng(0)
    quality = rng.normal(size=n)
    sigma = np.empty((n, N_CRITERIA))
    for column in sigma.T:
        column[:] = 1 / (1 + np.exp(quality + rng.normal(size=n)))
    domains = rng.choice(N_DOMAINS, n, p=rng.dirichlet(np.ones(N_DOMAINS))).astype(np.int32)
    tokens = np.ceil(rng.lognormal(6.0, 1.2, n)).astype(np.int64)
    return sigma, domains, tokens, hash_ids(np.arange(n, dtype=np.uint64))


def plain_copies(
    sigma: np.ndarray, domains: np.ndarray, tokens: np.ndarray, hashes: np.ndarray, theta: Theta
) -> np.ndarray:
    """Copies (D,) of one theta: merge, sort by domain and score, rank, sampling value, draw."""
    alpha = theta.alpha[domains]
    merged = np.zeros(len(sigma))
    for n in range(N_CRITERIA):
        merged += sigma[:, n] * alpha[:, n]
    order = np.lexsort((merged, domains))
    up_to = np.cumsum(tokens[order])
    starts = np.searchsorted(domains[order], np.arange(N_DOMAINS + 1))
    before = np.concatenate([[0], up_to])[starts[:-1]]
    totals = np.bincount(domains, weights=tokens, minlength=N_DOMAINS)
    # All documents of a tie get the rank of the last one.
    same = (np.diff(merged[order]) == 0) & (np.diff(domains[order]) == 0)
    last = np.flatnonzero(np.append(~same, True))
    up_to = np.repeat(up_to[last], np.diff(last, prepend=-1))
    ranks = np.empty(len(sigma))
    ranks[order] = (up_to - before[domains[order]]) / totals[domains[order]]
    lam, omega = theta.lam[domains], theta.omega[domains]
    with np.errstate(over="ignore"):
        values = (2 / (1 + np.exp(-lam * (omega - ranks)))) ** theta.eta[domains]
    values = np.where(ranks <= omega, values, 0.0) + theta.epsilon[domains]
    whole = np.floor(values)
    return whole.astype(np.int64) + (uniform_of_ids(hashes, 0) < values - whole)


def seconds_per_theta(
    run: Callable[[Sequence[Theta]], object], thetas: Sequence[Theta], rounds: int
) -> float:
    """Seconds per theta in the fastest of several rounds of `run`, which takes all thetas."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        run(thetas)
        best = min(best, (time.perf_counter() - start) / len(thetas))
    return best


def _drawn_anew(draw: PoolDraw) -> Callable[[int, Theta], Taken]:
    """The copies of a theta with a draw of its own, as in a swarm."""
    return lambda seed, theta: draw.with_seed(seed).copies(theta)


def measure(n: int, options: argparse.Namespace) -> str:
    """Measure on a pool of n documents; returns the line to print."""
    pool = sigma, domains, tokens, hashes = make_pool(n)
    thetas = list(
        sample_parameters(
            options.thetas, N_CRITERIA, N_DOMAINS, seed=0, omega_max=options.omega_max
        )
    )
    start = time.perf_counter()
    index = PoolIndex.build(sigma, domains, tokens, N_DOMAINS)
    draw = PoolDraw(index, hashes, 0, max_epsilon=0.001)
    once = time.perf_counter() - start
    with ThreadPoolExecutor(options.threads) as executor:
        indexed = seconds_per_theta(
            lambda all_: list(executor.map(_drawn_anew(draw), count(), all_)),
            thetas,
            options.rounds,
        )
    line = f"{n:>11,} documents: {1 / indexed:8.1f} thetas/s, index built in {once:.2f} s"
    if not options.no_plain:
        few = thetas[:3]
        plain = seconds_per_theta(
            lambda all_: [plain_copies(*pool, theta) for theta in all_], few, options.rounds
        )
        different = 0
        for theta in few:
            taken, expected = draw.copies(theta), plain_copies(*pool, theta)
            expected[taken.documents] -= taken.copies
            different += int(np.abs(expected).sum())
        line += (
            f"; plain {1 / plain:.2f} thetas/s, ratio {plain / indexed:.1f}, "
            f"copies that differ: {different}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return f"{line}; peak {peak:.1f} GiB"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--thetas", type=int, default=40)
    parser.add_argument("--omega-max", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-plain", action="store_true", help="measure the index alone")
    options = parser.parse_args()
    for n in options.documents:
        print(measure(n, options), flush=True)


if __name__ == "__main__":
    main()
