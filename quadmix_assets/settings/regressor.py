"""The base class of the settings of regressors; the kinds are in `search/regressors/`."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic_settings import NoDecode

from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.regressors.registry import REGRESSORS
from quadmix_assets.settings.base import Section

if TYPE_CHECKING:
    from quadmix_assets.search.regressors.base import Regressor


class RegressorSettings(Section):
    """A kind of regressor with its options: fits a regressor, and restores a stored one.

    A subclass has a field `kind` with a single value, which is also its name in the registry.

    Attributes:
        label: what the kind is called in tables and figures.
    """

    kind: str
    label: ClassVar[str]

    @abstractmethod
    def fit(
        self, inputs: FloatArray, losses: FloatArray, *, seed: int, n_threads: int
    ) -> "Regressor":
        """Fit to inputs (n, F) and losses (n,) in nats, n at least 5.

        The same rows, options and seed give the same regressor, whatever `n_threads` is.

        Raises:
            ValueError: the losses are such that `can_fit` is False.
        """

    @classmethod
    @abstractmethod
    def from_json(cls, values: dict[str, Any]) -> "Regressor":
        """A regressor from its `to_json`; its predictions are bit-identical."""

    def can_fit(self, losses: FloatArray) -> bool:
        """Whether it can be fitted to losses (n,); if not, an ensemble leaves it out."""
        return True

    @property
    def title(self) -> str:
        """Its label, with the options that are not the defaults, for tables and figures."""
        options = self.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)
        named = ", ".join(f"{name} {value}" for name, value in options.items())
        return f"{self.label} ({named})" if named else self.label


# NoDecode: from an environment variable a name is taken as it is, not as JSON.
RegressorChoice = Annotated[RegressorSettings, REGRESSORS, NoDecode]
