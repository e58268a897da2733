"""Checks that criteria agree on what is good, and finds those that may be upside down."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import polars as pl

from quadmix_assets.features.normalizers import rank_correlations
from quadmix_assets.settings import CriterionSettings

# Valid criteria of different kinds are often nearly uncorrelated or slightly anticorrelated (a
# fluent advertisement). A correlation below this counts as disagreement.
CLEARLY_NEGATIVE = -0.1

Verdict = Literal["agrees", "unrelated", "upside down?", "disagrees", "constant", "alone"]


@dataclass(frozen=True)
class Direction:
    """How one criterion correlates with the others, and whether its direction is plausible.

    Attributes:
        criterion: its name.
        correlation: Spearman correlation with the mean rank that the others give a document; NaN
            if either is constant.
        verdict: `agrees` (positive correlation), `unrelated` (about 0), `upside down?` (negative,
            and the others agree among themselves), `disagrees` (negative, and they do not),
            `constant` (all its scores are equal), `alone` (those of all others are).
    """

    criterion: str
    correlation: float
    verdict: Verdict


def directions(scores: pl.DataFrame) -> list[Direction]:
    """Compare each criterion with the mean rank of the others, in the order of the columns.

    A mean rank is dominated by what most criteria agree on, so one criterion that is upside down
    stands out against it. With two criteria there is no majority: they can only disagree.

    Args:
        scores: one column of raw scores (D,) per criterion, larger is better; finite.

    Raises:
        ValueError: a score is missing, NaN or infinite.
    """
    varying = [name for name in scores.columns if scores[name].n_unique() > 1]
    pairs = rank_correlations(scores.select(varying))
    between = {
        (row["criterion"], other): row[other]
        for row in pairs.iter_rows(named=True)
        for other in varying
    }
    ranks = scores.select(pl.col(name).rank("average") for name in varying)
    limit = min(CLEARLY_NEGATIVE, -_noise(scores.height))
    found = []
    for name in scores.columns:
        others = [other for other in varying if other != name]
        if name not in varying:
            found.append(Direction(name, math.nan, "constant"))
        elif not others:
            found.append(Direction(name, math.nan, "alone"))
        else:
            mean_rank = ranks.select(pl.mean_horizontal(others)).to_series()
            table = rank_correlations(pl.DataFrame({"this": scores[name], "others": mean_rank}))
            correlation = float(table["others"][0])
            agreement = [between[pair] for pair in combinations(others, 2)]
            found.append(Direction(name, correlation, _verdict(correlation, agreement, limit)))
    return found


def _noise(n_documents: int) -> float:
    """Three standard deviations of the correlation of unrelated criteria."""
    return 3.0 / math.sqrt(max(n_documents - 1, 1))


def _verdict(correlation: float, agreement: Sequence[float], limit: float) -> Verdict:
    if math.isnan(correlation):
        return "unrelated"
    if correlation < limit:
        united = bool(agreement) and sum(agreement) / len(agreement) > -limit
        return "upside down?" if united else "disagrees"
    return "agrees" if correlation > -limit else "unrelated"


def describe_directions(
    found: Sequence[Direction], criteria: Sequence[CriterionSettings]
) -> tuple[bool, str]:
    """Whether all directions are plausible, and a text that says why and what to do.

    Args:
        found: as `directions` returns them.
        criteria: their settings, in the same order.
    """
    suspects = [
        _advice(one, settings)
        for one, settings in zip(found, criteria, strict=True)
        if one.verdict == "upside down?"
    ]
    if suspects:
        return False, " ".join(suspects)
    against = [one for one in found if one.verdict == "disagrees"]
    if against:
        return False, (
            f"the criteria disagree: correlation {_listed(against)} with the mean rank of the "
            "others, and there is no majority to tell which of them is upside down. Compare the "
            "best and worst documents (extremes_...) of each: larger scores must be better "
            "documents."
        )
    if len([one for one in found if one.verdict not in ("constant", "alone")]) < 2:
        return True, "fewer than two criteria have scores that differ: there is nothing to compare"
    return True, (
        "no criterion is negatively correlated with the others: correlation "
        f"{_listed(found)} with their mean rank"
    )


def _advice(one: Direction, settings: CriterionSettings) -> str:
    words = (
        f"{one.criterion} is likely upside down: its best documents are the worst of the other "
        f"criteria, which agree among themselves (Spearman correlation {one.correlation:.2f} with "
        "their mean rank). "
    )
    if settings.reversed_by is not None:
        return words + (
            f"If a look at extremes_{one.criterion} confirms it, set {settings.reversed_by} "
            f"for {one.criterion} in features.criteria, then materialise fitted_models and what "
            "follows it again."
        )
    return words + (
        f"Look at extremes_{one.criterion}: larger scores must be better documents. If they are "
        f"not, leave {one.criterion} out of features.criteria or learn it from another target set."
    )


def _listed(found: Sequence[Direction]) -> str:
    return ", ".join(
        f"{one.criterion} {one.correlation:.2f}" for one in found if not math.isnan(one.correlation)
    )
