"""Numbers in the sentences that explain decisions, and the curve of a threshold."""

import numpy as np

from quadmix_assets.mix.rule import Curve, Why

_MOST_DIGITS = 17
_POINTS = 400


def apart(first: float, second: float) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to tell them apart, at least four."""
    for digits in range(4, _MOST_DIGITS):
        texts = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if texts[0] != texts[1]:
            return texts
    return texts


def nothing_fits() -> Why:
    """Why a rule takes no document at all."""
    because = "no document fits the number of tokens"
    return Why(because, because, ("more tokens",))


def step_at(threshold: float, place: float, label: str) -> Curve:
    """The sampling curve of documents that are taken from a threshold on, around one document."""
    low, high = sorted((threshold, place))
    margin = (high - low) / 2 or max(abs(threshold), 1.0) / 10
    x = np.linspace(low - margin, high + margin, _POINTS)
    return Curve(x, (x >= threshold).astype(np.float64), label, place)
