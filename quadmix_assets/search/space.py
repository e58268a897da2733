"""The thetas that are searched: drawn by Algorithm 1, or mapped from points of a unit cube.

Both kinds are replaced by their feasible neighbours before anything is predicted for them, so no
strategy has to handle constraints.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quadmix_assets.outputs import PROXY_POOL
from quadmix_assets.proxies.proxy_pool import tokens_of_whole_pool
from quadmix_assets.sampling import LambdaPrior, Parameters, sample_parameters
from quadmix_assets.sampling.validation import FloatArray, check_shape
from quadmix_assets.search.constraints import Constraints, make_constraints
from quadmix_assets.search.feasible import feasible_neighbours
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

# Algorithm 1: lam = 10^(3u), or 1000u; epsilon = u / 1000.
_LAM_DECADES, _LAM_MAX, _EPSILON_MAX = 3.0, 1_000.0, 1e-3
# Weights are proportional to values in [_LEAST, 1], so that their sum is never zero.
_LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class ThetaSpace:
    """Algorithm 1's thetas over N criteria and M domains, under constraints.

    Attributes:
        n_criteria, n_domains: N and M.
        omega_max, lambda_prior, scale_max: as in `sample_parameters`.
        n_tokens: (M,) tokens of each domain in the pool that the mix is drawn from.
        constraints: what thetas must satisfy; None where there are none.
    """

    n_criteria: int
    n_domains: int
    n_tokens: FloatArray
    omega_max: float
    lambda_prior: LambdaPrior = "log_uniform"
    scale_max: float = 1.0
    constraints: Constraints | None = None

    @property
    def dimension(self) -> int:
        """Coordinates of a point of the cube: M (N + 4), and M more with scales."""
        return self.n_domains * (self.n_criteria + 4 + self._is_scaled)

    @property
    def _is_scaled(self) -> bool:
        return self.scale_max > 1.0

    def draw(self, n: int, *, seed: int, start: int = 0) -> Parameters:
        """Thetas `start` to `start + n` of the search's random stream, made feasible.

        The stream is independent of the one that proxies' thetas come from, so a search never
        draws the thetas that its regressors were fitted to.

        Raises:
            InfeasibleError: a theta cannot satisfy the constraints.
        """
        return self.feasible(
            sample_parameters(
                n,
                self.n_criteria,
                self.n_domains,
                seed=seed,
                omega_max=self.omega_max,
                lambda_prior=self.lambda_prior,
                scale_max=self.scale_max,
                stream="search",
                start=start,
            )
        )

    def feasible(self, parameters: Parameters) -> Parameters:
        """The feasible neighbours of thetas.

        Raises:
            InfeasibleError: a theta cannot satisfy the constraints.
        """
        if self.constraints is None:
            return parameters
        return feasible_neighbours(self.constraints, parameters)

    def mean(self, parameters: Parameters) -> Parameters:
        """The feasible neighbour of the mean of thetas, as one row."""
        arrays = {name: v.mean(axis=0, keepdims=True) for name, v in parameters.beta.items()}
        alpha = parameters.alpha.mean(axis=0, keepdims=True)
        return self.feasible(Parameters(alpha / alpha.sum(axis=2, keepdims=True), **arrays))

    def from_cube(self, points: FloatArray) -> Parameters:
        """Feasible thetas of points (n, `dimension`); coordinates are clipped to [0, 1]."""
        check_shape("points", np.asarray(points), (None, self.dimension))
        u = np.clip(points, 0.0, 1.0).reshape(len(points), self.n_domains, -1)
        weights = _LEAST + (1 - _LEAST) * u[:, :, : self.n_criteria]
        beta = np.moveaxis(u[:, :, self.n_criteria :], 2, 0)
        log_uniform = self.lambda_prior == "log_uniform"
        return self.feasible(
            Parameters(
                alpha=weights / weights.sum(axis=2, keepdims=True),
                lam=10.0 ** (_LAM_DECADES * beta[0]) if log_uniform else _LAM_MAX * beta[0],
                omega=self.omega_max * beta[1],
                eta=beta[2].copy(),
                epsilon=_EPSILON_MAX * beta[3],
                scale=self.scale_max ** beta[4] if self._is_scaled else np.ones(()),
            )
        )

    def to_cube(self, parameters: Parameters) -> FloatArray:
        """The inverse of `from_cube`: points (n, `dimension`) of thetas, clipped to [0, 1]."""
        weights = parameters.alpha / parameters.alpha.max(axis=2, keepdims=True)
        if self.lambda_prior == "log_uniform":
            lam = np.log10(np.maximum(parameters.lam, 1.0)) / _LAM_DECADES
        else:
            lam = parameters.lam / _LAM_MAX
        beta = [
            lam,
            parameters.omega / self.omega_max,
            parameters.eta,
            parameters.epsilon / _EPSILON_MAX,
        ]
        if self._is_scaled:
            beta.append(np.log(np.maximum(parameters.scale, 1.0)) / np.log(self.scale_max))
        unit = np.concatenate([(weights - _LEAST) / (1 - _LEAST), np.stack(beta, axis=2)], axis=2)
        return np.clip(unit.reshape(len(parameters), -1), 0.0, 1.0)


def make_space(store: Store, settings: Settings) -> ThetaSpace:
    """The thetas that may be searched; their tokens are counted in the whole pool.

    Raises:
        MissingOutputError: the proxy pool, which stores the whole pool's tokens, is not there.
        InfeasibleError: no theta satisfies the constraints.
    """
    with store.local_folder(store.root / PROXY_POOL) as folder:
        n_tokens = tokens_of_whole_pool(Path(folder))
    return ThetaSpace(
        n_criteria=len(settings.criterion_names),
        n_domains=len(settings.domain_names),
        n_tokens=n_tokens,
        omega_max=settings.parameters.omega_max,
        lambda_prior=settings.parameters.lambda_prior,
        scale_max=settings.parameters.scale_max,
        constraints=make_constraints(settings, n_tokens),
    )
