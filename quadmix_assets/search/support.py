"""Where there is evidence: the range of the thetas that proxies were trained for.

Regressors say nothing of mixes unlike all that were measured: smaller ones, which repeat their
documents, or ones of a single domain. The search stays within the range of the swarm in every
regressor input and in the size of the mix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.regressor_inputs import RegressorInputs
from quadmix_assets.settings import Settings

TOLERANCE = 0.05
"""Widths of the range that a theta may lie outside it at no cost: with many inputs nearly every new
theta exceeds one of them by a little."""
LIMIT = 0.1
"""Widths from which on a theta counts as outside."""
# Where all proxies agree in an input, what lies elsewhere is far outside.
_LEAST_WIDTH = 1e-9
_SIZE = "log_tokens"
_MOST_NAMED = 5


@dataclass(frozen=True, eq=False)
class Support:
    """The range of the thetas that proxies were trained for.

    Attributes:
        names: of F inputs: those of the regressors, and the logarithm of the mix's tokens.
        low, high: (F,) range of each over the trained thetas.
        n_tokens: (M,) tokens of the pool's domains, for the size of mixes where it is not among the
            regressor inputs.
        spreads: by target set, the range of the measured losses in nats.
    """

    names: Sequence[str]
    low: FloatArray
    high: FloatArray
    n_tokens: FloatArray
    spreads: Mapping[str, float]

    @classmethod
    def of(cls, evidence: Evidence, inputs_of: RegressorInputs, n_tokens: FloatArray) -> "Support":
        """The range of all thetas of all rounds.

        Args:
            evidence: the trained thetas and their losses.
            inputs_of: the regressor inputs.
            n_tokens: (M,) tokens of the pool's domains.
        """
        inputs = _with_size(
            inputs_of(evidence.parameters), evidence.parameters, inputs_of, n_tokens
        )
        targets = evidence.metrics["target"].unique().sort()
        return cls(
            names=[*inputs_of.names, *([] if _SIZE in inputs_of.names else [_SIZE])],
            low=inputs.min(axis=0),
            high=inputs.max(axis=0),
            n_tokens=n_tokens,
            spreads={target: float(np.ptp(evidence.losses(target))) for target in targets},
        )

    def excess(
        self, inputs: FloatArray, thetas: Parameters, inputs_of: RegressorInputs
    ) -> FloatArray:
        """How far outside n thetas lie: (n, F) in widths of the range, 0 within it.

        Args:
            inputs: (n, F) their regressor inputs.
            thetas: the n thetas.
            inputs_of: what the inputs were made by.
        """
        found = _with_size(inputs, thetas, inputs_of, self.n_tokens)
        width = np.maximum(self.high - self.low, _LEAST_WIDTH)
        return np.asarray(np.maximum(np.maximum(self.low - found, found - self.high), 0.0) / width)

    def penalty(self, objective: Objective, excess: FloatArray) -> FloatArray:
        """What is added to the predicted objective (n,) of thetas, in its unit.

        Zero up to TOLERANCE; from there on it grows by the range of all measured objectives within
        the first TOLERANCE, and more slowly further out, so that it stays comparable.
        """
        beyond = np.maximum(excess - TOLERANCE, 0.0).sum(axis=1) / TOLERANCE
        cost = objective.standard_deviation(
            {target: np.array(self.spreads[target]) for target in objective.factors}
        )
        return np.asarray(cost * np.log2(1.0 + beyond))

    def in_words(self, excess: FloatArray) -> str:
        """Which inputs of one theta lie LIMIT or more outside, the farthest first; empty if none.

        Args:
            excess: (F,) of the theta.
        """
        far = [k for k in np.argsort(-excess, kind="stable") if excess[k] >= LIMIT]
        named = [self._named(int(k), float(excess[k])) for k in far[:_MOST_NAMED]]
        if len(far) > _MOST_NAMED:
            named.append(f"and {len(far) - _MOST_NAMED} further inputs")
        return "; ".join(named)

    def _named(self, k: int, excess: float) -> str:
        name, low, high = self.names[k], float(self.low[k]), float(self.high[k])
        widths = f"{excess:.2g} times the width of that range outside it"
        if name == _SIZE:
            return (
                f"the size of its mix: trained were mixes of {np.exp(low):,.0f} to "
                f"{np.exp(high):,.0f} tokens, it lies (in logarithms) {widths}"
            )
        return f"{name}: trained were {low:.3g} to {high:.3g}, it lies {widths}"


def make_support(
    settings: Settings, evidence: Evidence, inputs_of: RegressorInputs, n_tokens: FloatArray
) -> Support | None:
    """What the search stays within; None where the settings let it go anywhere."""
    if not settings.search.stay_within_evidence:
        return None
    return Support.of(evidence, inputs_of, n_tokens)


def _with_size(
    inputs: FloatArray, thetas: Parameters, inputs_of: RegressorInputs, n_tokens: FloatArray
) -> FloatArray:
    """Regressor inputs with the logarithm of the mix's tokens as the last, if they lack it."""
    if _SIZE in inputs_of.names:
        return inputs
    tokens = (n_tokens * thetas.expectation().epochs).sum(axis=1)
    return np.column_stack([inputs, np.log(np.maximum(tokens, 1.0))])
