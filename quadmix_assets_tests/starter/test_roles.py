"""What columns are taken for, by their names, types and values."""

from typing import Any

import pytest

from quadmix_assets.starter.roles import Roles, guess_roles
from quadmix_assets.starter.survey import ColumnSurvey

N_ROWS = 40
TEXT = "a text of some words, which is longer than any label is"


def roles_of(**columns: Any) -> Roles:
    """Guesses for columns: each a function of the row number, or a value for all rows."""
    surveys = []
    for name, value in columns.items():
        survey = ColumnSurvey(name.replace("__", "."))
        for row in range(N_ROWS):
            survey.take(value(row) if callable(value) else value)
        surveys.append(survey)
    return guess_roles(surveys, N_ROWS)


def numbered(row: int) -> str:
    return f"d{row}"


def test_names_that_say_what_they_are() -> None:
    roles = roles_of(
        doc_id=numbered,
        content=TEXT,
        meta__source=lambda r: f"web {r % 30}",
        topic=lambda r: "ab"[r % 2],
    )
    assert (roles.text, roles.id, roles.source) == ("content", "doc_id", "meta.source")
    assert roles.domain is not None
    assert roles.domain.name == "topic"
    assert roles.scores == []


def test_longest_strings_are_the_text_where_no_name_says_so() -> None:
    roles = roles_of(title="a title of a few more words", story=lambda r: f"{TEXT} {r} " * 5)
    assert roles.text == "story"
    assert roles.other_texts == ["title"]


def test_known_name_comes_before_longer_strings() -> None:
    assert roles_of(html=TEXT * 9, text=TEXT).text == "text"


def test_id_that_repeats_is_none() -> None:
    roles = roles_of(id=lambda r: r // 2, text=TEXT)
    assert (roles.id, roles.repeated_id) == (None, "id")
    roles = roles_of(id=lambda r: r // 2, uuid=numbered, text=TEXT)
    assert (roles.id, roles.repeated_id) == ("uuid", "id")


def test_nothing_but_a_text() -> None:
    roles = roles_of(text=TEXT)
    assert (roles.text, roles.id, roles.source, roles.domain) == ("text", None, None, None)
    assert roles_of(n=1).text is None


def test_labels_have_few_values_each_of_many_rows() -> None:
    assert roles_of(text=TEXT, author=numbered).domain is None
    assert roles_of(text=TEXT, lang="en").domain is None, "one label tells nothing apart"
    roles = roles_of(
        text=TEXT, lang=lambda r: "en de"[r % 2 * 3 :][:2], domain=lambda r: "xyz"[r % 3]
    )
    assert roles.domain is not None
    assert (roles.domain.name, roles.other_domains) == ("domain", ["lang"])


@pytest.mark.parametrize(
    ("name", "larger", "named"),
    [("quality_score", True, True), ("perplexity", False, True), ("stars", True, False)],
)
def test_numbers_are_scores_with_a_direction(name: str, larger: bool, named: bool) -> None:
    (score,) = roles_of(text=TEXT, **{name: lambda row: row / 4}).scores
    assert (score.column, score.type, score.larger_is_better) == (name, "float", larger)
    assert (score.is_named_so, score.is_complete) == (named, True)
    assert (score.lowest, score.highest) == (0.0, (N_ROWS - 1) / 4)


@pytest.mark.parametrize("name", ["n_tokens", "length", "word_count", "year", "meta__len__chars"])
def test_counts_and_dates_are_no_scores(name: str) -> None:
    assert roles_of(text=TEXT, **{name: lambda row: row}).scores == []


def test_score_that_some_rows_lack() -> None:
    (score,) = roles_of(text=TEXT, score=lambda row: row if row % 3 else None).scores
    assert not score.is_complete
