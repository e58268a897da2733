"""A selection that the user brings: copies or probabilities in a column of the input.

The column is a criterion of kind `column`. With a number of tokens, all expected copies are
multiplied by one factor (a probability is then 1 at most): sequential Poisson sampling (Ohlsson
1998) where they are probabilities.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from pydantic import Field

from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.methods.base import Method
from quadmix_assets.mix.methods.scaling import Scale, TokensOutOfReachError
from quadmix_assets.mix.methods.words import apart
from quadmix_assets.mix.rule import Decisions, Rule, StoredRule, Why
from quadmix_assets.sampling import copies_of, draw_bits, uniform_of_ids
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.settings.base import Name
from quadmix_assets.settings.features import FeaturesSettings
from quadmix_assets.settings.mixes import NamedMix

Reading = Literal["copies", "probability"]


class ColumnMix(NamedMix):
    """Copies or probabilities from a column of the input."""

    method: Literal["column"]
    criterion: Name = Field(
        description="a criterion of kind column whose scores say how often a document is taken; it "
        "need not be weighed by theta (weighed: false)"
    )
    read_as: Reading = Field(
        default="copies",
        description="copies: whole numbers from 0; probability: numbers from 0 to 1, each document "
        "is taken at most once, by its draw. With `tokens` they are multiplied by one factor",
    )

    def implementation(self) -> "type[ColumnMethod]":
        """See `NamedMix`."""
        return ColumnMethod

    @property
    def has_own_size(self) -> bool:
        """See `NamedMix`."""
        return True

    @property
    def criteria(self) -> tuple[str, ...]:
        """See `NamedMix`."""
        return (self.criterion,)

    def check(self, features: FeaturesSettings) -> None:
        """See `NamedMix`."""
        for criterion in features.criteria:
            if criterion.name != self.criterion:
                continue
            if criterion.score_column is None or not getattr(criterion, "larger_is_better", True):
                raise ValueError(
                    f"mixes[{self.name}].criterion is {self.criterion!r}, which is not a criterion "
                    "of kind column with larger_is_better: true: name one whose column holds the "
                    f"{'copies' if self.read_as == 'copies' else 'probabilities'}"
                )


@dataclass(frozen=True, eq=False)
class ColumnRule(Rule):
    """Expected copies are the column's numbers times a factor; the draw makes them whole.

    Attributes:
        criterion: the score column.
        read_as: what its numbers are.
        seed: of the draw.
        scale: the factor; None where the numbers are taken as they are.
    """

    criterion: str
    read_as: Reading
    seed: int
    scale: Scale | None = None

    @classmethod
    def fit(
        cls, pool: Documents, criterion: str, read_as: Reading, *, tokens: int | None, seed: int
    ) -> Self:
        """Find the factor at which the tokens are met to a document.

        Raises:
            ValueError: a number is not what it should be, or the numbers cannot give the tokens.
        """
        unscaled = cls(criterion, read_as, seed)
        numbers = unscaled._numbers(pool)
        if tokens is None:
            return unscaled
        uniform = uniform_of_ids(pool.id_hashes, seed)

        def copies_at(factor: float, at: IntArray) -> IntArray:
            return copies_of(unscaled._values(numbers[at], factor), uniform[at])

        bits = draw_bits(pool.id_hashes, seed)
        used = numbers > 0
        smallest = float(numbers[used].min()) if used.any() else 1.0
        n_all = int(pool.n_tokens[used].sum())
        # Twice what takes every probability to 1, whatever the rounding.
        passes = 2 if read_as == "probability" else tokens // max(n_all, 1) + 2
        try:
            scale = Scale.fit(
                copies_at, bits, pool.n_tokens, tokens=tokens, highest=passes / smallest
            )
        except TokensOutOfReachError as error:
            raise ValueError(
                f"{tokens:,} tokens are asked for, but the documents with a {read_as} above 0 by "
                f"{criterion} give at most {error.most:,}: ask for fewer"
            ) from None
        return cls(criterion, read_as, seed, scale)

    def decide(self, documents: Documents) -> Decisions:
        """See `Rule`.

        Raises:
            ValueError: a number is not what it should be.
        """
        numbers = self._numbers(documents)
        uniform = uniform_of_ids(documents.id_hashes, self.seed)
        low, high = (1.0, 1.0) if self.scale is None else (self.scale.low, self.scale.high)
        values = self._values(numbers, low)
        copies = copies_of(values, uniform)
        if self.scale is None or low == high:
            return Decisions(copies, values)
        values_above = self._values(numbers, high)
        copies_above = copies_of(values_above, uniform)
        is_high = self.scale.is_high(draw_bits(documents.id_hashes, self.seed))
        more = is_high & (copies_above > copies)
        return Decisions(np.where(more, copies_above, copies), np.where(more, values_above, values))

    def why(self, document: Documents) -> Why:
        """See `Rule`."""
        made = self.decide(document)
        number = float(self._numbers(document)[0])
        value, copies = float(made.sampling_value[0]), int(made.copies[0])
        draw = float(uniform_of_ids(document.id_hashes, self.seed)[0])
        factor = 1.0 if self.scale is None else self.scale.low
        whole, part = divmod(value, 1.0)
        shown_draw, shown_part = apart(draw, part)
        because = short = f"{self.criterion} says {self.read_as} {number:g}"
        if factor != 1.0:
            because += f", times {factor:.4g} to meet the tokens {value:.4g}"
        flips = [f"another {self.read_as} by {self.criterion}"]
        if part:
            is_more = copies > whole
            where = "below" if is_more else "not below"
            because += f"; the draw {shown_draw} was {where} {shown_part}"
            short += f", draw {shown_draw} {where} {shown_part}"
            flips.append(
                f"a draw {'of' if is_more else 'below'} {shown_part}"
                f"{' or more' if is_more else ''} (it is {shown_draw})"
            )
        return Why(because, short, tuple(flips), numbers={"draw": draw, "factor": factor})

    def stored(self) -> StoredRule:
        """See `Rule`."""
        return StoredRule(
            {
                "criterion": self.criterion,
                "read_as": self.read_as,
                "scale": self.scale.to_json() if self.scale else None,
                "seed": self.seed,
            }
        )

    @classmethod
    def restored(cls, stored: StoredRule) -> Self:
        """See `Rule`."""
        values = stored.values
        scale = Scale.from_json(values["scale"]) if values["scale"] else None
        return cls(values["criterion"], values["read_as"], values["seed"], scale)

    def _values(self, numbers: FloatArray, factor: float) -> FloatArray:
        """Expected copies (D,)."""
        values = numbers * factor
        return np.minimum(values, 1.0) if self.read_as == "probability" else values

    def _numbers(self, documents: Documents) -> FloatArray:
        """The column's numbers (D,), checked."""
        numbers = documents.score(self.criterion)
        if self.read_as == "copies":
            wrong, wanted = (numbers < 0) | (numbers != np.floor(numbers)), "a whole number from 0"
        else:
            wrong, wanted = (numbers < 0) | (numbers > 1), "a number from 0 to 1"
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            document = documents.scored.id_at(row)
            raise ValueError(
                f"{self.criterion} is {numbers[row]:g} for the document {document!r} "
                f"({int(wrong.sum()):,} such): expected {wanted}, as it is read as "
                f"{self.read_as}; correct the column, or set read_as"
            )
        return numbers


class ColumnMethod(Method[ColumnMix]):
    """What the user's column says."""

    rule = ColumnRule

    def quality(self, pool: Documents) -> FloatArray:
        """Negated numbers (D,): of near-duplicates the one with the most copies is kept."""
        return -pool.score(self.mix.criterion)

    def fit(self, pool: Pool, *, tokens: int | None, seed: int) -> ColumnRule:
        """See `Method`."""
        documents, mix = pool.whole(), self.mix
        return ColumnRule.fit(documents, mix.criterion, mix.read_as, tokens=tokens, seed=seed)
