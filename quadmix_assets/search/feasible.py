"""Maps any theta to its feasible neighbour, which satisfies the constraints.

The tokens that theta would take from each domain are scaled by one factor and clipped to the limits
of each domain, so that they add up to the budget (water-filling). Omega is then solved for, as the
expected epochs of a domain grow with its omega; lam, eta and scale are raised only where a larger
omega cannot meet the budget. A feasible neighbour keeps the alpha of all criteria that are on.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from quadmix_assets.sampling import Parameters, omega_for
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.constraints import ETA_MAX, SLACK, Constraints, InfeasibleError

_BISECTIONS = 60
# Algorithm 1's largest lam. A larger lam takes more tokens at the same omega.
_LAM_MAX = 1_000.0


def feasible_neighbours(limits: Constraints, parameters: Parameters) -> Parameters:
    """The feasible neighbours of n thetas; a theta that is feasible stays as it is.

    Raises:
        InfeasibleError: a theta cannot be made feasible.
    """
    found = _without_what_is_off(limits, parameters)
    if limits.max_copies is not None:
        found = _with_limited_copies(limits, found)
    if not limits.constrain_tokens:
        return found
    found = _with_room(limits, found)
    tokens = limits.tokens(found)
    wanted = _water_fill(limits, tokens, limits.n_tokens * _room(limits, found))
    same = np.abs(wanted - tokens) <= SLACK * np.maximum(tokens, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        epochs = np.where(limits.n_tokens > 0, wanted / limits.n_tokens, 0.0)
    epsilon = np.minimum(found.epsilon, epochs)
    omega = omega_for(epochs, found.lam, found.eta, epsilon, found.scale)
    return replace(
        found,
        omega=np.where(same, found.omega, np.minimum(omega, limits.omega_max)),
        epsilon=np.where(same, found.epsilon, epsilon),
    )


def _without_what_is_off(limits: Constraints, parameters: Parameters) -> Parameters:
    alpha = parameters.alpha
    if limits.criteria_off.any():
        alpha = np.where(limits.criteria_off, 0.0, alpha)
        sums = alpha.sum(axis=2, keepdims=True)
        left = np.where(limits.criteria_off, 0.0, 1.0) / (~limits.criteria_off).sum()
        alpha = np.where(sums > 0, alpha / np.where(sums > 0, sums, 1.0), left)
    off = limits.domains_off | (limits.max_share <= 0)
    return replace(
        parameters,
        alpha=alpha,
        omega=np.where(off, 0.0, parameters.omega),
        epsilon=np.where(off, 0.0, parameters.epsilon),
    )


def _with_limited_copies(limits: Constraints, parameters: Parameters) -> Parameters:
    """Lower epsilon, scale and eta until no S exceeds max_copies."""
    assert limits.max_copies is not None
    # At ranks within omega, S is at least scale + epsilon, and scale at least 1.
    epsilon = np.minimum(parameters.epsilon, limits.max_copies - 1.0)
    room = limits.max_copies - epsilon
    scale = np.minimum(parameters.scale, room)
    eta_max = np.log2(room / scale)
    return replace(
        parameters, epsilon=epsilon, scale=scale, eta=np.minimum(parameters.eta, eta_max)
    )


def _with_room(limits: Constraints, parameters: Parameters) -> Parameters:
    """Raise lam, eta and scale until the budget can be met by a larger omega alone."""
    if limits.budget is None:
        return parameters
    short = np.flatnonzero(~_fits(limits, parameters))
    if not short.size:
        return parameters
    start = parameters[short]
    low, high = np.zeros(short.size), np.ones(short.size)
    if not _fits(limits, _moved(limits, start, high)).all():
        raise InfeasibleError(
            f"mix_tokens {limits.budget:,.0f} cannot be met by {short.size} of the thetas "
            "although the constraints leave room: raise omega_max or max_copies"
        )
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        fits = _fits(limits, _moved(limits, start, middle))
        low, high = np.where(fits, low, middle), np.where(fits, middle, high)
    moved = _moved(limits, start, high)
    arrays = {}
    for name in ("lam", "eta", "scale"):
        arrays[name] = getattr(parameters, name).copy()
        arrays[name][short] = getattr(moved, name)
    return replace(parameters, **arrays)


def _moved(limits: Constraints, parameters: Parameters, step: FloatArray) -> Parameters:
    """Thetas moved towards the largest lam, eta and scale by a share `step` (n,) of the way."""
    s = step[:, None]
    lam = np.maximum(parameters.lam, 1e-3) ** (1 - s) * _LAM_MAX**s
    moved = replace(
        parameters,
        lam=np.where(s > 0, lam, parameters.lam),
        eta=parameters.eta + s * np.maximum(ETA_MAX - parameters.eta, 0.0),
        scale=parameters.scale ** (1 - s) * limits.scale_max**s,
    )
    return _with_limited_copies(limits, moved) if limits.max_copies is not None else moved


def _room(limits: Constraints, parameters: Parameters) -> FloatArray:
    """(n, M) the most epochs that n thetas can reach by a larger omega alone."""
    omega = np.full_like(parameters.omega, limits.omega_max)
    most = replace(parameters, omega=omega).expectation().epochs
    return np.where(limits.takes_any, np.minimum(most, limits.max_epochs), 0.0)


def _fits(limits: Constraints, parameters: Parameters) -> NDArray[np.bool_]:
    """(n,) whether thetas can meet the budget and its minimum shares by a larger omega alone."""
    assert limits.budget is not None
    room = limits.n_tokens * _room(limits, parameters)
    allowed = np.minimum(room, limits.largest_share * limits.budget)
    enough = allowed.sum(axis=1) >= limits.budget * (1 - SLACK)
    fits: NDArray[np.bool_] = enough & (room >= limits.min_share * limits.budget * (1 - SLACK)).all(
        axis=1
    )
    return fits


def _water_fill(limits: Constraints, tokens: FloatArray, room: FloatArray) -> FloatArray:
    """Tokens (n, M) that satisfy every limit, in the ratios of `tokens` where no limit binds.

    Args:
        limits: the constraints.
        tokens: (n, M) that thetas take from each domain.
        room: (n, M) the most tokens that each domain can give.
    """
    total = _totals(limits, tokens, room)[:, None]
    low = limits.min_share * total
    high = np.maximum(np.minimum(room, limits.largest_share * total), low)
    # A domain that theta takes nothing from is used only when all others are at their limits.
    base = np.maximum(tokens, np.where(limits.takes_any, 1e-12 * np.maximum(total, 1.0), 0.0))
    least, most = np.zeros_like(total), np.full_like(total, 1e30)
    for _ in range(2 * _BISECTIONS):
        factor = np.sqrt(np.maximum(least, 1e-30) * most)
        enough = np.clip(factor * base, low, high).sum(axis=1, keepdims=True) >= total
        least, most = np.where(enough, least, factor), np.where(enough, factor, most)
    filled: FloatArray = np.clip(most * base, low, high)
    return filled


def _totals(limits: Constraints, tokens: FloatArray, room: FloatArray) -> FloatArray:
    """(n,) tokens of each mix: the budget; without one, as many as theta takes and shares allow."""
    if limits.budget is not None:
        return np.full(len(tokens), float(limits.budget))
    wanted = np.minimum(tokens, room).sum(axis=1)
    if not (limits.min_share > 0).any() and (limits.largest_share >= limits.takes_any).all():
        return wanted

    def fits(totals: FloatArray) -> NDArray[np.bool_]:
        allowed = np.minimum(room, limits.largest_share * totals[:, None]).sum(axis=1)
        needed = limits.min_share * totals[:, None]
        has_room = (needed <= room * (1 + SLACK)).all(axis=1)
        return np.asarray((allowed >= totals * (1 - SLACK)) & has_room)

    # The larger a mix, the harder its shares are to meet: bisect for the largest that meets them.
    low, high = np.zeros_like(wanted), wanted.copy()
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = np.where(fits(middle), middle, low), np.where(fits(middle), high, middle)
    return np.where(fits(wanted), wanted, low)
