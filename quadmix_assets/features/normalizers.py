"""sigma of Equation 1: maps raw scores to a scale common to all criteria, SMALLER IS BETTER.

Raw scores are stored unchanged, larger is better. A normalizer is fitted once on the pool, stored
as a small table, and later shards are normalized with that same table. Three kinds, by
`fit_normalizer`:

- rank: the share of the pool's tokens in documents that score better or equal, in (0, 1]. It is
  the default, because it does not depend on a criterion's scale and distribution.
- zscore: (mean - score) / standard deviation, both weighted by tokens.
- minmax: (max - score) / (max - min), so the best of the pool gets 0 and the worst 1; documents of
  later shards outside that range are clipped.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from quadmix_assets.sampling.share_summary import ShareSummary
from quadmix_assets.sampling.share_table import SCHEMA as TABLE_SCHEMA
from quadmix_assets.sampling.share_table import TokenShareTable
from quadmix_assets.sampling.validation import FloatArray, IntArray, check_floats, check_tokens

NormalizerKind = Literal["rank", "zscore", "minmax"]

SCHEMA = {"kind": pl.String, "centre": pl.Float64, "scale": pl.Float64, **TABLE_SCHEMA}


class Normalizer(ABC):
    """sigma of one criterion."""

    kind: NormalizerKind

    @abstractmethod
    def apply(self, scores: ArrayLike) -> FloatArray:
        """sigma (D,) of raw scores (D,), smaller is better.

        Raises:
            ValueError: a score is NaN or infinite; the message names its index.
        """

    @abstractmethod
    def score_for(self, sigma: float) -> float | None:
        """A raw score with that sigma or a smaller one, the smallest that is known; None without.

        Of kind rank, scores of the pool that it was fitted on are known.
        """

    @abstractmethod
    def to_frame(self) -> pl.DataFrame:
        """The normalizer as a table of columns kind, centre, scale, value, share_below, share.

        All kinds have the same columns, so that the tables of all criteria can be read as one.
        """

    @staticmethod
    def from_frame(frame: pl.DataFrame) -> "Normalizer":
        """The inverse of `to_frame`; other columns are ignored.

        Raises:
            ValueError: the rows are not those of one normalizer.
        """
        missing = [name for name in SCHEMA if name not in frame.columns]
        if missing:
            raise ValueError(
                f"no column {', '.join(missing)} among {frame.columns}: "
                "expected a table that Normalizer.to_frame wrote"
            )
        kinds = frame["kind"].unique().sort().to_list()
        match kinds:
            case ["rank"]:
                return RankNormalizer(TokenShareTable.from_frame(frame))
            case ["zscore" | "minmax" as kind] if frame.height == 1:
                return LinearNormalizer(kind, frame["centre"][0], frame["scale"][0])
        raise ValueError(
            f"{frame.height} rows of kind {kinds}: expected the rows of one normalizer, "
            "of kind rank, zscore or minmax; select one criterion first"
        )


@dataclass(frozen=True, eq=False)
class RankNormalizer(Normalizer):
    """sigma is the share of the pool's tokens in documents that score better or equal.

    Attributes:
        table: fitted on negated scores, so that shares accumulate from the best score down.
    """

    table: TokenShareTable
    kind: NormalizerKind = "rank"

    def apply(self, scores: ArrayLike) -> FloatArray:
        """See `Normalizer.apply`; in (0, 1]."""
        return self.table(-check_floats("scores", scores, (None,)))

    def score_for(self, sigma: float) -> float | None:
        """See `Normalizer.score_for`."""
        value = self.table.value_for(sigma)
        return None if value is None else 0.0 - value

    def to_frame(self) -> pl.DataFrame:
        """See `Normalizer.to_frame`; one row per breakpoint."""
        null = pl.lit(None, dtype=pl.Float64)
        columns = [pl.lit(self.kind).alias("kind"), null.alias("centre"), null.alias("scale")]
        return self.table.to_frame().with_columns(columns).select(list(SCHEMA))


@dataclass(frozen=True)
class LinearNormalizer(Normalizer):
    """sigma is (centre - score) / scale; 0 for every score if all scores of the pool were equal.

    Attributes:
        kind: zscore or minmax.
        centre: the mean (zscore) or the largest score (minmax) of the pool.
        scale: the standard deviation (zscore) or max - min (minmax).
    """

    kind: NormalizerKind
    centre: float
    scale: float

    def apply(self, scores: ArrayLike) -> FloatArray:
        """See `Normalizer.apply`; in [0, 1] for minmax."""
        raw = check_floats("scores", scores, (None,))
        if self.scale == 0:
            return np.zeros(len(raw))
        sigma = (self.centre - raw) / self.scale
        return np.clip(sigma, 0.0, 1.0) if self.kind == "minmax" else sigma

    def score_for(self, sigma: float) -> float | None:
        """See `Normalizer.score_for`."""
        if (self.kind == "minmax" or not self.scale) and sigma < 0:
            return None
        return self.centre - sigma * self.scale

    def to_frame(self) -> pl.DataFrame:
        """See `Normalizer.to_frame`; one row."""
        row = {"kind": self.kind, "centre": self.centre, "scale": self.scale}
        return pl.DataFrame([row | dict.fromkeys(TABLE_SCHEMA)], schema=SCHEMA)


def fit_normalizer(
    kind: NormalizerKind, scores: ArrayLike, n_tokens: ArrayLike, *, max_breakpoints: int
) -> Normalizer:
    """Fit sigma of one criterion to the pool.

    The result is bit-identical for any order of the documents, up to the limits of `NormalizerFit`.

    Args:
        kind: rank, zscore or minmax.
        scores: (D,) raw scores of the pool's documents, larger is better.
        n_tokens: (D,) token counts.
        max_breakpoints: most rows of the table of kind rank; the other kinds ignore it.

    Raises:
        ValueError: an unknown kind, no documents or no tokens, shapes that disagree, a score that
            is NaN or infinite, negative tokens, or scores whose spread overflows float64.
    """
    fit = NormalizerFit(kind, max_breakpoints=max_breakpoints)
    fit.add(scores, n_tokens)
    return fit.normalizer()


class NormalizerFit:
    """Fits sigma of one criterion to a pool that is added piece by piece, in bounded memory.

    Up to the limits of `ShareSummary`, the order of the documents changes no bit. Beyond them rank
    is off by at most `max_error`, and both rank and zscore depend on the order of the pieces.

    Args:
        kind: rank, zscore or minmax.
        max_breakpoints: most rows of the table of kind rank; the other kinds ignore it.

    Raises:
        ValueError: an unknown kind.
    """

    def __init__(self, kind: NormalizerKind, *, max_breakpoints: int) -> None:
        if kind not in get_args(NormalizerKind):
            raise ValueError(f"kind is {kind!r}; expected rank, zscore or minmax")
        self.kind = kind
        self._max_breakpoints = max_breakpoints
        # Of negated scores, so that shares accumulate from the best score down.
        self._summary = ShareSummary.of_breakpoints(max_breakpoints)
        self._moments = Moments(0, 0.0, 0.0)
        self._n_documents = 0

    def add(self, scores: ArrayLike, n_tokens: ArrayLike) -> None:
        """Add documents with raw scores (D,) and token counts (D,).

        Raises:
            ValueError: shapes disagree, a score is NaN or infinite, or tokens are negative.
        """
        raw = check_floats("scores", scores, (None,))
        tokens = check_tokens(n_tokens, len(raw))
        self._summary.add(-raw, tokens)
        self._n_documents += len(raw)
        if self.kind == "zscore":
            self._moments += Moments.of(raw, tokens)

    @property
    def max_error(self) -> float:
        """Bound of the error of sigma of kind rank, besides that of its table; 0 of other kinds."""
        return self._summary.max_error if self.kind == "rank" else 0.0

    def normalizer(self) -> Normalizer:
        """sigma of all that was added.

        Raises:
            ValueError: no documents or no tokens, or scores whose spread overflows float64.
        """
        if not self._summary.n_tokens:
            raise ValueError(
                f"{self._n_documents} documents with no tokens: "
                "expected a pool with tokens to fit a normalizer"
            )
        if self.kind == "rank":
            return RankNormalizer(self._summary.table(self._max_breakpoints))
        values, tokens = self._summary.tokens_per_value()
        best, worst = 0.0 - float(values[0]), 0.0 - float(values[-1])
        if self.kind == "minmax":
            centre, scale = best, best - worst
        elif self._summary.is_exact:
            # From the worst score up, whatever the order of the documents was.
            has_tokens = tokens[::-1] > 0
            centre, scale = _mean_and_standard_deviation(
                0.0 - values[::-1][has_tokens], tokens[::-1][has_tokens]
            )
        else:
            centre, scale = self._moments.mean, self._moments.standard_deviation
        if not math.isfinite(scale):
            raise ValueError(
                f"scores from {worst:g} to {best:g} have a spread that overflows "
                "float64: scale the criterion down or use kind rank"
            )
        return LinearNormalizer(self.kind, centre, scale)


@dataclass(frozen=True)
class Moments:
    """Mean and spread of values, weighted by tokens; those of two sets add up.

    Attributes:
        n_tokens: of all values.
        mean: of the values, weighted.
        squares: sum of the squared distances from the mean, weighted.
    """

    n_tokens: int
    mean: float
    squares: float

    @classmethod
    def of(cls, values: FloatArray, n_tokens: IntArray) -> "Moments":
        """Of values (D,) with token counts (D,)."""
        total = int(n_tokens.sum())
        if not total:
            return cls(0, 0.0, 0.0)
        mean = math.fsum(values * (n_tokens / total))
        with np.errstate(over="ignore", invalid="ignore"):
            squares = float(((values - mean) ** 2 * n_tokens).sum())
        return cls(total, mean, squares)

    def __add__(self, other: "Moments") -> "Moments":
        """Of the values of both (Chan, Golub and LeVeque 1983)."""
        total = self.n_tokens + other.n_tokens
        if not total:
            return self
        share = other.n_tokens / total
        apart = other.mean - self.mean
        return Moments(
            total,
            self.mean + apart * share,
            self.squares + other.squares + apart * apart * share * self.n_tokens,
        )

    @property
    def standard_deviation(self) -> float:
        """The square root of the mean squared distance; 0 without tokens."""
        return math.sqrt(self.squares / self.n_tokens) if self.n_tokens else 0.0


def _mean_and_standard_deviation(values: FloatArray, n_tokens: IntArray) -> tuple[float, float]:
    """Both weighted by tokens; fsum rounds once, so the order of the values does not matter."""
    if len(values) == 1:
        # Rounding could move the mean off the only value, and the spread would not be 0.
        return float(values[0]), 0.0
    weights = n_tokens / n_tokens.sum()
    mean = math.fsum(values * weights)
    with np.errstate(over="ignore"):
        variance = math.fsum((values - mean) ** 2 * weights)
    return mean, math.sqrt(variance)


def rank_correlations(scores: pl.DataFrame) -> pl.DataFrame:
    """Spearman's rank correlation of every pair of criteria.

    Args:
        scores: one column of scores per criterion, one row per document.

    Returns:
        One row per criterion, in the order of the columns: its name in `criterion`, then one column
        per criterion. NaN where a criterion is constant.

    Raises:
        ValueError: a score is missing, NaN or infinite.
    """
    for name in scores.columns:
        check_floats(name, scores[name].cast(pl.Float64).to_numpy(), (None,))
    ranks = scores.select(pl.all().rank("average"))
    rows = [
        {
            "criterion": name,
            **{other: ranks.select(pl.corr(name, other)).item() for other in scores.columns},
        }
        for name in scores.columns
    ]
    return pl.DataFrame(
        rows, schema={"criterion": pl.String, **dict.fromkeys(scores.columns, pl.Float64)}
    )
