"""Tokenises the choices of multiple-choice questions."""

import polars as pl
from tokenizers import Tokenizer

from quadmix_assets.corpus.tokenizer import encode_with_places

CHOICES_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "id": pl.String,
    "is_right": pl.Boolean,
    "n_context": pl.Int32,
    "tokens": pl.List(pl.Int32),
}


def choice_tokens(documents: pl.DataFrame, tokenizer: Tokenizer) -> pl.DataFrame:
    """The choices of all questions among the documents, in their order.

    Args:
        documents: columns id, and choices (see `read_target_set`) where there are any.
        tokenizer: the project's.

    Returns:
        One row per choice: the question's id, is_right, n_context (the tokens before the choice)
        and tokens (those before the choice, then those of the choice). What follows the choice is
        left out, and so are questions with a choice without tokens.
    """
    if "choices" not in documents.columns:
        return pl.DataFrame(schema=CHOICES_SCHEMA)
    rows = documents.select("id", pl.col("choices").alias("choice"))
    rows = rows.filter(pl.col("choice").list.len() > 0).explode("choice")
    choices = rows["choice"].to_list()
    encoded = encode_with_places(tokenizer, [choice["text"] for choice in choices])
    found, n_context = [], []
    for choice, (ids, places) in zip(choices, encoded, strict=True):
        # A token that spans the end of the question, such as the space before a word, belongs to
        # the choice: no part of the choice is then given away.
        n_context.append(int((places[:, 1] <= choice["start"]).sum()))
        found.append(ids[places[:, 0] < choice["stop"]].tolist())
    table = pl.DataFrame(
        {
            "id": rows["id"],
            "is_right": [choice["is_right"] for choice in choices],
            "n_context": n_context,
            "tokens": found,
        },
        schema=CHOICES_SCHEMA,
    )
    whole = (pl.col("tokens").list.len() > pl.col("n_context")).all().over("id")
    return table.filter(whole)
