"""The numbers of the QuaDMix paper (Liu et al. 2025, arXiv:2504.16511), Tables 1 to 3, in percent.

They are of other models on another pool: 530 million parameters trained on 500 billion tokens that
were chosen from RefinedWeb. They say what to expect of the order of the methods, and nothing of the
size of the differences on this pool.
"""

import polars as pl

PUBLISHED_SCHEMA = {
    "published_table": pl.Int64,
    "method": pl.String,
    "n_tokens": pl.Int64,
    "score": pl.String,
    "percent": pl.Float64,
}
ABILITIES = ("reading comprehension", "commonsense", "knowledge", "math", "average")
_BILLION = 1_000_000_000
_TABLE_3 = ("hellaswag", "arc_challenge", "arc_easy", "mmlu", "triviaqa")

# Method, billions of chosen tokens, and the columns of Table 1.
_METHODS = (
    ("Random Selection", 500, (32.9, 51.6, 17.4, 2.8, 32.3)),
    ("DSIR", 72, (34.9, 49.2, 17.5, 6.9, 32.7)),
    ("RegMix", 500, (35.5, 52.4, 17.7, 3.5, 33.6)),
    ("Fineweb-edu", 30, (41.4, 55.5, 20.1, 6.0, 37.4)),
    ("AskLLM", 30, (38.9, 54.2, 19.0, 2.3, 35.5)),
    ("DCLM", 30, (41.2, 53.1, 19.8, 8.2, 36.7)),
    ("Criteria Mix", 74, (40.1, 53.7, 20.0, 3.1, 36.0)),
    ("QuaDMix-OH", 30, (44.0, 55.7, 21.0, 10.2, 39.0)),
    ("QuaDMix-BMK", 30, (44.8, 55.7, 21.3, 11.5, 39.5)),
)
# QuaDMix-OH by its criteria, and with more tokens.
_CRITERIA = (
    ("QuaDMix-OH, AskLLM", 30, (38.9, 53.5, 18.6, 2.9, 35.2)),
    ("QuaDMix-OH, Fineweb-edu", 30, (41.4, 55.5, 20.1, 6.0, 37.4)),
    ("QuaDMix-OH, DCLM", 30, (41.3, 53.4, 19.7, 12.2, 37.3)),
    ("QuaDMix-OH, AskLLM and Fineweb-edu", 30, (41.9, 55.6, 20.0, 5.1, 37.5)),
    ("QuaDMix-OH, AskLLM and DCLM", 30, (41.8, 54.6, 19.8, 9.1, 37.5)),
    ("QuaDMix-OH, Fineweb-edu and DCLM", 30, (43.5, 55.6, 20.8, 9.6, 38.7)),
    ("QuaDMix-OH, all three", 90, (40.7, 55.2, 19.5, 4.6, 36.8)),
    ("QuaDMix-OH, all three", 180, (37.8, 53.9, 18.9, 2.8, 35.1)),
    ("QuaDMix-OH, all three", 30, (44.0, 55.7, 21.0, 10.2, 39.0)),
)
_OBJECTIVES = (
    ("QuaDMix-OH", 30, (56.5, 39.2, 71.1, 34.1, 21.6)),
    ("QuaDMix-BMK", 30, (56.1, 40.2, 71.3, 34.4, 22.8)),
)


def published_results() -> pl.DataFrame:
    """One row per table of the paper, method, number of chosen tokens and score."""
    tables = ((1, _METHODS, ABILITIES), (2, _CRITERIA, ABILITIES), (3, _OBJECTIVES, _TABLE_3))
    return pl.DataFrame(
        [
            (table, method, billions * _BILLION, score, percent)
            for table, methods, scores in tables
            for method, billions, values in methods
            for score, percent in zip(scores, values, strict=True)
        ],
        schema=PUBLISHED_SCHEMA,
        orient="row",
    )


def published_table(table: int) -> pl.DataFrame:
    """A table of the paper as it is printed there: a row per method, a column per score."""
    rows = published_results().filter(pl.col("published_table") == table)
    return rows.pivot("score", index=["method", "n_tokens"], values="percent", maintain_order=True)
