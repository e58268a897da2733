"""The interface of methods: from the scored documents of a pool to a rule."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.rule import Rule
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.settings.mixes import NamedMix
from quadmix_assets.store import Store

MixT = TypeVar("MixT", bound=NamedMix)


class Method(ABC, Generic[MixT]):
    """One method of making a mix, with the options of one mix.

    Args:
        mix: the options.
        store: the lake, for what the rule is fitted on besides scores (`NamedMix.fitted_on`).
        settings: of the profile.
    """

    rule: ClassVar[type[Rule]]
    """The class of its rules."""

    def __init__(self, mix: MixT, store: Store, settings: Settings) -> None:
        self.mix = mix
        self.store = store
        self.settings = settings

    @property
    def seed(self) -> int:
        """Of the draw: mixes of one seed share it."""
        seed = self.mix.seed if self.mix.seed is not None else self.settings.seed
        return derive_seed(seed, "final_mix")

    @abstractmethod
    def quality(self, pool: Documents) -> FloatArray:
        """(D,) what near-duplicates are compared by, smaller is better; of each document alone.

        Raises:
            MissingOutputError: what the rule is fitted on has not been made.
        """

    @abstractmethod
    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> Rule:
        """The rule of the pool.

        Args:
            pool: the documents that may be taken, with the score columns that the method reads; a
                method that reads it in parts needs no memory that grows with it.
            tokens: tokens of the mix on this pool, met to a document; None only where the method
                has a size of its own.
            seed: of the draw.

        Raises:
            MissingOutputError: what the rule is fitted on has not been made.
            ValueError: the pool cannot give so many tokens, or a score is not what the method
                needs; the message says what to do.
        """

    def prediction(self) -> Mapping[str, Any] | None:
        """What was predicted and measured of the mix before it is made; None if nothing was.

        Raises:
            MissingOutputError: what the rule is fitted on has not been made.
        """
        return None
