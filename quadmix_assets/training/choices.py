"""Multiple-choice questions cut to the windows that proxies are evaluated on."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.corpus.target_sets import n_evaluated

NO_TARGET = -1
"""In an array of tokens to predict: there is none at this place."""


@dataclass(frozen=True)
class ChoiceWindows:
    """The choices of multiple-choice questions, a window each, ordered by the length of their text.

    Attributes:
        inputs: (n, context) int64 token ids.
        targets: (n, context) int64 the tokens of the choice to predict; NO_TARGET elsewhere.
        lengths: (n,) int64, tokens that a window reads.
        questions: (n,) int64 the question of each choice, from 0.
        is_right: (n,) bool whether it is the right choice.
        n_questions: number of questions.
    """

    inputs: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray
    questions: np.ndarray
    is_right: np.ndarray
    n_questions: int


def pack_choices(
    choices: pl.DataFrame, *, context: int, separator_id: int, max_tokens: int
) -> ChoiceWindows | None:
    """Cut choices to windows: separator, what comes before the choice, the choice.

    Of a text longer than the context the beginning is left out. Questions with a choice that alone
    is longer than the context are left out.

    Args:
        choices: one row per choice, as `choice_tokens` returns them; those of a question together.
        context: tokens of a window.
        separator_id: the token before every text.
        max_tokens: questions are taken while the texts of all their choices fit in this many
            tokens, the first one always.

    Returns:
        The windows; None where there is no question.
    """
    n_tokens = pl.col("tokens").list.len()
    fits = (n_tokens - pl.col("n_context") <= context).all().over("id")
    questions = (
        choices.filter(fits).group_by("id", maintain_order=True).agg(n_tokens.sum().alias("tokens"))
    )
    if questions.is_empty():
        return None
    taken = questions["id"].head(n_evaluated(questions["tokens"].to_numpy(), max_tokens))
    number = {id_: n for n, id_ in enumerate(taken)}
    rows = []
    for row in choices.filter(pl.col("id").is_in(taken.implode())).iter_rows(named=True):
        text = np.array([separator_id, *row["tokens"]], np.int64)
        wanted = np.where(np.arange(len(text)) > row["n_context"], text, NO_TARGET)
        start = max(0, len(text) - 1 - context)
        rows.append((text[start:-1], wanted[start + 1 :], number[row["id"]], row["is_right"]))
    rows.sort(key=lambda row: len(row[0]))
    inputs = np.full((len(rows), context), separator_id, np.int64)
    targets = np.full((len(rows), context), NO_TARGET, np.int64)
    for place, (text, wanted, _, _) in enumerate(rows):
        inputs[place, : len(text)] = text
        targets[place, : len(text)] = wanted
    return ChoiceWindows(
        inputs=inputs,
        targets=targets,
        lengths=np.array([len(row[0]) for row in rows], np.int64),
        questions=np.array([row[2] for row in rows], np.int64),
        is_right=np.array([row[3] for row in rows], bool),
        n_questions=len(taken),
    )
