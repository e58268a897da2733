"""Rank calibration: per domain, merged score under theta* -> token share of the whole pool."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from quadmix_assets.features.normalizers import Normalizer
from quadmix_assets.features.scored_documents import ScoredDocuments
from quadmix_assets.sampling import Theta, TokenShareTable, merge_scores


class RankCalibration:
    """Merged score -> rank for every domain (Eq. 2), from tables instead of the whole pool.

    Exact at every merged score of the pool while a domain has at most `max_breakpoints` of them,
    else off by at most `max_error`. A domain that had no tokens when it was calibrated gives the
    worst rank, 1, and so is sampled at epsilon.
    """

    def __init__(self, tables: Sequence[TokenShareTable]) -> None:
        self.tables = tuple(tables)

    @classmethod
    def fit(
        cls,
        merged: np.ndarray,
        domains: np.ndarray,
        n_tokens: np.ndarray,
        *,
        n_domains: int,
        max_breakpoints: int,
    ) -> "RankCalibration":
        """Calibrate on the merged scores (D,), domains (D,) and tokens (D,) of the pool."""
        tables = []
        for domain in range(n_domains):
            members = domains == domain
            tables.append(
                TokenShareTable.fit(
                    merged[members], n_tokens[members], max_breakpoints=max_breakpoints
                )
            )
        return cls(tables)

    def ranks(self, merged: np.ndarray, domains: np.ndarray) -> np.ndarray:
        """Ranks (D,) in (0, 1] of documents with merged scores (D,) and domains (D,)."""
        ranks = np.empty(len(merged))
        for domain in np.unique(domains):
            members = domains == domain
            ranks[members] = self.tables[domain](merged[members])
        return ranks

    @property
    def max_error(self) -> float:
        """The largest error of the rank of a document that it was fitted on."""
        return max(table.max_error for table in self.tables)

    @property
    def n_breakpoints(self) -> np.ndarray:
        """(M,) rows of the table of each domain; 0 for a domain without tokens."""
        return np.array([table.to_frame().height for table in self.tables])

    def to_frame(self) -> pl.DataFrame:
        """One table for all domains: domain, value, share_below, share."""
        return pl.concat(
            table.to_frame().with_columns(pl.lit(domain, dtype=pl.Int32).alias("domain"))
            for domain, table in enumerate(self.tables)
        )

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, *, n_domains: int) -> "RankCalibration":
        """The inverse of `to_frame`."""
        return cls(
            [
                TokenShareTable.from_frame(frame.filter(pl.col("domain") == domain))
                for domain in range(n_domains)
            ]
        )


def merged_scores(
    documents: ScoredDocuments, normalizers: Sequence[Normalizer], theta: Theta
) -> np.ndarray:
    """Merged scores (D,) of documents under theta (Eq. 1)."""
    return np.asarray(merge_scores(documents.sigma(normalizers), documents.domains, theta.alpha))
