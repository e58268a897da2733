"""QuaDMix (Liu et al. 2025, arXiv:2504.16511): theta* on the whole pool, Equations 1 to 3."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.methods.base import Method
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.rule import Rule
from quadmix_assets.outputs import OPTIMAL_PARAMS, VERIFICATION, mix_output
from quadmix_assets.sampling import Theta, merge_scores
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.settings.base import Name
from quadmix_assets.settings.constraints import ConstraintsSettings
from quadmix_assets.settings.mixes import NamedMix


class ThetaMix(NamedMix):
    """A mix that is made with a theta for one objective."""

    objective: Name | None = Field(
        default=None,
        description="the objective that theta minimises; null: the first of search.objectives",
    )

    @property
    def has_own_size(self) -> bool:
        """See `NamedMix`."""
        return True

    @property
    def criteria(self) -> None:
        """See `NamedMix`."""
        return None

    @property
    def normalized(self) -> bool:
        """See `NamedMix`."""
        return True

    @property
    def objective_name(self) -> str | None:
        """See `NamedMix`."""
        return self.objective

    @property
    def uses_theta(self) -> bool:
        """See `NamedMix`."""
        return True

    def constrained_by(self, common: ConstraintsSettings) -> ConstraintsSettings | None:
        """See `NamedMix`."""
        return common


class QuadmixMix(ThetaMix):
    """QuaDMix with theta*: the candidate that was measured best.

    With constraints or criteria of its own, a theta* is searched for it alone, from the same
    regressors.
    """

    method: Literal["quadmix"]
    constraints: ConstraintsSettings | None = Field(
        default=None,
        description="constraints of this mix instead of search.constraints; null: those",
    )
    criteria_off: tuple[Name, ...] = Field(
        default=(),
        description="criteria that this mix gives no weight, as in the paper's Table 2, besides "
        "those of the constraints",
    )

    def implementation(self) -> "type[QuadmixMethod]":
        """See `NamedMix`."""
        return QuadmixMethod

    def constrained_by(self, common: ConstraintsSettings) -> ConstraintsSettings:
        """See `NamedMix`."""
        own = self.constraints if self.constraints is not None else common
        off = (*own.criteria_off, *self.criteria_off)
        return own.model_copy(update={"criteria_off": off})

    @property
    def stays_within_evidence(self) -> bool:
        """See `NamedMix`."""
        return True

    @property
    def has_own_search(self) -> bool:
        """Whether theta* is searched for this mix alone."""
        return self.constraints is not None or bool(self.criteria_off)

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """See `NamedMix`."""
        return (mix_output(self.name, OPTIMAL_PARAMS),) if self.has_own_search else (VERIFICATION,)


class ThetaMethod(Method[Any]):
    """A method that makes a mix with one theta."""

    rule: ClassVar[type[Rule]] = ThetaRule

    @property
    def objective(self) -> str:
        """The name of the objective that theta minimises."""
        return self.settings.objective_of(self.mix)

    def theta(self) -> Theta:
        """The theta.

        Raises:
            MissingOutputError: it has not been searched for.
        """
        raise NotImplementedError

    def quality(self, pool: Documents) -> FloatArray:
        """Merged scores (D,) under the theta."""
        sigma = pool.sigma(*self.settings.criterion_names)
        return merge_scores(sigma, pool.domains, self.theta().alpha)

    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> Rule:
        """See `Method`."""
        return self.rule_of_theta(pool, tokens=tokens, seed=seed)

    def rule_of_theta(self, pool: Pool, *, tokens: int | None, seed: int) -> ThetaRule:
        """What `fit` gives where the theta decides alone."""
        return self.rule_of(self.theta(), pool, tokens=tokens, seed=seed)

    def rule_of(self, theta: Theta, pool: Pool, *, tokens: int | None, seed: int) -> ThetaRule:
        """The rule of a theta with the criteria of the settings.

        Raises:
            ValueError: the theta cannot give so many tokens.
        """
        return ThetaRule.fit(
            pool,
            theta,
            criteria=self.settings.criterion_names,
            tokens=tokens,
            seed=seed,
            max_breakpoints=self.settings.mix.max_breakpoints,
        )


class QuadmixMethod(ThetaMethod):
    """QuaDMix with theta*."""

    def theta(self) -> Theta:
        """theta* of the mix's objective."""
        return self._optimum()[0]

    def prediction(self) -> Mapping[str, Any]:
        """What the search predicted for theta*, and what was measured of it."""
        return self._optimum()[1]

    def _optimum(self) -> tuple[Theta, dict[str, Any]]:
        # Imported late, so that settings load without the libraries of the search.
        from quadmix_assets.search.optimum import read_optimum
        from quadmix_assets.search.own_search import read_own_optimum

        if self.mix.has_own_search:
            return read_own_optimum(self.store, self.settings, self.mix.name, self.objective)
        return read_optimum(self.store, self.settings, self.objective)
