"""Expected epochs and mean rank of sampling functions: integrals of Eq. 3 over the rank.

Ranks are shares of a domain's tokens, so the integral of S over the rank is the expected number of
epochs: tokens taken from the domain / tokens of the domain (exact up to single documents).
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
    """Expected epochs and mean rank; arrays of the shape of the parameters.

    Attributes:
        epochs: tokens taken from a domain / tokens the domain has; the integral of S.
        mean_rank: mean rank of the tokens taken; 1/2 if none are.
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
    """Expected epochs and mean rank of sampling functions.

    Exact to about 1e-9: the curved part of S is integrated by Gauss-Legendre quadrature, the rest
    is constant.

    Args:
        lam, omega, eta, epsilon: of Eq. 3, arrays of one shape.
        scale: factor on S without epsilon, of that shape or one for all; 1 is the paper's Eq. 3.
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
    """The omega at which a sampling function takes `epochs`; the inverse of `expectation`.

    0 if epsilon alone takes as many or more. Above 1 if even the whole domain is not enough; the
    caller must check that.

    Args:
        epochs: tokens taken from a domain / tokens the domain has.
        lam, eta, epsilon: of Eq. 3.
        scale: factor on S without epsilon; 1 is the paper's Eq. 3.
            All arguments are broadcast to one shape.
    """
    epochs, lam, eta, epsilon, factor = np.broadcast_arrays(
        *(np.asarray(values, dtype=np.float64) for values in (epochs, lam, eta, epsilon, scale))
    )
    wanted = np.maximum(epochs - epsilon, 0.0) / factor
    # S within omega is between 1 and 2^eta and grows with the distance from omega. So the integral
    # is convex in omega with a slope between the two, and Newton's method converges fast.
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
    """Width of the curved part of S below omega, and width and height of the constant part."""
    with np.errstate(divide="ignore"):
        bend = np.minimum(omega, np.where(lam > 0, _TRANSITION / lam, np.inf))
    return bend, omega - bend, 2.0**eta


def _bend(
    lam: FloatArray, eta: FloatArray, bend: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.float64]]:
    """Nodes (..., 24) as distances from omega, S there without epsilon, and quadrature weights."""
    # S curves most within a few units of 1 / lam: squaring the nodes puts more of them there.
    t = (_NODES + 1) / 2
    x = bend[..., None] * t**2
    widths = bend[..., None] * (_WEIGHTS * t)
    heights = (2.0 / (1.0 + np.exp(-lam[..., None] * x))) ** eta[..., None]
    return x, heights, widths
