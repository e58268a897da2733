"""Tables of ten billion documents, merged from simulated shards, against the exact answer.

    python -m benchmarks.scale.ten_billion --shards 10000 --documents-per-shard 1000000

Each shard has scores of a normal distribution of its own. Its documents are not drawn one by one:
every tenth (or so) of the sorted scores is, with the spacings that order statistics have, so that
what is added is what a shard of a million documents would be summed up to. The exact share of a
score is that of the mixed distribution; a pool of ten billion drawn documents is within 2e-5 of it.
"""

import argparse
import math
import time
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from benchmarks.scale.measured import peak_mib
from quadmix_assets.sampling import ShareSummary

_MAX_BREAKPOINTS = 10_000
# Of a document: mean and standard deviation.
_TOKENS, _SPREAD = 500, 200


@dataclass(frozen=True)
class Outcome:
    """How far the merged table is off.

    Attributes:
        n_documents: that the shards stand for.
        largest_error: of the share of any value that was looked up.
        bound: that the summary itself states, without that of the shards' own tables.
        by_chance: what the shares of a pool of so many documents differ from the distribution by.
        cpu_seconds: of drawing and of merging.
        peak_mib: largest memory.
    """

    n_documents: int
    largest_error: float
    bound: float
    by_chance: float
    cpu_seconds: float
    peak_mib: float


def merge_simulated(
    n_shards: int, n_documents: int, *, n_values: int = 100_000, seed: int = 0
) -> Outcome:
    """Merge the tables of `n_shards` shards of `n_documents` documents, of `n_values` rows each."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 1, n_shards)
    spreads = rng.uniform(0.3, 2.0, n_shards)
    start = time.process_time()
    summary = ShareSummary()
    per_value = n_documents / n_values
    for centre, spread in zip(centres, spreads, strict=True):
        # Ranks of the medians of groups of neighbours, as sums of exponential spacings.
        halves = np.cumsum(rng.gamma(per_value / 2, size=2 * n_values + 1))
        scores = centre + spread * ndtri(halves[:-1:2] / halves[-1])
        tokens = rng.normal(per_value * _TOKENS, math.sqrt(per_value) * _SPREAD, n_values)
        summary.add(scores, np.maximum(tokens, 1).astype(np.int64))
    table = summary.table(_MAX_BREAKPOINTS)
    at = np.quantile(table.value, np.linspace(0, 1, 5_001))
    exact = np.zeros(len(at))
    for centre, spread in zip(centres, spreads, strict=True):
        exact += ndtr((at - centre) / spread) / n_shards
    n_all = n_shards * n_documents
    return Outcome(
        n_documents=n_all,
        largest_error=float(np.abs(table(at) - exact).max()),
        bound=summary.max_error,
        # Three standard deviations of a share, with lengths of documents that differ.
        by_chance=3 * 0.5 * math.sqrt((1 + (_SPREAD / _TOKENS) ** 2) / n_all),
        cpu_seconds=time.process_time() - start,
        peak_mib=peak_mib(),
    )


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--documents-per-shard", type=int, default=1_000_000)
    arguments = parser.parse_args()
    found = merge_simulated(arguments.shards, arguments.documents_per_shard)
    print(f"{found.n_documents:,} documents in {arguments.shards:,} shards")
    print(f"largest error of a share: {found.largest_error:.1e}")
    print(f"bound that the summary states: {found.bound:.1e}; by chance: {found.by_chance:.1e}")
    print(f"{found.cpu_seconds:.0f} CPU seconds, drawing included; {found.peak_mib:,.0f} MiB")


if __name__ == "__main__":
    main()
