"""Constraints on a mix, and whether any theta satisfies them.

Constraints limit tokens: the budget of the mix, and the share and the epochs of each domain. The
epochs of a domain are the tokens taken from it / the tokens that it has.

Tokens are counted in the pool that the mix is drawn from, not in the proxy pool: a domain that a
proxy reads once may have to be repeated ten times to fill a large mix.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings import ConstraintsSettings, Settings

# Algorithm 1's largest eta.
ETA_MAX = 1.0
# Relative tolerance when shares or tokens are compared.
SLACK = 1e-9


class InfeasibleError(ValueError):
    """No theta satisfies the constraints; the message names the one that binds."""


@dataclass(frozen=True, eq=False)
class Constraints:
    """What a mix must satisfy, over N criteria and M domains.

    Attributes:
        domains: (M) names, for messages.
        n_tokens: (M,) tokens of each domain in the pool that the mix is drawn from.
        omega_max: the largest omega.
        scale_max: the largest scale, a factor on S (Eq. 3); 1 is the paper's.
        budget: expected tokens of the mix; None is no budget.
        max_copies: the largest S, a document's expected copies, 1 or more; None is no limit.
        max_epochs: (M,) the most expected epochs of each domain; inf is no limit.
        min_share, max_share: (M,) limits on each domain's share of the mix's tokens, in [0, 1].
        domains_off: (M,) bool, domains from which nothing is taken.
        criteria_off: (N,) bool, criteria whose alpha is 0.
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
        """Check that the constraints can be satisfied.

        Raises:
            InfeasibleError: no theta satisfies them.
        """
        if self.criteria_off.all():
            raise InfeasibleError("all criteria are switched off: leave at least one on")
        if not self.takes_any.any():
            raise InfeasibleError(
                "no domain is left: all that have tokens are switched off or have max_share 0 or "
                "max_epochs 0; allow at least one"
            )
        least, most = self.min_share.sum(), self.largest_share.sum()
        if least > 1 + SLACK:
            named = self._named(self.min_share > 0)
            raise InfeasibleError(
                f"the min_share of {named} add up to {least:.4g}, more than 1: lower them"
            )
        if most < 1 - SLACK:
            raise InfeasibleError(
                "the max_share of all domains that can be taken add up to "
                f"{most:.4g}, less than 1: raise those of "
                f"{self._named(self.takes_any & (self.largest_share < 1))}"
            )
        self._check_budget()

    @property
    def constrain_tokens(self) -> bool:
        """Whether anything limits the tokens of the mix or of a domain."""
        return bool(
            self.budget is not None
            or np.isfinite(self.max_epochs).any()
            or (self.min_share > 0).any()
            or (self.largest_share < np.where(self.takes_any, 1, 0)).any()
        )

    def tokens(self, parameters: Parameters) -> FloatArray:
        """Expected tokens (n, M) that n thetas take from each domain."""
        return self.n_tokens * parameters.expectation().epochs

    @property
    def takes_any(self) -> NDArray[np.bool_]:
        """(M,) whether a domain has tokens and the constraints allow to take some."""
        allowed = ~self.domains_off & (self.max_share > 0) & (self.max_epochs > 0)
        return allowed & (self.n_tokens > 0)

    @property
    def largest_share(self) -> FloatArray:
        """(M,) the largest share that a domain can have of the mix's tokens."""
        return np.where(self.takes_any, self.max_share, 0.0)

    def _named(self, which: NDArray[np.bool_]) -> str:
        names = [name for name, named in zip(self.domains, which, strict=True) if named]
        return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

    def _most_epochs(self) -> FloatArray:
        """(M,) the most expected epochs of each domain that any theta can reach."""
        most = self.scale_max * 2.0**ETA_MAX
        if self.max_copies is not None:
            most = min(most, self.max_copies)
        return np.where(self.takes_any, np.minimum(self.max_epochs, self.omega_max * most), 0.0)

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
        for m in np.flatnonzero(needed > most * (1 + SLACK)).tolist():
            raise InfeasibleError(
                f"domain {self.domains[m]} has min_share {self.min_share[m]:.4g}, which is "
                f"{needed[m]:,.0f} of the budget of {self.budget:,.0f} tokens; the pool has "
                f"{self.n_tokens[m]:,.0f} of its tokens, and {self._what_binds(m)} limits the mix "
                f"to {most[m]:,.0f}: lower min_share or mix_tokens, or raise what binds"
            )
        allowed = np.minimum(most, self.largest_share * self.budget)
        if allowed.sum() < self.budget * (1 - SLACK):
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
        largest = self.scale_max * 2**ETA_MAX
        return f"omega_max {self.omega_max:.4g}{scale} (S is {largest:.4g} at most)"

    def _what_binds_all(self, allowed: FloatArray) -> str:
        assert self.budget is not None
        groups: dict[str, list[int]] = {}
        for m in np.flatnonzero(self.takes_any).tolist():
            by_share = allowed[m] < self.n_tokens[m] * self._most_epochs()[m]
            what = f"max_share {self.max_share[m]:.4g}" if by_share else self._what_binds(m)
            groups.setdefault(what, []).append(m)
        parts = [
            f"{what} binds in {len(members)} domains ({allowed[members].sum():,.0f} tokens)"
            for what, members in sorted(groups.items(), key=lambda item: -allowed[item[1]].sum())
        ]
        return "; ".join(parts) + ": lower mix_tokens, or raise what binds"


def make_constraints(settings: Settings, n_tokens: FloatArray) -> Constraints | None:
    """The constraints of the settings on a mix of a pool; None where the settings have none.

    Args:
        settings: of the profile.
        n_tokens: (M,) tokens of each domain in the pool.

    Raises:
        InfeasibleError: no theta satisfies them.
    """
    asked = settings.search.constraints
    if asked == ConstraintsSettings():
        return None
    names = settings.domain_names
    domains = [asked.domains.get(name) for name in names]
    general = np.inf if asked.max_epochs is None else asked.max_epochs
    epochs = [d.max_epochs if d is not None else None for d in domains]
    shares = [
        (0.0, 1.0)
        if domain is None
        else (domain.min_share, domain.max_share)
        if domain.share is None
        else (domain.share, domain.share)
        for domain in domains
    ]
    return Constraints(
        domains=names,
        n_tokens=n_tokens,
        omega_max=settings.parameters.omega_max,
        scale_max=settings.parameters.scale_max,
        budget=asked.mix_tokens if asked.budget == "searched" else None,
        max_copies=asked.max_copies,
        max_epochs=np.array([general if value is None else value for value in epochs]),
        min_share=np.array([low for low, _ in shares]),
        max_share=np.array([high for _, high in shares]),
        domains_off=np.array([domain is not None and domain.off for domain in domains]),
        criteria_off=np.isin(settings.criterion_names, asked.criteria_off),
    )
