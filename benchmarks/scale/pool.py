"""A made-up pool of any size, as a lake of scores and labels, and what fitting on it costs."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from upath import UPath

from benchmarks.scale.measured import peak_mib
from quadmix_assets.features.normalize_pool import fit_normalizers, load_normalizers
from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.features.scored_documents import iter_scores
from quadmix_assets.features.scored_reference_pool import write_scored_reference_pool
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.pool import PoolOfShards
from quadmix_assets.outputs import DOMAIN_LABELS, FITTED_MODELS, SCORED_SHARDS
from quadmix_assets.sampling import merge_scores, sample_parameters
from quadmix_assets.settings import MixSettings, NormalizerSettings
from quadmix_assets.splitmix64 import UIntArray, splitmix64
from quadmix_assets.store import Store

CRITERIA = ("fluency", "quality", "topics")
N_DOMAINS = 26
DOMAIN_NAMES = tuple(f"domain_{m:02}" for m in range(N_DOMAINS))
# Sizes of domains as in web text: the largest has a fifth of the documents, the least a hundredth.
_SHARES = np.arange(1, N_DOMAINS + 1) ** -0.9
_ID_LENGTH = 20
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def generate_pool(folder: Path, n_documents: int, n_shards: int) -> list[str]:
    """Write scores and labels of a pool without texts; a document depends on its number alone.

    Args:
        folder: of the lake.
        n_documents: in all shards together, spread evenly.
        n_shards: at most `n_documents`.

    Returns:
        The shards, which are the scored reference pool too.
    """
    store = Store(UPath(folder))
    ends = np.linspace(0, n_documents, n_shards + 1).astype(np.int64)
    shards = [f"shard_{number:06}" for number in range(n_shards)]
    for number, shard in enumerate(shards):
        write_shard(store, shard, int(ends[number]), int(ends[number + 1]))
    write_scored_reference_pool(store, shards)
    return shards


def write_shard(store: Store, shard: str, start: int, end: int) -> None:
    """Write scores and labels of the documents with the numbers from `start` to below `end`."""
    numbers = np.arange(start, end, dtype=np.uint64)
    ids = document_ids(numbers)
    inputs = {FITTED_MODELS: "0", "raw_shard": f"{start}-{end}"}
    scored = pl.DataFrame({"id": ids, "n_tokens": document_tokens(numbers), **scores_of(numbers)})
    store.write_table(
        store.table_path(SCORED_SHARDS, shard), scored, {"inputs": {**inputs, "tokenizer": "0"}}
    )
    labels = pl.DataFrame(
        {
            "id": ids,
            "domain": pl.Series(DOMAIN_NAMES).gather(document_domains(numbers)),
            "confidence": _uniform(numbers, 5),
        }
    )
    store.write_table(store.table_path(DOMAIN_LABELS, shard), labels, {"inputs": inputs})


@dataclass(frozen=True)
class Fits:
    """What the fits on a pool cost, in CPU seconds and GiB, and how far they are off.

    Attributes:
        n_documents: of the pool.
        n_shards: of the pool.
        normalizers: CPU seconds of one normalizer of kind rank per criterion.
        calibration: CPU seconds of the ranks under a theta.
        tokens: CPU seconds until a number of tokens is met; NaN where they were not asked for.
        expected: CPU seconds of what the rule takes of each domain.
        peak_gib: most memory of the process so far.
        sigma_error: largest distance of a sigma from the exact share, of all documents; NaN where
            it was not measured.
        rank_error: that of a rank.
    """

    n_documents: int
    n_shards: int
    normalizers: float
    calibration: float
    tokens: float
    expected: float
    peak_gib: float
    sigma_error: float
    rank_error: float


def measure_fits(
    folder: Path, shards: Sequence[str], *, with_tokens: bool = True, with_errors: bool = True
) -> Fits:
    """Fit normalizers and a theta's rule on a pool of `generate_pool`, as the assets do.

    Run it in a process of its own: the peak of memory is that of the process.

    Args:
        folder: of the lake.
        shards: what `generate_pool` returned.
        with_tokens: whether a third of the pool's tokens is asked for, too.
        with_errors: whether the results are compared with exact ones, which holds all values of a
            criterion in memory, after the peak was read.
    """
    store = Store(UPath(folder))
    start = time.process_time()
    fitted = fit_normalizers(store, shards, CRITERIA, NormalizerSettings())
    normalizers = time.process_time() - start
    named = dict(zip(CRITERIA, load_normalizers(store, CRITERIA), strict=True))
    pool = PoolOfShards(store, tuple(shards), CRITERIA, DOMAIN_NAMES, named)
    drawn = sample_parameters(1, len(CRITERIA), N_DOMAINS, seed=0, omega_max=0.5)[0]

    def fit(tokens: int | None) -> tuple[ThetaRule, float]:
        start = time.process_time()
        rule = ThetaRule.fit(
            pool,
            drawn,
            criteria=CRITERIA,
            tokens=tokens,
            seed=0,
            max_breakpoints=MixSettings().max_breakpoints,
        )
        return rule, time.process_time() - start

    rule, calibration = fit(None)
    tokens = np.nan
    if with_tokens:
        rule, seconds = fit(fitted.n_tokens // 3)
        tokens = seconds - calibration
    start = time.process_time()
    for part in pool.parts(hashed=True):
        part.tokens_per_domain(rule.decide(part).copies)
    expected = time.process_time() - start
    peak = peak_mib() / 2**10
    errors = _errors(pool, rule) if with_errors else (np.nan, np.nan)
    return Fits(
        fitted.n_documents,
        len(shards),
        normalizers,
        calibration,
        tokens,
        expected,
        peak,
        *errors,
    )


def _errors(pool: PoolOfShards, rule: ThetaRule) -> tuple[float, float]:
    """The largest errors of sigma and of ranks, of every document of the pool."""
    n = sum(pool.store.n_rows(pool.store.table_path(SCORED_SHARDS, each)) for each in pool.shards)
    values, n_tokens, domains = np.empty(n), np.empty(n, np.int32), np.empty(n, np.int8)
    sigma_error = 0.0
    for name in CRITERIA:
        start = 0
        for _, tokens, scores in iter_scores(pool.store, pool.shards, [name]):
            rows = slice(start, start + len(tokens))
            values[rows], n_tokens[rows], start = scores[:, 0], tokens, rows.stop
        np.negative(values, out=values)
        error = _largest_error(values, n_tokens, partial(_sigma, pool.normalizers[name]))
        sigma_error = max(sigma_error, error)
    start = 0
    for part in pool.parts(hashed=False):
        rows = slice(start, start + len(part))
        merged = merge_scores(part.sigma(*CRITERIA), part.domains, rule.theta.alpha)
        values[rows], domains[rows], start = merged, part.domains, rows.stop
    rank_error = 0.0
    for domain, table in enumerate(rule.calibration.tables):
        mine = np.flatnonzero(domains == domain)
        rank_error = max(rank_error, _largest_error(values[mine], n_tokens[mine], table))
    return sigma_error, rank_error


def _sigma(normalizer: Normalizer, negated: np.ndarray) -> np.ndarray:
    return normalizer.apply(-negated)


def _largest_error(
    values: np.ndarray, n_tokens: np.ndarray, share: Callable[[np.ndarray], np.ndarray]
) -> float:
    """The largest distance of a share from the exact one, which a sort of all values gives."""
    order = np.argsort(values)
    ordered = values[order]
    up_to = np.cumsum(n_tokens[order], dtype=np.int64)
    del order
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    error = 0.0
    for start in range(0, len(last), 1 << 20):
        rows = last[start : start + (1 << 20)]
        off = np.abs(share(ordered[rows]) - up_to[rows] / up_to[-1])
        error = max(error, float(off.max()))
    return error


def document_ids(numbers: UIntArray) -> pl.Series:
    """Ids (D,) of twenty hexadecimal characters."""
    words = np.column_stack([splitmix64(numbers), splitmix64(numbers + np.uint64(1 << 60))])
    digits = words.view(np.uint8)[:, : _ID_LENGTH // 2]
    letters = np.stack([_HEX[digits >> 4], _HEX[digits & 15]], axis=2)
    return pl.Series(letters.reshape(-1).view(f"S{_ID_LENGTH}")).cast(pl.String)


def document_tokens(numbers: UIntArray) -> np.ndarray:
    """Token counts (D,) int64: skewed, eight hundred on average."""
    return (200 / (1.02 - _uniform(numbers, 1))).astype(np.int64)


def document_domains(numbers: UIntArray) -> np.ndarray:
    """Domain indices (D,)."""
    ends = np.cumsum(_SHARES) / _SHARES.sum()
    return np.minimum(np.searchsorted(ends, _uniform(numbers, 2)), N_DOMAINS - 1)


def scores_of(numbers: UIntArray) -> dict[str, np.ndarray]:
    """Scores (D,) by criterion: one skewed, one near 0 and 1 as a classifier gives, one in steps.

    The first two are correlated; the last has a few thousand distinct values.
    """
    common, own = _uniform(numbers, 3), _uniform(numbers, 4)
    return {
        "fluency": -np.log1p(-(common + own) / 2.000001),
        "quality": 1 / (1 + np.exp(8 - 16 * common)),
        "topics": np.floor(4_000 * own**3),
    }


def _uniform(numbers: UIntArray, stream: int) -> np.ndarray:
    """Numbers (D,) in [0, 1) that depend on a document's number and the stream."""
    bits = splitmix64(splitmix64(numbers) + np.uint64(stream))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
