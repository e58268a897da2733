"""A criterion that combines the quality rules of Gopher and C4 into one score."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.criteria.measures import measure
from quadmix_assets.settings.criteria import CriterionSettings


@dataclass(frozen=True)
class Rule:
    """A measure x and the threshold t that a filter would apply to it.

    Satisfaction is x^k / (x^k + t^k) for "at least" and t^k / (x^k + t^k) for "at most", with k the
    steepness: one half at the threshold, and still rising on the good side of it.

    Attributes:
        measure: a column of `measure`.
        weight: in the mean over all rules.
        at_least, at_most: the thresholds, in the unit of the measure.
        steepness: the exponent k.
    """

    measure: str
    weight: float
    at_least: float | None = None
    at_most: float | None = None
    steepness: float = 2.0

    def satisfaction(self) -> pl.Expr:
        """How far a document satisfies the rule, in [0, 1]; the product for two thresholds."""
        satisfied = pl.lit(1.0)
        powered = pl.col(self.measure) ** self.steepness
        if self.at_least is not None:
            satisfied = satisfied * (powered / (powered + self.at_least**self.steepness))
        if self.at_most is not None:
            limit = self.at_most**self.steepness
            satisfied = satisfied * (limit / (powered + limit))
        return satisfied


RULES = (
    # Gopher, quality (Table A1).
    Rule("n_words", 2.0, at_least=50, at_most=100_000),
    Rule("mean_word_length", 1.0, at_least=3, at_most=10, steepness=8.0),
    Rule("symbols_per_word", 1.0, at_most=0.1),
    Rule("bullet_lines", 1.0, at_most=0.9, steepness=4.0),
    Rule("ellipsis_lines", 1.0, at_most=0.3),
    Rule("non_alphabetic_words", 2.0, at_most=0.2),
    Rule("n_stop_words", 2.0, at_least=2),
    # Gopher, repetition (Table A1).
    Rule("duplicate_lines", 1.0, at_most=0.3),
    Rule("duplicate_line_characters", 1.0, at_most=0.2),
    Rule("duplicate_paragraph_characters", 1.0, at_most=0.2),
    Rule("top_2gram", 1.0, at_most=0.2),
    Rule("top_3gram", 1.0, at_most=0.18),
    Rule("top_4gram", 1.0, at_most=0.16),
    Rule("repeated_5grams", 1.0, at_most=0.15),
    # C4 (section 2.2). It drops such lines; here the share of words in them lowers the score.
    Rule("unfinished_words", 2.0, at_most=0.5),
    Rule("short_line_words", 1.0, at_most=0.5),
    Rule("n_sentences", 1.0, at_least=3),
    Rule("page_code_per_word", 1.0, at_most=0.02),
)


class HeuristicsSettings(CriterionSettings):
    """One score in [0, 1] from the quality rules of Gopher and C4, for English."""

    kind: Literal["heuristics"]

    def implementation(self) -> "type[HeuristicsCriterion]":
        """See `CriterionSettings`."""
        return HeuristicsCriterion

    @property
    def score_meaning(self) -> str:
        """See `CriterionSettings`."""
        return "how far the document satisfies the quality rules of Gopher and C4, larger is better"

    @property
    def score_unit(self) -> str:
        """See `CriterionSettings`."""
        return "0 to 1"


class HeuristicsCriterion(Criterion[HeuristicsSettings]):
    """The weighted mean of how far a document satisfies each rule, in [0, 1].

    As filters, the rules are binary; most documents pass all of them and would tie. Here each rule
    is satisfied by degree: one half exactly at the filter's threshold, near 0 far on the bad side,
    towards 1 far on the good side. Documents that pass the same filters therefore still differ (in
    length, punctuation, repetition), ranks have few ties, and no single rule can exclude a
    document. Rules about the language of the text weigh double, because the many overlapping rules
    about repetition would outweigh them. Documents without words score 0.
    """

    code_version = "1"

    def score(self, documents: pl.DataFrame) -> np.ndarray:
        """Mean satisfaction of RULES, (D,) float64 in [0, 1]."""
        total = sum(rule.weight for rule in RULES)
        # One expression, summed from left to right: a score is bit-identical in any batch.
        mean = sum((rule.weight / total * rule.satisfaction() for rule in RULES), pl.lit(0.0))
        score = pl.when(pl.col("n_words") > 0).then(mean).otherwise(0.0).alias("score")
        return measure(documents["text"]).select(score)["score"].to_numpy()
