"""Why theta takes a document as often as it does, and what would change that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quadmix_assets.mix.calibration import RankCalibration
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.methods.words import apart
from quadmix_assets.mix.rule import Curve, Why
from quadmix_assets.sampling import Theta, copies_of, sampling_value
from quadmix_assets.sampling.validation import FloatArray

_POINTS = 400
# Sums of products round differently: what a score needs is asked for a little more strictly.
_MARGIN = 1e-9


@dataclass(frozen=True, eq=False)
class Place:
    """One document under a theta.

    Attributes:
        domain: its number.
        sigma: (N,) normalized scores.
        merged_score, rank: of Eq. 1 and Eq. 2.
        draw: its random number in [0, 1).
        copies, sampling_value: what was decided.
        is_between: whether it is among the documents that change at the factor on the omegas at
            which the tokens are met, of which those with the smallest draws are taken.
    """

    domain: int
    sigma: FloatArray
    merged_score: float
    rank: float
    draw: float
    copies: int
    sampling_value: float
    is_between: bool


def why_of_theta(
    place: Place,
    theta: Theta,
    calibration: RankCalibration,
    document: Documents,
    criteria: Sequence[str],
) -> Why:
    """The explanation for one document.

    Args:
        place: of the document.
        theta: that it was decided with, with its omegas scaled.
        calibration: merged score -> rank.
        document: the document itself, for its scores and normalizers.
        criteria: the N criteria.
    """
    name = document.domain_names[place.domain]
    omega = float(theta.omega[place.domain])
    numbers: dict[str, float | str] = {
        "omega": omega,
        "draw": place.draw,
        **{f"sigma {c}": float(s) for c, s in zip(criteria, place.sigma, strict=True)},
        **{
            f"alpha {c}": float(a) for c, a in zip(criteria, theta.alpha[place.domain], strict=True)
        },
    }
    flips = list(_other_draws(place)) + list(_other_omegas(place, omega, theta, name))
    needed = _needed_merged_score(place, theta, calibration)
    if needed is not None:
        rank, merged = needed
        numbers |= {"needed rank": rank, "needed merged score": merged}
        shown_rank, shown_needed = apart(place.rank, rank)
        flips.append(
            f"a rank above {shown_needed} in its domain (it is {shown_rank})"
            if place.copies
            else f"a rank of {shown_needed} or less in its domain (it is {shown_rank})"
        )
        flips += _other_scores(place, theta, document, criteria, merged, numbers)
    x = np.linspace(0.0, 1.0, _POINTS)
    curve = sampling_value(x, np.full(_POINTS, place.domain), *theta[1:])
    return Why(
        because=_because(place, omega, name),
        short=_short(place, omega),
        would_flip=tuple(flips),
        curve=Curve(x, curve, f"rank within the domain {name}", place.rank),
        numbers=numbers,
    )


def _because(place: Place, omega: float, name: str) -> str:
    shown_rank, shown_omega = apart(place.rank, omega)
    where = "within" if place.rank <= omega else "beyond"
    words = (
        f"its rank {shown_rank} is {where} omega {shown_omega} of the domain {name!r}, where S is "
        f"{place.sampling_value:.4g}; "
    )
    if place.is_between:
        return words + (
            f"documents like it are taken in the order of their draws until the tokens are met, "
            f"and its draw {place.draw:.4f} was {'early' if place.copies else 'too late'}"
        )
    whole, part = divmod(place.sampling_value, 1.0)
    shown_draw, shown_part = apart(place.draw, part)
    once_more = "once more" if whole else "once"
    return (
        words
        + (f"it is taken {'once' if whole == 1 else f'{int(whole)} times'}, and " if whole else "")
        + (
            f"{once_more}, as the draw {shown_draw} was below {shown_part}"
            if place.draw < part
            else f"not {once_more}, as the draw {shown_draw} was above {shown_part}"
        )
    )


def _short(place: Place, omega: float) -> str:
    shown_rank, shown_omega = apart(place.rank, omega)
    where = "within" if place.rank <= omega else "beyond"
    when = ""
    if place.is_between:
        when = ", early" if place.copies else ", too late"
    return (
        f"rank {shown_rank} {where} omega {shown_omega}: S {place.sampling_value:.3g}, "
        f"draw {place.draw:.3g}{when}"
    )


def _other_draws(place: Place) -> Iterator[str]:
    if place.is_between:
        yield "a later draw" if place.copies else "an earlier draw"
        return
    part = place.sampling_value % 1.0
    shown_draw, shown_part = apart(place.draw, part)
    if place.draw < part:
        yield f"a draw of {shown_part} or more (it is {shown_draw})"
    elif part:
        yield f"a draw below {shown_part} (it is {shown_draw})"


def _other_omegas(place: Place, omega: float, theta: Theta, name: str) -> Iterator[str]:
    """Whether another omega of the domain would change what is taken."""
    at_omega = float(theta.scale[place.domain] if theta.scale.ndim else theta.scale)
    at_omega += float(theta.epsilon[place.domain])
    shown_rank, shown_omega = apart(place.rank, omega)
    if place.rank > omega and not place.copies and place.draw < at_omega:
        yield f"an omega of {shown_rank} or more for the domain {name} (it is {shown_omega})"
    elif place.rank <= omega and place.copies and place.draw >= theta.epsilon[place.domain]:
        yield f"an omega below {shown_rank} for the domain {name} (it is {shown_omega})"


def _needed_merged_score(
    place: Place, theta: Theta, calibration: RankCalibration
) -> tuple[float, float] | None:
    """The worst rank at which its draw gives a copy, and the merged score there.

    None if every rank gives one, or none does.
    """
    table = calibration.tables[place.domain]
    values = sampling_value(table.share, np.full(len(table.share), place.domain), *theta[1:])
    taken = copies_of(values, np.full(len(values), place.draw)) > 0
    if not taken.any() or taken.all():
        return None
    # S falls with the rank.
    row = int(np.flatnonzero(taken)[-1])
    return float(table.share[row]), float(table.value[row])


def _other_scores(
    place: Place,
    theta: Theta,
    document: Documents,
    criteria: Sequence[str],
    merged: float,
    numbers: dict[str, float | str],
) -> Iterator[str]:
    """By each criterion alone, the score that gives the merged score at which it is taken."""
    alpha = theta.alpha[place.domain]
    for n, criterion in enumerate(criteria):
        if not alpha[n]:
            continue
        others = place.merged_score - alpha[n] * place.sigma[n]
        sigma = (merged - others) / alpha[n] - _MARGIN
        normalizer = document.normalizers[criterion]
        if place.copies and normalizer.kind != "zscore" and sigma + _MARGIN >= 1:
            # It would be taken with the worst score, too.
            continue
        needed = normalizer.score_for(float(sigma))
        has = float(document.score(criterion)[0])
        if needed is None or (needed <= has) != bool(place.copies):
            continue
        numbers[f"needed {criterion}"] = needed
        shown_has, shown_needed = apart(has, needed)
        yield (
            f"a score below {shown_needed} by {criterion} alone (it is {shown_has})"
            if place.copies
            else f"a score of {shown_needed} by {criterion} alone (it is {shown_has})"
        )
