"""What methods that take the best documents share: the stored form of their rules, and a check."""

from dataclasses import dataclass
from typing import Self

from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.rule import Rule, StoredRule
from quadmix_assets.sampling.cut import Cut


@dataclass(frozen=True, eq=False)
class CutRule(Rule):
    """A rule that takes what one score column, and draws, put before a cut.

    Attributes:
        criterion: the score column.
        cut: in an order in which smaller is better.
        seed: of the draws.
    """

    criterion: str
    cut: Cut
    seed: int

    def stored(self) -> StoredRule:
        """See `Rule`; the threshold is there for reading."""
        threshold = None if self.cut.value is None else 0.0 - self.cut.value
        return StoredRule(
            {
                "criterion": self.criterion,
                "threshold": threshold,
                "cut": self.cut.to_json(),
                "seed": self.seed,
            }
        )

    @classmethod
    def restored(cls, stored: StoredRule) -> Self:
        """See `Rule`."""
        values = stored.values
        return cls(values["criterion"], Cut.from_json(values["cut"]), values["seed"])


def refuse_more_than(pool: Documents, tokens: int) -> None:
    """Check that a pool has so many tokens, for methods that take a document once at most.

    Raises:
        ValueError: it has not.
    """
    n_all = int(pool.n_tokens.sum())
    if tokens > n_all:
        raise ValueError(
            f"{tokens:,} tokens are asked for, but the {len(pool):,} documents have {n_all:,}, and "
            "the method takes each once at most: lower `tokens`"
        )
