"""Eq. 3 of the paper: from a document's rank to its expected number of copies."""

import numpy as np
from numpy.typing import ArrayLike

from quadmix_assets.sampling.validation import FloatArray, check_domains, check_floats


def sampling_value(
    ranks: ArrayLike,
    domains: ArrayLike,
    lam: ArrayLike,
    omega: ArrayLike,
    eta: ArrayLike,
    epsilon: ArrayLike,
    scale: ArrayLike = 1.0,
) -> FloatArray:
    """Expected copies S (D,) of each document.

    S(r) = (2 / (1 + exp(-lam·(omega - r))))^eta + epsilon where r <= omega, else epsilon; each
    document uses its domain's values. At r = omega that is 1 + epsilon, below it S grows, but never
    beyond 2^eta + epsilon. A scale multiplies the part within omega: S(r) = scale · (...)^eta +
    epsilon, an extension of the paper's space that allows many epochs of a small domain.

    Args:
        ranks: (D,) ranks of Eq. 2.
        domains: (D,) domain index of each document.
        lam: (M,) steepness.
        omega: (M,) largest rank that is taken, a share of the domain's tokens.
        eta: (M,) exponent; with 0, S is the same for all ranks within omega.
        epsilon: (M,) S beyond omega, added within it: the chance of any document to be taken.
        scale: (M,) factor, or one for all domains; 1 is the paper's Equation 3.

    Raises:
        ValueError: shapes disagree, a value is NaN, infinite or negative, or a domain index has no
            parameters.
    """
    steepness = check_floats("lam", lam, (None,), minimum=0.0)
    n_domains = len(steepness)
    threshold = check_floats("omega", omega, (n_domains,), minimum=0.0)
    exponent = check_floats("eta", eta, (n_domains,), minimum=0.0)
    floor = check_floats("epsilon", epsilon, (n_domains,), minimum=0.0)
    factors = scale if np.ndim(scale) else np.full(n_domains, scale)
    factor = check_floats("scale", factors, (n_domains,), minimum=0.0)
    r = check_floats("ranks", ranks, (None,), minimum=0.0)
    domain_of = check_domains(domains, len(r), n_domains)

    values = floor[domain_of]
    inside = np.flatnonzero(r <= threshold[domain_of])
    m = domain_of[inside]
    # Within omega the exponent is at most 0, so exp is in [0, 1] and cannot overflow.
    decay = np.exp(-steepness[m] * (threshold[m] - r[inside]))
    values[inside] += factor[m] * (2.0 / (1.0 + decay)) ** exponent[m]
    return values
