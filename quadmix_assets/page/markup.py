"""HTML of texts and small tables. Whatever it is given is shown as it is: nothing is marked up."""

import html
import math
import re
from collections.abc import Collection, Sequence

import polars as pl

from quadmix_assets.report.markdown import cell_text

_KEPT = "\n\t"
# Characters from which on a cell has room for several words in a line.
_SENTENCE = 36
_DIGITS = 4
# Also with half an interval.
_NUMBER = re.compile(r"[+-]?\d[\d,.]*%?( ± \d[\d,.]*)?")
_MOST_DECIMALS = 4


def escaped(text: str) -> str:
    """A text as HTML, also inside quoted attributes; characters that do not show are blanks.

    Among these are those that would turn the direction of the text around.
    """
    shown = "".join(c if c.isprintable() or c in _KEPT else " " for c in text)
    return html.escape(shown, quote=True)


def paragraphs(*texts: str) -> str:
    """Each text as a paragraph; empty ones are left out."""
    return "".join(f"<p>{escaped(text)}</p>\n" for text in texts if text)


def items(texts: Collection[str]) -> str:
    """A list with the texts as its items; nothing without texts."""
    inside = "".join(f"<li>{escaped(text)}</li>\n" for text in texts)
    return f"<ul>\n{inside}</ul>\n" if inside else ""


def heading(level: int, text: str) -> str:
    """A heading of that level, 2 to 6."""
    return f"<h{level}>{escaped(text)}</h{level}>\n"


def table(frame: pl.DataFrame, caption: str, *, bold: Collection[str] = ()) -> str:
    """A table whose headings are the names of columns, in words.

    Numbers are aligned to the right, with as many decimals as their column needs; columns whose
    names start with `share` are in per cent; what is missing is a dash.

    Args:
        frame: its cells may hold words of documents.
        caption: above it.
        bold: rows whose first cell is one of these are set in bold.
    """
    right = [_kind(column) for column in frame.get_columns()]
    head = "".join(
        f'<th scope="col"{side}>{escaped(_in_words(name))}</th>'
        for name, side in zip(frame.columns, right, strict=True)
    )
    columns = [_texts(column) for column in frame.get_columns()]
    lines = []
    for row in zip(*columns, strict=True):
        cells = "".join(
            f"<td{side}>{escaped(text)}</td>" for side, text in zip(right, row, strict=True)
        )
        marked = ' class="bold"' if row[0] in bold else ""
        lines.append(f"<tr{marked}>{cells}</tr>\n")
    return (
        f'<div class="table"><table>\n<caption>{escaped(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(lines)}</tbody>\n</table></div>\n"
    )


def _kind(column: pl.Series) -> str:
    """The class of a column's cells: numbers, sentences that need room, or neither."""
    if column.dtype.is_numeric():
        return ' class="n"'
    texts = [text for text in column.to_list() if text] if column.dtype == pl.String else []
    if texts and all(_NUMBER.fullmatch(text) for text in texts):
        return ' class="n"'
    is_long = any(len(text) > _SENTENCE for text in texts)
    return ' class="w"' if is_long else ""


def _in_words(column: str) -> str:
    return column.removeprefix("n_").replace("_", " ")


def _texts(column: pl.Series) -> list[str]:
    """The texts of a column's cells; numbers that are not whole have equally many decimals."""
    values = column.to_list()
    if column.dtype.is_integer():
        return [cell_text(None) if value is None else f"{value:,}" for value in values]
    if not column.dtype.is_float():
        return [cell_text(value) for value in values]
    digits = _decimals([v for v in values if v is not None and math.isfinite(v)])

    def text(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return cell_text(None)
        if column.name.startswith("share"):
            return f"{value:.1%}"
        # Such as probabilities far below the others of their column.
        is_small = value != 0 and abs(value) < 0.5 * 10**-digits
        return f"{value:.1e}" if is_small else f"{value:,.{digits}f}"

    return [text(value) for value in values]


def _decimals(values: Sequence[float]) -> int:
    """How many decimals show the largest of the values with four digits, none if all are zeros."""
    largest = max(map(abs, values), default=0.0)
    digits = _MOST_DECIMALS
    if largest > 0:
        digits = min(max(_DIGITS - 1 - math.floor(math.log10(largest)), 0), digits)
    while digits and all(round(value, digits) == round(value, digits - 1) for value in values):
        digits -= 1
    return digits
