"""What a sampling function takes in expectation: integrals of Eq. 3 over the rank.

Ranks are shares of a domain's tokens, so the integral of S over the rank, times the domain's
tokens, is how many of its tokens are taken in expectation (up to the tokens of single documents).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadmix_assets.sampling.validation import FloatArray

_NODES, _WEIGHTS = (np.asarray(values) for values in np.polynomial.legendre.leggauss(24))
# Beyond this many units of 1 / lam from omega, S is 2^eta to the last bit of a float64.
_TRANSITION = 40.0
_NEWTON_STEPS = 8


class Expectation(NamedTuple):
    """What is taken of domains; arrays of the shape of the parameters.

    Attributes:
        epochs: expected copies of a token, the integral of S; tokens taken over tokens there.
        mean_rank: the mean rank of what is taken; 1/2 where nothing is.
    """

    epochs: FloatArray
    mean_rank: FloatArray


def expectation(
    lam: ArrayLike,
    omega: ArrayLike,
    eta: ArrayLike,
    epsilon: ArrayLike,
    scale: ArrayLike = 1.0,
) -> Expectation:
    """Expected epochs and mean rank of sampling functions, arrays of any one shape.

    Exact to about 1e-9: the part of S that bends is integrated by Gauss-Legendre quadrature, the
    rest is constant.
    """
    lam, omega, eta, epsilon, factor = (
        np.asarray(values, dtype=np.float64) for values in (lam, omega, eta, epsilon, scale)
    )
    bend, flat, top = _parts(lam, omega, eta)
    x, heights, widths = _bend(lam, eta, bend)
    taken = (heights * widths).sum(axis=-1) + flat * top
    ranks = omega[..., None] - x
    moment = (heights * widths * ranks).sum(axis=-1) + top * flat**2 / 2
    epochs = factor * taken + epsilon
    moment = factor * moment + epsilon / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_rank = np.where(epochs > 0, moment / epochs, 0.5)
    return Expectation(epochs, mean_rank)


def omega_for(
    epochs: ArrayLike,
    lam: ArrayLike,
    eta: ArrayLike,
    epsilon: ArrayLike,
    scale: ArrayLike = 1.0,
) -> FloatArray:
    """The omega at which a sampling function takes that many epochs; the inverse of `expectation`.

    0 where epsilon alone takes as much or more. It can exceed 1, where even the whole domain is
    not enough; the caller has to look.
    """
    epochs, lam, eta, epsilon, factor = np.broadcast_arrays(
        *(np.asarray(values, dtype=np.float64) for values in (epochs, lam, eta, epsilon, scale))
    )
    wanted = np.maximum(epochs - epsilon, 0.0) / factor
    # S within omega lies between 1 and 2^eta, and grows with the distance from omega: the integral
    # is convex in omega with a slope between the two, and Newton's steps from below close in fast.
    omega = wanted / 2.0**eta
    for _ in range(_NEWTON_STEPS):
        bend, flat, top = _parts(lam, omega, eta)
        _, heights, widths = _bend(lam, eta, bend)
        taken = (heights * widths).sum(axis=-1) + flat * top
        slope = (2.0 / (1.0 + np.exp(-lam * omega))) ** eta
        omega = np.maximum(omega + (wanted - taken) / slope, 0.0)
    return omega


def _parts(
    lam: FloatArray, omega: FloatArray, eta: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The width of the bending part below omega, that of the constant part, and its height."""
    with np.errstate(divide="ignore"):
        bend = np.minimum(omega, np.where(lam > 0, _TRANSITION / lam, np.inf))
    return bend, omega - bend, 2.0**eta


def _bend(
    lam: FloatArray, eta: FloatArray, bend: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.float64]]:
    """Distances from omega (..., 24), S there without epsilon, and the weights of quadrature."""
    # The logistic function turns within a few units of 1 / lam: squaring the nodes puts more of
    # them there.
    t = (_NODES + 1) / 2
    x = bend[..., None] * t**2
    widths = bend[..., None] * (_WEIGHTS * t)
    heights = (2.0 / (1.0 + np.exp(-lam[..., None] * x))) ** eta[..., None]
    return x, heights, widths
