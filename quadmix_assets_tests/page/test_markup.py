import html

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.page.markup import escaped, items, paragraphs, table
from quadmix_assets_tests.page.reader import cells, read_page

HOSTILE = '<script>fetch("http://x.example")</script> & "quotes" \' <img src=x onerror=alert(1)>'


@given(st.text())
def test_any_text_comes_back_as_it_was_and_marks_up_nothing(text: str) -> None:
    shown = escaped(text)
    assert not set(shown) & set("<>\"'")
    back = html.unescape(shown)
    assert len(back) == len(text)
    for before, after in zip(text, back, strict=True):
        assert after == before or (after == " " and not before.isprintable())


def test_texts_cannot_turn_their_direction_around_or_hide() -> None:
    assert escaped("a\u202eb\u200bc\x00d\ne") == "a b c d\ne"


def test_a_table_shows_what_it_is_given() -> None:
    frame = pl.DataFrame(
        {
            "mix": [HOSTILE, "b"],
            "n_tokens": [1_234_567, None],
            "share_of_tokens": [0.125, float("nan")],
            "loss": [6.0, 12.34567],
            "p": [0.03, 0.0000012],
            "gain": ["0.123 ± 0.045", "-1,234.5"],
            "is_good": [True, False],
        }
    )
    page = read_page(table(frame, HOSTILE, bold=("b",)))
    assert page.problems == [] and page.loaded() == []
    assert cells(page.elements[0]) == [
        ["mix", "tokens", "share of tokens", "loss", "p", "gain", "is good"],
        [HOSTILE, "1,234,567", "12.5%", "6.00", "0.03", "0.123 ± 0.045", "yes"],
        ["b", "–", "–", "12.35", "1.2e-06", "-1,234.5", "no"],
    ]
    assert page.all("caption")[0].text == HOSTILE
    heads = [each.attributes.get("class") for each in page.all("th")]
    assert heads == ["w", "n", "n", "n", "n", "n", None], "numbers are aligned"
    assert [row.below[0].text for row in page.all("tr", class_="bold")] == ["b"]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.12345, 123.456], ["0.1", "123.5"]),
        ([1.5, 2.25, 10.0], ["1.50", "2.25", "10.00"]),
        ([0.0, 39.5], ["0.0", "39.5"]),
        ([2.0, 3.0], ["2", "3"]),
        ([1e-7, 0.5], ["1.0e-07", "0.5"]),
        ([None, 3.14159], ["–", "3.142"]),
    ],
)
def test_numbers_of_a_column_have_equally_many_decimals(
    values: list[float | None], texts: list[str]
) -> None:
    page = read_page(table(pl.DataFrame({"x": values}), ""))
    found = [row[0] for row in cells(page.elements[0])[1:]]
    assert found == texts


def test_lists_and_paragraphs_without_texts_are_nothing() -> None:
    assert paragraphs("", "a") == "<p>a</p>\n"
    assert items([]) == paragraphs() == ""
    assert [each.text for each in read_page(items(["a", HOSTILE])).all("li")] == ["a", HOSTILE]
