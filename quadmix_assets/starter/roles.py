"""Guesses which column is the text, the id, the source, the domain and which are scores."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from quadmix_assets.starter.survey import ColumnSurvey

_TEXT_NAMES = ("text", "content", "body", "raw_content", "document", "article", "page_content")
_ID = re.compile(r"(^|[._-])(id|uid|uuid|guid|key|hash|digest|doc_?id|url)$|id$", re.I)
_SOURCE = re.compile(r"(^|[._-])(source|src|dataset|corpus|origin|subset|collection)$", re.I)
_DOMAIN = re.compile(r"domain|topic|categor|subject|genre|section|class|label|field", re.I)
_SCORE = re.compile(
    r"score|quality|edu|prob|perplex|ppl|rating|loss|toxic|fluen|logit|confiden|spam|nsfw", re.I
)
_NO_SCORE = re.compile(
    r"(^|[._-])(n|num|count|len|length|size|tokens?|bytes|chars?|words?|year|date|time|timestamp|"
    r"row|index|idx|offset|position|page|version|id)([._-]|$)|_?(count|length|tokens|id)$",
    re.I,
)
_SMALLER_IS_BETTER = re.compile(r"perplex|ppl|loss|toxic|spam|nsfw|dup|noise|error", re.I)
_MIN_FILLED = 0.5
_MAX_DOMAINS = 60
_ROWS_PER_DOMAIN = 5
_MAX_LABEL_CHARACTERS = 60


@dataclass
class Score:
    """A numeric column that may be a quality score.

    Attributes:
        column: its name.
        type: float, int or bool.
        larger_is_better: guessed from the name.
        is_complete: whether every inspected row has a value.
        is_named_so: whether its name is that of a score.
        lowest, highest: of the inspected values.
    """

    column: str
    type: str
    larger_is_better: bool
    is_complete: bool
    is_named_so: bool
    lowest: float
    highest: float


@dataclass
class Roles:
    """The column of each role; None where no column fits.

    Attributes:
        text: the documents' text.
        other_texts: further columns that may be the text.
        id: a column without repeated values in the inspected rows.
        repeated_id: a column named "id" that cannot be the id, since values repeat.
        source: where a document comes from.
        domain: a label with few distinct values.
        other_domains: further columns that may be the domain.
        scores: in the order of the columns.
    """

    text: str | None
    other_texts: list[str]
    id: str | None
    repeated_id: str | None
    source: str | None
    domain: ColumnSurvey | None
    other_domains: list[str]
    scores: list[Score]


def guess_roles(columns: Sequence[ColumnSurvey], n_rows: int) -> Roles:
    """Guess the roles of columns from their names, types and values in `n_rows` inspected rows."""
    strings = [column for column in columns if column.type == "string"]
    texts = sorted(strings, key=_text_order)
    text = texts[0].name if texts else None
    others = [column for column in columns if column.name != text]
    ids = [c for c in others if _ID.search(c.name) and c.type in ("string", "int")]
    unique = sorted(
        (c for c in ids if len(c.distinct) == c.n_values and c.n_values >= 0.99 * n_rows),
        key=lambda c: (c.name != "id", c.name.lower().endswith("url")),
    )
    id_ = unique[0].name if unique else None
    named_id = next((c.name for c in ids if c.name == "id"), None)
    source = next((c.name for c in others if _SOURCE.search(c.name) and c.type == "string"), None)
    labels = sorted((c for c in others if _is_label(c, n_rows)), key=_label_order)
    domain = labels[0] if labels else None
    return Roles(
        text=text,
        other_texts=[column.name for column in texts[1:] if column.n_words > 5 * column.n_values],
        id=id_,
        repeated_id=named_id if named_id != id_ else None,
        source=source,
        domain=domain,
        other_domains=[column.name for column in labels[1:]],
        scores=[
            score
            for column in others
            if column.name != id_
            and column is not domain
            and (score := _score(column, n_rows)) is not None
        ],
    )


def _text_order(column: ColumnSurvey) -> tuple[int, float]:
    last = column.name.rpartition(".")[2].lower()
    known = _TEXT_NAMES.index(last) if last in _TEXT_NAMES else len(_TEXT_NAMES)
    return known, -column.n_characters


def _is_label(column: ColumnSurvey, n_rows: int) -> bool:
    n_distinct = len(column.distinct)
    return (
        column.type in ("string", "int", "bool")
        and not _NO_SCORE.search(column.name)
        and column.n_values >= _MIN_FILLED * n_rows
        and 2 <= n_distinct <= _MAX_DOMAINS
        and (n_distinct * _ROWS_PER_DOMAIN <= column.n_values or bool(_DOMAIN.search(column.name)))
        and (column.type == "string" or bool(_DOMAIN.search(column.name)))
        and max(len(str(value)) for value in column.distinct) <= _MAX_LABEL_CHARACTERS
    )


def _label_order(column: ColumnSurvey) -> tuple[bool, bool, int]:
    return (
        not _DOMAIN.search(column.name),
        bool(_SOURCE.search(column.name)),
        -len(column.distinct),
    )


def _score(column: ColumnSurvey, n_rows: int) -> Score | None:
    named = bool(_SCORE.search(column.name))
    if column.type not in ("float", "int", "bool") or column.n_values < _MIN_FILLED * n_rows:
        return None
    if len(column.distinct) < 2 or (_NO_SCORE.search(column.name) and not named):
        return None
    values = [float(value) for value in column.distinct if not isinstance(value, str)]
    return Score(
        column=column.name,
        type=column.type,
        larger_is_better=not _SMALLER_IS_BETTER.search(column.name),
        is_complete=column.n_values == n_rows and not column.types["string"],
        is_named_so=named,
        lowest=min(values),
        highest=max(values),
    )
