"""Constraints on a mix, and the way from any theta to one that satisfies all of them.

What is constrained are tokens per domain: the budget of the mix, shares and epochs of domains. The
tokens that theta would take of each domain are scaled by one factor, cut to what each domain may
and can give, until they add up to the budget (water-filling); omega then follows from them, since
the expected epochs of a sampling function grow with omega alone. So every theta has a feasible
neighbour that keeps its preferences, and a search over thetas never leaves what is allowed.

Tokens are those of the pool that the mix is made of, never of the sample that proxies train on: a
domain that a proxy reads once may have to be repeated ten times to fill a large mix.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quadmix_assets.sampling import Parameters, omega_for
from quadmix_assets.sampling.validation import FloatArray

_BISECTIONS = 60
# Algorithm 1's largest lam and eta: where a mix needs more tokens, a theta is moved towards them.
_LAM_MAX = 1_000.0
_ETA_MAX = 1.0
# How far two sums of shares or tokens may be apart and still count as equal.
_SLACK = 1e-9


class InfeasibleError(ValueError):
    """No theta satisfies the constraints; the message names the one that binds."""


@dataclass(frozen=True, eq=False)
class Constraints:
    """What a mix must satisfy, over N criteria and M domains.

    Attributes:
        domains: (M) names, for messages.
        n_tokens: (M,) tokens of the pool that the mix is made of.
        omega_max: upper end of omega.
        scale_max: upper end of scale; 1 is the paper's space.
        budget: expected tokens of the mix; None leaves them free.
        max_copies: the most a document may be repeated in expectation, S, 1 or more; None is no
            limit.
        max_epochs: (M,) the most tokens taken per token there; inf is no limit.
        min_share, max_share: (M,) of the mix's tokens.
        domains_off: (M,) bool, domains that are not taken at all.
        criteria_off: (N,) bool, criteria that get no weight.
    """

    domains: tuple[str, ...]
    n_tokens: FloatArray
    omega_max: float
    scale_max: float
    budget: float | None
    max_copies: float | None
    max_epochs: FloatArray
    min_share: FloatArray
    max_share: FloatArray
    domains_off: NDArray[np.bool_]
    criteria_off: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Raise InfeasibleError where no theta satisfies them."""
        if self.criteria_off.all():
            raise InfeasibleError("all criteria are switched off: leave at least one on")
        if not self._takes_any.any():
            raise InfeasibleError(
                "no domain is left: all that have tokens are switched off or have max_share 0"
            )
        least, most = self.min_share.sum(), self._max_share.sum()
        if least > 1 + _SLACK:
            named = self._named(self.min_share > 0)
            raise InfeasibleError(f"the min_share of {named} add up to {least:.4g}, more than 1")
        if most < 1 - _SLACK:
            raise InfeasibleError(
                f"the max_share of all domains add up to {most:.4g}, less than 1: raise those of "
                f"{self._named(self._takes_any & (self._max_share < 1))}"
            )
        self._check_budget()

    @property
    def constrain_tokens(self) -> bool:
        """Whether anything limits the tokens of the mix or of a domain."""
        return bool(
            self.budget is not None
            or np.isfinite(self.max_epochs).any()
            or (self.min_share > 0).any()
            or (self._max_share < np.where(self._takes_any, 1, 0)).any()
        )

    def apply(self, parameters: Parameters) -> Parameters:
        """The feasible neighbours of n thetas; a theta that satisfies everything stays as it is.

        Raises:
            InfeasibleError: a theta cannot be made feasible.
        """
        found = self._without_what_is_off(parameters)
        if self.max_copies is not None:
            found = self._with_few_copies(found)
        if not self.constrain_tokens:
            return found
        found = self._with_room(found)
        tokens = self.tokens(found)
        wanted = self._water_fill(tokens, self.n_tokens * self._room(found))
        same = np.abs(wanted - tokens) <= _SLACK * np.maximum(tokens, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            epochs = np.where(self.n_tokens > 0, wanted / self.n_tokens, 0.0)
        epsilon = np.minimum(found.epsilon, epochs)
        omega = omega_for(epochs, found.lam, found.eta, epsilon, found.scale)
        return replace(
            found,
            omega=np.where(same, found.omega, np.minimum(omega, self.omega_max)),
            epsilon=np.where(same, found.epsilon, epsilon),
        )

    def tokens(self, parameters: Parameters) -> FloatArray:
        """Expected tokens (n, M) that thetas take of each domain."""
        return self.n_tokens * parameters.expectation().epochs

    @property
    def _takes_any(self) -> NDArray[np.bool_]:
        return ~self.domains_off & (self.n_tokens > 0) & (self.max_share > 0)

    @property
    def _max_share(self) -> FloatArray:
        return np.where(self._takes_any, self.max_share, 0.0)

    def _named(self, which: NDArray[np.bool_]) -> str:
        names = [name for name, named in zip(self.domains, which, strict=True) if named]
        return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

    def _most_epochs(self) -> FloatArray:
        """(M,) what any theta can take of a domain per token there."""
        most = self.scale_max * 2.0**_ETA_MAX
        if self.max_copies is not None:
            most = min(most, self.max_copies)
        return np.where(self._takes_any, np.minimum(self.max_epochs, self.omega_max * most), 0.0)

    def _check_budget(self) -> None:
        most = self.n_tokens * self._most_epochs()
        if self.budget is None:
            for m in np.flatnonzero((self.min_share > 0) & (most == 0)).tolist():
                raise InfeasibleError(
                    f"domain {self.domains[m]} has min_share {self.min_share[m]:.4g}, but nothing "
                    "can be taken of it: it has no tokens, is switched off, or has max_epochs 0"
                )
            return
        needed = self.min_share * self.budget
        for m in np.flatnonzero(needed > most * (1 + _SLACK)).tolist():
            raise InfeasibleError(
                f"domain {self.domains[m]} has min_share {self.min_share[m]:.4g}, which is "
                f"{needed[m]:,.0f} of the budget of {self.budget:,.0f} tokens; it has "
                f"{self.n_tokens[m]:,.0f}, of which {self._what_binds(m)} allows {most[m]:,.0f}"
            )
        allowed = np.minimum(most, self._max_share * self.budget)
        if allowed.sum() < self.budget * (1 - _SLACK):
            raise InfeasibleError(
                f"mix_tokens is {self.budget:,.0f}, but all domains together can give "
                f"{allowed.sum():,.0f} tokens at most. " + self._what_binds_all(allowed)
            )

    def _what_binds(self, m: int) -> str:
        most = self._most_epochs()[m]
        if most == self.max_epochs[m]:
            return f"max_epochs {self.max_epochs[m]:.4g}"
        if self.max_copies is not None and most == self.omega_max * self.max_copies:
            return f"omega_max {self.omega_max:.4g} with max_copies {self.max_copies:.4g}"
        scale = f" and scale_max {self.scale_max:.4g}" if self.scale_max != 1 else ""
        largest = self.scale_max * 2**_ETA_MAX
        return f"omega_max {self.omega_max:.4g}{scale} (S is {largest:.4g} at most)"

    def _what_binds_all(self, allowed: FloatArray) -> str:
        assert self.budget is not None
        groups: dict[str, list[int]] = {}
        for m in np.flatnonzero(self._takes_any).tolist():
            by_share = allowed[m] < self.n_tokens[m] * self._most_epochs()[m]
            what = f"max_share {self.max_share[m]:.4g}" if by_share else self._what_binds(m)
            groups.setdefault(what, []).append(m)
        parts = [
            f"{what} binds in {len(members)} domains ({allowed[members].sum():,.0f} tokens)"
            for what, members in sorted(groups.items(), key=lambda item: -allowed[item[1]].sum())
        ]
        return "; ".join(parts) + ": lower the budget, or raise what binds"

    def _without_what_is_off(self, parameters: Parameters) -> Parameters:
        alpha = parameters.alpha
        if self.criteria_off.any():
            alpha = np.where(self.criteria_off, 0.0, alpha)
            sums = alpha.sum(axis=2, keepdims=True)
            left = np.where(self.criteria_off, 0.0, 1.0) / (~self.criteria_off).sum()
            alpha = np.where(sums > 0, alpha / np.where(sums > 0, sums, 1.0), left)
        off = self.domains_off | (self.max_share <= 0)
        return replace(
            parameters,
            alpha=alpha,
            omega=np.where(off, 0.0, parameters.omega),
            epsilon=np.where(off, 0.0, parameters.epsilon),
        )

    def _with_few_copies(self, parameters: Parameters) -> Parameters:
        assert self.max_copies is not None
        # Within omega S is at least 1 + epsilon.
        epsilon = np.minimum(parameters.epsilon, self.max_copies - 1.0)
        room = self.max_copies - epsilon
        scale = np.minimum(parameters.scale, room)
        eta_max = np.log2(room / scale)
        return replace(
            parameters, epsilon=epsilon, scale=scale, eta=np.minimum(parameters.eta, eta_max)
        )

    def _room(self, parameters: Parameters) -> FloatArray:
        """(n, M) epochs that thetas can take by a larger omega alone."""
        omega = np.full_like(parameters.omega, self.omega_max)
        most = replace(parameters, omega=omega).expectation().epochs
        return np.where(self._takes_any, np.minimum(most, self.max_epochs), 0.0)

    def _with_room(self, parameters: Parameters) -> Parameters:
        """Moves thetas towards the largest lam and eta until there is room for the budget."""
        if self.budget is None:
            return parameters
        short = np.flatnonzero(~self._fits(parameters))
        if not short.size:
            return parameters
        start = parameters[short]
        low, high = np.zeros(short.size), np.ones(short.size)
        if not self._fits(self._moved(start, high)).all():
            raise InfeasibleError(
                f"mix_tokens {self.budget:,.0f} cannot be met by {short.size} of the thetas "
                "although the constraints leave room: raise omega_max or max_copies"
            )
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            fits = self._fits(self._moved(start, middle))
            low, high = np.where(fits, low, middle), np.where(fits, middle, high)
        moved = self._moved(start, high)
        arrays = {}
        for name in ("lam", "eta", "scale"):
            arrays[name] = getattr(parameters, name).copy()
            arrays[name][short] = getattr(moved, name)
        return replace(parameters, **arrays)

    def _moved(self, parameters: Parameters, step: FloatArray) -> Parameters:
        """Thetas a part of the way (n,) towards the largest lam, eta and scale."""
        s = step[:, None]
        lam = np.maximum(parameters.lam, 1e-3) ** (1 - s) * _LAM_MAX**s
        moved = replace(
            parameters,
            lam=np.where(s > 0, lam, parameters.lam),
            eta=parameters.eta + s * np.maximum(_ETA_MAX - parameters.eta, 0.0),
            scale=parameters.scale ** (1 - s) * self.scale_max**s,
        )
        return self._with_few_copies(moved) if self.max_copies is not None else moved

    def _fits(self, parameters: Parameters) -> NDArray[np.bool_]:
        """Whether thetas (n,) have room for the budget and for the shares of it."""
        assert self.budget is not None
        room = self.n_tokens * self._room(parameters)
        allowed = np.minimum(room, self._max_share * self.budget)
        enough = allowed.sum(axis=1) >= self.budget * (1 - _SLACK)
        fits: NDArray[np.bool_] = enough & (
            room >= self.min_share * self.budget * (1 - _SLACK)
        ).all(axis=1)
        return fits

    def _water_fill(self, tokens: FloatArray, room: FloatArray) -> FloatArray:
        """Tokens (n, M) near `tokens` that satisfy every limit; `room` (n, M) is what there is."""
        total = self._totals(tokens, room)[:, None]
        low = self.min_share * total
        high = np.maximum(np.minimum(room, self._max_share * total), low)
        # A domain that theta does not take at all is taken last of all.
        base = np.maximum(tokens, np.where(self._takes_any, 1e-12 * np.maximum(total, 1.0), 0.0))
        least, most = np.zeros_like(total), np.full_like(total, 1e30)
        for _ in range(2 * _BISECTIONS):
            factor = np.sqrt(np.maximum(least, 1e-30) * most)
            enough = np.clip(factor * base, low, high).sum(axis=1, keepdims=True) >= total
            least, most = np.where(enough, least, factor), np.where(enough, factor, most)
        filled: FloatArray = np.clip(most * base, low, high)
        return filled

    def _totals(self, tokens: FloatArray, room: FloatArray) -> FloatArray:
        """(n,) tokens of each mix: the budget, or what theta takes, if the shares allow it."""
        if self.budget is not None:
            return np.full(len(tokens), float(self.budget))
        wanted = np.minimum(tokens, room).sum(axis=1)
        if not (self.min_share > 0).any() and (self._max_share >= self._takes_any).all():
            return wanted

        def fits(totals: FloatArray) -> NDArray[np.bool_]:
            allowed = np.minimum(room, self._max_share * totals[:, None]).sum(axis=1)
            needed = self.min_share * totals[:, None]
            has_room = (needed <= room * (1 + _SLACK)).all(axis=1)
            return np.asarray((allowed >= totals * (1 - _SLACK)) & has_room)

        # The larger a mix, the harder its shares are to keep: the largest one that can be.
        low, high = np.zeros_like(wanted), wanted.copy()
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = np.where(fits(middle), middle, low), np.where(fits(middle), high, middle)
        return np.where(fits(wanted), wanted, low)
