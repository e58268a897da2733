"""The base class of the settings of search strategies; the kinds are in `search/strategies/`."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated

from pydantic_settings import NoDecode

from quadmix_assets.search.strategies.registry import STRATEGIES
from quadmix_assets.settings.base import Section

if TYPE_CHECKING:
    from quadmix_assets.sampling import Parameters
    from quadmix_assets.search.space import ThetaSpace
    from quadmix_assets.search.strategies.base import Predict, SearchResult


class StrategySettings(Section):
    """A kind of search strategy with its options.

    A subclass has a field `kind` with a single value, which is also its name in the registry.
    """

    kind: str

    @abstractmethod
    def search(
        self,
        predict: "Predict",
        space: "ThetaSpace",
        *,
        n_points: int,
        top: int,
        seed: int,
        trained: "Parameters | None" = None,
    ) -> "SearchResult":
        """Search for theta*.

        Args:
            predict: thetas -> predicted values of the objective.
            space: the search space; all thetas that it makes satisfy the constraints.
            n_points: number of thetas to predict, in each stage.
            top: how many thetas with the best predictions are averaged, at most n_points.
            seed: of all random numbers.
            trained: the thetas that `predict` was fitted to, where a strategy stays near them.

        Raises:
            ValueError: `top` out of range, or a prediction that is NaN, infinite or of a wrong
                shape.
            InfeasibleError: no theta satisfies the constraints.
        """


# NoDecode: from an environment variable a name is taken as it is, not as JSON.
StrategyChoice = Annotated[StrategySettings, STRATEGIES, NoDecode]
