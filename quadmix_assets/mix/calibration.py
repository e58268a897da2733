"""Rank calibration: per domain, merged score under theta* -> token share of the whole pool."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl

from quadmix_assets.sampling import ShareSummary, TokenShareTable


class RankCalibration:
    """Merged score -> rank for every domain (Eq. 2), from tables instead of the whole pool.

    Exact at every merged score of the pool while a domain has at most `max_breakpoints` of them,
    else off by at most `max_error`. A domain that had no tokens when it was calibrated gives the
    worst rank, 1, and so is sampled at epsilon.
    """

    def __init__(
        self, tables: Sequence[TokenShareTable], summary_errors: Sequence[float] = ()
    ) -> None:
        """A calibration of tables.

        Args:
            tables: of the M domains.
            summary_errors: bounds of the errors of the shares that the tables were made from, where
                they are not exact; they are not stored.
        """
        self.tables = tuple(tables)
        self._summary_errors = tuple(summary_errors) or (0.0,) * len(self.tables)

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
        part = (merged, domains, n_tokens)
        return cls.fit_parts([part], n_domains=n_domains, max_breakpoints=max_breakpoints)

    @classmethod
    def fit_parts(
        cls,
        parts: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
        *,
        n_domains: int,
        max_breakpoints: int,
    ) -> "RankCalibration":
        """Calibrate on a pool that comes part by part, in bounded memory; see `ShareSummary`.

        Args:
            parts: merged scores (D,), domains (D,) and tokens (D,) of each.
            n_domains: M.
            max_breakpoints: most rows of the table of a domain.
        """
        summaries = [ShareSummary.of_breakpoints(max_breakpoints) for _ in range(n_domains)]
        for merged, domains, n_tokens in parts:
            for domain, members in _members(domains):
                summaries[domain].add(merged[members], n_tokens[members])
        return cls(
            [summary.table(max_breakpoints) for summary in summaries],
            [summary.max_error for summary in summaries],
        )

    def ranks(self, merged: np.ndarray, domains: np.ndarray) -> np.ndarray:
        """Ranks (D,) in (0, 1] of documents with merged scores (D,) and domains (D,)."""
        ranks = np.empty(len(merged))
        for domain, members in _members(domains):
            ranks[members] = self.tables[domain](merged[members])
        return ranks

    @property
    def max_error(self) -> float:
        """The largest error of the rank of a document that it was fitted on."""
        return max(
            table.max_error + error
            for table, error in zip(self.tables, self._summary_errors, strict=True)
        )

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


def _members(domains: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each domain that has documents, with the positions of its documents in ascending order."""
    # A stable sort of small numbers takes a few passes, whatever the number of domains.
    order = np.argsort(domains.astype(np.int16), kind="stable")
    ordered = domains[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    for members in np.split(order, starts[1:]) if len(order) else ():
        yield int(domains[members[0]]), members
