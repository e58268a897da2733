"""What is said of the scores of a whole pool, from numbers that are measured shard by shard.

`score_report` reads it. It is kept in the lake
(`pool_summary/`) as a running total: a new shard is measured alone, and no row of another one is
read. All of it is the same whatever the shards, their order, and the steps in which they came.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.features.report.domains import (
    N_CONFIDENCE_BINS,
    confidence_counts,
    mean_of_sums,
    sigma_sums,
)
from quadmix_assets.features.report.extremes import N_EXTREMES, best_rows, worst_rows
from quadmix_assets.features.scored_documents import (
    ScoredDocuments,
    read_scored,
    versions_of_scored,
)
from quadmix_assets.features.tallies import merge_tallies, numbers_of, tally
from quadmix_assets.outputs import POOL_SUMMARY, SCORE_NORMALIZERS
from quadmix_assets.sampling.validation import IntArray
from quadmix_assets.store import Measuring, Store, Tables, running_total

MAX_SAMPLED = 200_000
"""Most documents of the sample; a correlation has a standard error of about 0.002 then."""

# Of the format and of what is measured: with another number all is measured anew.
_VERSION = 2
_N_LEVELS = 65


@dataclass(frozen=True, eq=False)
class PoolSummary:
    """D documents with N criteria and M domains.

    Attributes:
        criteria: the N names.
        domains: the M names.
        counts: whole numbers by group: `documents` and `tokens` by domain, `confidence` by bin,
            `sigma <criterion>` as `sigma_sums` gives them, `levels` of id hashes.
        sample: columns id_hash, n_tokens, domain (its index), and the raw scores by criterion: all
            documents while there are at most MAX_SAMPLED, else a half, a quarter, and so on, those
            with the smallest id hashes.
        extremes: columns criterion, is_best, score, id, domain (its index), shard, row: the best
            and the worst documents by each criterion.
    """

    criteria: tuple[str, ...]
    domains: tuple[str, ...]
    counts: pl.DataFrame
    sample: pl.DataFrame
    extremes: pl.DataFrame

    @property
    def n_documents(self) -> int:
        """D, the number of documents."""
        return int(self.documents_per_domain.sum())

    @property
    def documents_per_domain(self) -> IntArray:
        """(M,) documents of each domain."""
        return numbers_of(self.counts, "documents", len(self.domains))

    @property
    def tokens_per_domain(self) -> IntArray:
        """(M,) tokens of each domain."""
        return numbers_of(self.counts, "tokens", len(self.domains))

    @property
    def confidence(self) -> IntArray:
        """Documents in each of `N_CONFIDENCE_BINS` bins of confidence from 0 to 1."""
        return numbers_of(self.counts, "confidence", N_CONFIDENCE_BINS)

    @property
    def mean_sigma(self) -> np.ndarray:
        """(M + 1, N) token-weighted mean sigma of each domain, and of the whole pool last.

        NaN where there are no tokens.
        """
        columns = [
            mean_of_sums(
                numbers_of(self.counts, f"sigma {name}", 2 * len(self.domains)).reshape(-1, 2),
                self.tokens_per_domain,
            )
            for name in self.criteria
        ]
        return np.column_stack(columns)


def summarize_pool(
    store: Store, shards: Sequence[str], criteria: Sequence[str], domain_names: Sequence[str]
) -> PoolSummary:
    """The summary of the pool of these shards; only those that are new are measured.

    Raises:
        MissingOutputError: a shard is not scored or not labelled, or there are no normalizers.
        ValueError: scores and labels of a shard are not of the same documents, or do not match the
            settings.
    """
    normalizers = load_normalizers(store, criteria)
    total = running_total(
        store,
        store.root / POOL_SUMMARY,
        versions_of_scored(store, shards),
        Measuring(
            {
                "version": _VERSION,
                "normalizers": store.fingerprint(store.root / SCORE_NORMALIZERS),
                "criteria": list(criteria),
                "domains": list(domain_names),
            },
            partial(_measure, store, criteria, domain_names, normalizers),
            partial(_merge, criteria),
        ),
    )
    return PoolSummary(
        tuple(criteria),
        tuple(domain_names),
        total["counts"],
        total["sample"],
        total["extremes"],
    )


def _measure(
    store: Store,
    criteria: Sequence[str],
    domain_names: Sequence[str],
    normalizers: Sequence[Normalizer],
    shard: str,
) -> Tables:
    pool, n_domains = read_scored(store, [shard], criteria, domain_names), len(domain_names)
    levels = _levels(pool.id_hashes)
    counts = {
        "documents": np.bincount(pool.domains, minlength=n_domains),
        "tokens": np.bincount(pool.domains, pool.n_tokens, n_domains).astype(np.int64),
        "confidence": confidence_counts(store, [shard]),
        "levels": np.bincount(levels, minlength=_N_LEVELS),
    }
    for n, (name, normalizer) in enumerate(zip(criteria, normalizers, strict=True)):
        scores = pool.scores[:, n]
        sums = sigma_sums(normalizer.apply(scores), pool.n_tokens, pool.domains, n_domains)
        counts[f"sigma {name}"] = sums.ravel()
    sample = pl.DataFrame(
        {
            "id_hash": pool.id_hashes,
            "n_tokens": pool.n_tokens,
            "domain": pool.domains,
            **{name: pool.scores[:, n] for n, name in enumerate(criteria)},
        },
        schema=_sample_schema(criteria),
    )
    counted = tally(counts)
    return {
        "counts": counted,
        "sample": _thinned(sample, counted),
        "extremes": _extremes_of(pool, criteria, shard),
    }


def _merge(criteria: Sequence[str], parts: Sequence[Tables]) -> Tables:
    counts = merge_tallies([part["counts"] for part in parts])
    sample = pl.concat(
        [pl.DataFrame(schema=_sample_schema(criteria)), *(part["sample"] for part in parts)]
    )
    extremes = pl.concat(
        [pl.DataFrame(schema=_EXTREMES), *(part["extremes"] for part in parts)]
    ).with_columns(order=pl.when("is_best").then(-pl.col("score")).otherwise("score"))
    best = extremes.filter("is_best").sort("criterion", "order", "id")
    worst = extremes.filter(~pl.col("is_best")).sort(
        "criterion", "order", "id", descending=[False, False, True]
    )
    kept = pl.concat(
        each.group_by("criterion", maintain_order=True).head(N_EXTREMES).select(list(_EXTREMES))
        for each in (best, worst)
    )
    return {
        "counts": counts,
        "sample": _thinned(sample, counts).sort("id_hash"),
        "extremes": kept,
    }


_EXTREMES = {
    "criterion": pl.String,
    "is_best": pl.Boolean,
    "score": pl.Float64,
    "id": pl.String,
    "domain": pl.Int32,
    "shard": pl.String,
    "row": pl.Int64,
}


def _extremes_of(pool: ScoredDocuments, criteria: Sequence[str], shard: str) -> pl.DataFrame:
    """The candidates that a shard has for the best and the worst documents of the pool."""
    parts = [pl.DataFrame(schema=_EXTREMES)]
    for n, name in enumerate(criteria):
        scores = pool.scores[:, n]
        for is_best, choose in ((True, best_rows), (False, worst_rows)):
            rows = choose(pool.ids, scores, N_EXTREMES)
            columns = {
                "criterion": [name] * len(rows),
                "is_best": [is_best] * len(rows),
                "score": scores[rows],
                "id": pool.ids.gather(rows),
                "domain": pool.domains[rows],
                "shard": [shard] * len(rows),
                "row": rows,
            }
            parts.append(pl.DataFrame(columns, schema=_EXTREMES))
    return pl.concat(parts)


def _sample_schema(criteria: Sequence[str]) -> dict[str, type[pl.DataType]]:
    return {
        "id_hash": pl.UInt64,
        "n_tokens": pl.Int64,
        "domain": pl.Int32,
        **dict.fromkeys(criteria, pl.Float64),
    }


def _levels(id_hashes: np.ndarray) -> np.ndarray:
    """(D,) of each hash how often it can be doubled before it leaves 64 bits, 0 to 64."""
    exponents = np.frexp(id_hashes.astype(np.float64))[1]
    return np.clip(64 - exponents, 0, 64)


def _thinned(sample: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """The documents of the lowest level from which on there are at most MAX_SAMPLED of them.

    How many there are of each level is known of all documents, so that the level depends on the
    pool alone. It is never below that of a part of the pool.
    """
    from_here = np.cumsum(numbers_of(counts, "levels", _N_LEVELS)[::-1])[::-1]
    level = int(np.argmax(from_here <= MAX_SAMPLED)) if from_here[-1] <= MAX_SAMPLED else 64
    if level == 0:
        return sample
    return sample.filter(pl.Series(_levels(sample["id_hash"].to_numpy()) >= level))
