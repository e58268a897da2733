"""Templates take columns, fields and entries, and nothing else of a value."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.corpus.template import parse_template

ROW = {
    "prompt": "2 + 2?",
    "n": 4,
    "when": date(2020, 1, 2),
    "choices": ["three", "four"],
    "meta": {"url": "http://x", "tags": ["a"], "keys": "own"},
    "a.b": "dotted",
    "two words": "spaced",
    "none": None,
    "raw": b"x",
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Q: {prompt} A: {n}", "Q: 2 + 2? A: 4"),
        ("{{{prompt}}}", "{2 + 2?}"),
        ("{choices[1]}, {meta.url}, {meta[url]}, {meta.tags[0]}", "four, http://x, http://x, a"),
        ("{a.b} {two words} {when}", "dotted spaced 2020-01-02"),
        ("{meta.keys}", "own"),
        ("{choices}", "['three', 'four']"),
    ],
)
def test_fields(template: str, text: str) -> None:
    assert parse_template(template).fill(ROW).text == text


@pytest.mark.parametrize(
    "template",
    ["{", "}", "{prompt", "prompt}", "{}", "{.a}", "{a..b}", "{a[}", "{a!r}", "{a:>9}", "{{}}", ""],
)
def test_what_is_no_template(template: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(template))):
        parse_template(template)


@pytest.mark.parametrize(
    "template",
    [
        "{prompt.upper}",
        "{prompt.__class__}",
        "{meta.items}",
        "{meta.__init__.__globals__}",
        "{choices.append}",
        "{choices[-1]}",
        "{choices[2]}",
        "{prompt[0]}",
        "{none}",
        "{raw}",
        "{gone}",
    ],
)
def test_what_a_row_does_not_hold(template: str) -> None:
    with pytest.raises((LookupError, ValueError)):
        parse_template(template).fill(ROW)


@given(st.text(alphabet="{}ab.[]01!: ", max_size=20))
def test_nothing_but_named_errors_and_text_of_the_row(template: str) -> None:
    try:
        text = parse_template(template).fill({"a": {"b": "yes"}, "b": ["no"]}).text
    except (LookupError, ValueError):
        return
    assert "0x" not in text and len(text) < 1_000
