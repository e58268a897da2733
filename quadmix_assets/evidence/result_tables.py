"""The results of one mix as tables for reading."""

import polars as pl

from quadmix_assets.evidence.results import LANGUAGE_MODEL, TASK, TRIGRAM
from quadmix_assets.evidence.tasks.chance import at_chance
from quadmix_assets.evidence.words import KINDS, METRICS

_LOSS = "loss_nats"
_OTHERS = ("bits_per_byte", "choice_probability")


def losses_table(results: pl.DataFrame) -> pl.DataFrame:
    """A line per set: what the models reach, the mean of their seeds, and the trigram model.

    Args:
        results: columns of RESULTS_SCHEMA, of one mix.

    Returns:
        Columns set, kind, documents, a loss for every budget, the spread of seeds (the standard
        deviation between those of the largest budget), the standard error (over documents, of one
        model), trigram, bits per byte and the probability of the right choice (of the largest
        budget).
    """
    rows = []
    of_models = results.filter(pl.col("model") == LANGUAGE_MODEL, pl.col("kind") != TASK)
    budgets = sorted(of_models["budget"].unique())
    for (name, kind), of_set in results.filter(pl.col("kind") != TASK).group_by(
        "set", "kind", maintain_order=True
    ):
        losses = of_set.filter(pl.col("metric") == _LOSS)
        row = {"set": name, "kind": KINDS[str(kind)], "documents": losses["n"].max()}
        models = losses.filter(pl.col("model") == LANGUAGE_MODEL)
        for budget in budgets:
            of_budget = models.filter(pl.col("budget") == budget)
            row[f"{METRICS[_LOSS]} ({budget:,} tokens)"] = of_budget["value"].mean()
        largest = models.filter(pl.col("budget") == max(budgets, default=0))
        row["spread of seeds"] = largest["value"].std()
        row["standard error"] = largest["standard_error"].mean()
        row["trigram"] = losses.filter(pl.col("model") == TRIGRAM)["value"].mean()
        for metric in _OTHERS:
            of_metric = of_set.filter(
                pl.col("model") == LANGUAGE_MODEL,
                pl.col("budget") == max(budgets, default=0),
                pl.col("metric") == metric,
            )
            row[METRICS[metric]] = of_metric["value"].mean()
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def tasks_table(results: pl.DataFrame) -> pl.DataFrame:
    """A line per task and metric: mean of the seeds, standard error, chance, and what that says.

    Args:
        results: columns of RESULTS_SCHEMA, of one mix.

    Returns:
        Columns task, metric, value, standard error (over questions, of one model), questions,
        chance, and says: whether any of the models is better than guessing.
    """
    rows = []
    for (name, metric), found in results.filter(pl.col("kind") == TASK).group_by(
        "set", "metric", maintain_order=True
    ):
        chance = found["chance"][0]
        says = ""
        if chance is not None:
            guessed = all(at_chance(row) for row in found.iter_rows(named=True))
            says = "at chance level" if guessed else "above chance"
        rows.append(
            {
                "task": name,
                "metric": METRICS[str(metric)],
                "value": found["value"].mean(),
                "standard error": found["standard_error"].mean(),
                "questions": found["n"].max(),
                "chance": chance,
                "says": says,
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def overlap_table(overlap: pl.DataFrame) -> pl.DataFrame:
    """What measured sets share with pool and mix, with their kinds in words.

    Args:
        overlap: columns of OVERLAP_SCHEMA, of one mix.
    """
    return overlap.drop("mix").with_columns(pl.col("kind").replace(dict(KINDS)))
