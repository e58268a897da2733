"""Computes the score report of a pool, and returns it as JSON and as plots."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from quadmix_assets.features.normalizers import rank_correlations
from quadmix_assets.features.pool_summary import summarize_pool
from quadmix_assets.features.report.directions import Direction, directions
from quadmix_assets.features.report.domain_plots import (
    plot_domain_counts,
    plot_domain_criterion,
    plot_domain_shares,
)
from quadmix_assets.features.report.domains import (
    domain_counts,
    top_domain_shares,
)
from quadmix_assets.features.report.extremes import extreme_documents
from quadmix_assets.features.report.plots import (
    plot_confidence,
    plot_rank_correlation,
    plot_score_histograms,
)
from quadmix_assets.store import Store

TOP_SHARES = (0.10, 0.25)
"""Sizes of the best parts of the pool, as shares of its tokens, whose domains are shown."""


@dataclass(frozen=True)
class ScoreReport:
    """What N criteria prefer in a pool of D documents and M domains.

    Attributes:
        scores: (S, N) raw scores of a sample of the documents, one column per criterion; of a
            small pool of all (`PoolSummary.sample`). Correlations, directions and top shares are
            those of the sample.
        counts: documents and tokens of each domain, as `domain_counts` returns them.
        correlations: between criteria, as `rank_correlations` returns them.
        directions: agreement of each criterion with the others, as `directions` returns it.
        top_shares: share of the pool's tokens -> (N, M) shares of the domains in the best part of
            that size, by criterion.
        mean_sigma: (M + 1, N) token-weighted mean of each domain; last row: the whole pool.
        confidence: documents by confidence of their label, as `confidence_counts` returns them.
        extremes: criterion -> table of its best and worst documents.
    """

    scores: pl.DataFrame
    counts: pl.DataFrame
    correlations: pl.DataFrame
    directions: Sequence[Direction]
    top_shares: Mapping[float, np.ndarray]
    mean_sigma: np.ndarray
    confidence: np.ndarray
    extremes: Mapping[str, pl.DataFrame]

    @classmethod
    def of(
        cls,
        store: Store,
        shards: Sequence[str],
        criteria: Sequence[str],
        domains: Sequence[str],
        *,
        weighed: Sequence[str],
    ) -> ScoreReport:
        """Compute the report of a pool.

        Args:
            store: the lake, with scores, labels and normalizers.
            shards: of the pool.
            criteria: the N names.
            domains: the M names.
            weighed: the criteria that theta weighs; the directions of these are compared.

        Raises:
            MissingOutputError: a shard is not scored or not labelled, or there are no normalizers.
            ValueError: scores and labels of a shard are not of the same documents, or do not match
                the settings.
        """
        pool = summarize_pool(store, shards, criteria, domains)
        sample = pool.sample
        scores, columns = sample.select(criteria), ("n_tokens", "domain")
        n_tokens, domain = (sample[name].to_numpy() for name in columns)
        top_shares = {
            top: np.stack(
                [
                    top_domain_shares(
                        scores[name].to_numpy(), n_tokens, domain, n_domains=len(domains), top=top
                    )
                    for name in criteria
                ]
            )
            for top in TOP_SHARES
        }
        return cls(
            scores=scores,
            counts=domain_counts(pool.documents_per_domain, pool.tokens_per_domain, domains),
            correlations=rank_correlations(scores),
            directions=directions(scores.select(weighed)),
            top_shares=top_shares,
            mean_sigma=pool.mean_sigma,
            confidence=pool.confidence,
            extremes=extreme_documents(store, pool.extremes, pool.n_documents, criteria, domains),
        )

    @property
    def n_documents(self) -> int:
        """D, the number of documents."""
        return int(self.counts["n_documents"].sum())

    @property
    def criteria(self) -> list[str]:
        """The names of the N criteria."""
        return self.scores.columns

    @property
    def domains(self) -> list[str]:
        """The names of the M domains."""
        names: list[str] = self.counts["domain"].to_list()
        return names

    def as_json(self) -> dict[str, Any]:
        """The numbers of the report, NaN as null."""
        criteria, domains, counts = self.criteria, self.domains, self.counts
        return {
            "criteria": criteria,
            "n_documents_sampled": self.scores.height,
            "documents_per_domain": dict(zip(domains, counts["n_documents"], strict=True)),
            "tokens_per_domain": dict(zip(domains, counts["n_tokens"], strict=True)),
            "rank_correlation": {
                row["criterion"]: {name: _number(row[name]) for name in criteria}
                for row in self.correlations.iter_rows(named=True)
            },
            "directions": {
                one.criterion: {"correlation": _number(one.correlation), "verdict": one.verdict}
                for one in self.directions
            },
            "domain_shares_of_top": {
                f"{top:g}": {
                    name: dict(zip(domains, map(float, row), strict=True))
                    for name, row in zip(criteria, table, strict=True)
                }
                for top, table in self.top_shares.items()
            },
            "mean_sigma": {
                domain: dict(zip(criteria, map(_number, row), strict=True))
                for domain, row in zip([*domains, "whole pool"], self.mean_sigma, strict=True)
            },
            "documents_per_confidence": self.confidence.tolist(),
        }

    def plots(self, confidence_floor: float) -> dict[str, Figure]:
        """All plots, by name.

        Args:
            confidence_floor: of the settings; documents below it are `unknown`.
        """
        criteria, domains = self.criteria, self.domains
        n_tokens = self.counts["n_tokens"].to_numpy()
        return {
            "scores": plot_score_histograms(self.scores, criteria),
            "rank_correlation": plot_rank_correlation(self.correlations, criteria),
            "domains": plot_domain_counts(self.counts),
            "domain_shares_before_and_after": plot_domain_shares(
                domains, n_tokens, self.top_shares, criteria
            ),
            "domain_by_criterion": plot_domain_criterion(self.mean_sigma, domains, criteria),
            "confidence": plot_confidence(self.confidence, confidence_floor),
        }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
