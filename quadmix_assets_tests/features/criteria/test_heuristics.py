"""The heuristic score: rules by degrees, and the order of good and bad documents."""

import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.criteria.heuristics import (
    RULES,
    HeuristicsCriterion,
    HeuristicsSettings,
    Rule,
)
from quadmix_assets.features.criteria.measures import measure
from quadmix_assets_tests.features.texts import AWKWARD, documents, prose, repeated_spam, spam

CRITERION = HeuristicsCriterion(HeuristicsSettings(kind="heuristics"))


def _satisfaction(rule: Rule, values: list[float]) -> list[float]:
    frame = pl.DataFrame({rule.measure: values}, schema={rule.measure: pl.Float64})
    return frame.select(rule.satisfaction().alias("s"))["s"].to_list()


def test_each_rule_has_a_measure_and_stands_once() -> None:
    names = [rule.measure for rule in RULES]
    assert sorted(names) == sorted(measure(pl.Series("text", [""])).columns)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.measure)
def test_a_rule_is_half_kept_at_its_cut_and_better_kept_beyond_it(rule: Rule) -> None:
    for cut, good, bad in ((rule.at_least, 2.0, 0.5), (rule.at_most, 0.5, 2.0)):
        if cut is not None:
            better, at_cut, worse = _satisfaction(rule, [cut * good, cut, cut * bad])
            assert at_cut == pytest.approx(0.5, abs=0.001)
            assert 0.0 < worse < at_cut < better < 1.0
    if rule.at_least is None:
        assert _satisfaction(rule, [0.0]) == [1.0]
    if rule.at_most is None:
        assert _satisfaction(rule, [0.0]) == [0.0]


def test_the_score_is_the_weighted_mean_of_the_rules() -> None:
    rng = np.random.default_rng(0)
    texts = {"a": prose(rng), "b": spam(rng), "c": repeated_spam(rng), "d": "One line."}
    measures = measure(documents(texts)["text"])
    for row, score in enumerate(CRITERION.score(documents(texts))):
        satisfied, weights = 0.0, 0.0
        for rule in RULES:
            x = measures[rule.measure][row] ** rule.steepness
            share = 1.0
            if rule.at_least is not None:
                share *= x / (x + rule.at_least**rule.steepness)
            if rule.at_most is not None:
                share /= 1.0 + x / rule.at_most**rule.steepness
            satisfied, weights = satisfied + rule.weight * share, weights + rule.weight
        assert score == pytest.approx(satisfied / weights, abs=1e-12)


def test_prose_stands_above_spam_and_noise() -> None:
    rng = np.random.default_rng(1)
    good = CRITERION.score(documents({str(k): prose(rng) for k in range(30)}))
    bad = {f"s{k}": spam(rng) for k in range(30)} | {f"r{k}": repeated_spam(rng) for k in range(30)}
    bad |= {name: AWKWARD[name] for name in ("uuencoded", "marks", "no_blanks", "one_word")}
    assert good.min() > CRITERION.score(documents(bad)).max() + 0.1


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:40],
        lambda text: text.replace(".", ""),
        lambda text: text.replace(" ", "\n"),
        lambda text: "\n".join([text.replace("\n", " ")] * 4),
        lambda text: text.replace(" the ", " { # } "),
        lambda text: text.replace("a", "4").replace("e", "3").replace("o", "0").replace("i", "1"),
        lambda text: "".join(text.split()),
    ],
    ids=["cut", "no_stops", "one_word_lines", "repeated", "code", "digits", "no_blanks"],
)
def test_damage_lowers_the_score(damage: object) -> None:
    assert callable(damage)
    text = prose(np.random.default_rng(2))
    whole, damaged = CRITERION.score(documents({"whole": text, "damaged": damage(text)}))
    assert damaged < whole


def test_there_are_few_ties_among_good_documents() -> None:
    rng = np.random.default_rng(3)
    scores = CRITERION.score(documents({str(k): prose(rng, 8 + k % 20) for k in range(300)}))
    assert len(np.unique(scores)) > 270


def test_documents_without_words_score_zero() -> None:
    scores = CRITERION.score(documents(AWKWARD))
    wordless = np.array([name in {"empty", "blank"} for name in AWKWARD])
    assert np.array_equal(scores == 0.0, wordless)
    assert scores.max() <= 1.0
