"""The base class of the settings of mixes; the methods are in `mix/methods/`."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from pydantic_settings import NoDecode

from quadmix_assets.mix.methods.registry import METHODS
from quadmix_assets.settings.base import Name, PositiveInt, Section
from quadmix_assets.settings.constraints import ConstraintsSettings

if TYPE_CHECKING:
    from quadmix_assets.mix.methods.base import Method
    from quadmix_assets.settings.features import FeaturesSettings

# A part of the keys and groups of the mix's assets, which Dagster restricts.
MixName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
ExportFormat = Literal["parquet", "jsonl.zst", "none"]


class NamedMix(Section):
    """A mix: a method with its options, under a name of its own.

    A subclass has a field `method` with a single value, which is also its name in the registry.
    """

    method: str
    name: MixName = Field(
        default_factory=lambda values: values["method"],
        description="name of the mix in assets (mixes/<name>/...), tables and commands; by default "
        "its method. Two mixes of the same method need different names",
    )
    tokens: Annotated[PositiveInt | MixName, NoDecode] | None = Field(
        default=None,
        description="tokens of the mix, copies included, met to a document on the pool that its "
        "rule is fitted on; or the name of another mix, whose size it then has; null: what the "
        "method takes by itself, and for methods without a size of their own that of the mix that "
        "is in production",
    )
    seed: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="seed of the mix's own random numbers; null: the project's seed",
    )
    drop_duplicates: bool | Name = Field(
        default=False,
        description="whether only the best copy of near-duplicate documents may be taken: true "
        "decides by the order of the mix's own method, the name of a criterion by that criterion. "
        "Needs features.near_duplicates",
    )
    follow: bool | None = Field(
        default=None,
        description="whether new and changed shards are mixed without a click; null: only of the "
        "mix that is in production",
    )
    export: ExportFormat | None = Field(
        default=None,
        description="file format of the export of texts for trainers, one file per shard; none: no "
        "export is written; null: mix.export.format for the mix that is in production, none for "
        "others",
    )

    def check(self, features: FeaturesSettings) -> None:
        """Check that the criteria are of the kind that the method needs.

        Raises:
            ValueError: one is not; the message says what to set.
        """

    @abstractmethod
    def implementation(self) -> type[Method[Any]]:
        """The class that fits the mix's rule."""

    @property
    def has_own_size(self) -> bool:
        """Whether the method takes a number of tokens by itself where `tokens` is null."""
        return False

    def constrained_by(self, common: ConstraintsSettings) -> ConstraintsSettings | None:
        """The constraints that the mix has to meet; None where the method knows none.

        Args:
            common: those of the search, `search.constraints`.
        """
        return None

    @property
    def uses_domains(self) -> bool:
        """Whether what is taken of a document depends on its domain."""
        return self.uses_theta

    @property
    def fitted_on(self) -> tuple[str, ...]:
        """The assets that its rule is fitted on, besides scores and domains of the pool.

        A name that starts with `mixes/` is that of an asset of the mix's own.
        """
        return ()

    @property
    def criteria(self) -> tuple[str, ...] | None:
        """The score columns that the method reads; None: all criteria that theta weighs."""
        return ()

    @property
    def normalized(self) -> bool:
        """Whether the method reads normalized scores (sigma)."""
        return False

    @property
    def objective_name(self) -> str | None:
        """The objective that the mix minimises; None: the first, where the method has one."""
        return None

    @property
    def stays_within_evidence(self) -> bool:
        """Whether its theta may not lie outside the range of the trained thetas.

        Baselines are made by their published recipe, which knows no such range.
        """
        return False

    @property
    def uses_theta(self) -> bool:
        """Whether the mix is made with a theta that was searched for."""
        return False

    @property
    def ranks_documents(self) -> bool:
        """Whether merged score and rank of a document decide on it."""
        return self.uses_theta


# NoDecode: from an environment variable a name is taken as it is, not as JSON.
MixChoice = Annotated[NamedMix, METHODS, NoDecode]
