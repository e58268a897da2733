"""Markdown of texts and small tables, as Dagster's UI shows it."""

import re

import polars as pl


def plain_text(text: str) -> str:
    """A text in one line that Markdown shows as it is; bars are left to `table`."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    # Underscores inside words mean nothing to Markdown.
    return re.sub(r"([\\`*{}\[\]<>#~!$&]|(?<!\w)_|_(?!\w))", r"\\\1", line)


def table(frame: pl.DataFrame) -> str:
    """A small table; its cells are Markdown."""

    def cell(value: object) -> str:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        return text.replace("|", "\\|").replace("\n", " ")

    lines = [
        "| " + " | ".join(frame.columns) + " |",
        "|" + " --- |" * frame.width,
        *("| " + " | ".join(cell(value) for value in row) + " |" for row in frame.iter_rows()),
    ]
    return "\n".join(lines)
