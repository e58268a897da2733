"""The results of one mix as tables for reading."""

import polars as pl

from quadmix_assets.evidence.results import LANGUAGE_MODEL, TASK, TRIGRAM
from quadmix_assets.evidence.tasks.chance import at_chance

_LOSSES = ("loss_nats", "bits_per_byte", "choice_probability")


def losses_table(results: pl.DataFrame) -> pl.DataFrame:
    """A line per set: what the models reach, the mean of their seeds, and the trigram model.

    Args:
        results: columns of RESULTS_SCHEMA, of one mix.

    Returns:
        Columns set, kind, documents, loss_nats_<budget> for every budget, seed_spread (the standard
        deviation between the seeds of the largest budget), standard_error (over documents, of one
        model), trigram, bits_per_byte and choice_probability (of the largest budget).
    """
    rows = []
    of_models = results.filter(pl.col("model") == LANGUAGE_MODEL, pl.col("kind") != TASK)
    budgets = sorted(of_models["budget"].unique())
    for (name, kind), of_set in results.filter(pl.col("kind") != TASK).group_by(
        "set", "kind", maintain_order=True
    ):
        losses = of_set.filter(pl.col("metric") == "loss_nats")
        row = {"set": name, "kind": kind, "documents": losses["n"].max()}
        models = losses.filter(pl.col("model") == LANGUAGE_MODEL)
        for budget in budgets:
            row[f"loss_nats_{budget:,}"] = models.filter(pl.col("budget") == budget)["value"].mean()
        largest = models.filter(pl.col("budget") == max(budgets, default=0))
        row["seed_spread"] = largest["value"].std()
        row["standard_error"] = largest["standard_error"].mean()
        row["trigram"] = losses.filter(pl.col("model") == TRIGRAM)["value"].mean()
        for metric in _LOSSES[1:]:
            of_metric = of_set.filter(
                pl.col("model") == LANGUAGE_MODEL,
                pl.col("budget") == max(budgets, default=0),
                pl.col("metric") == metric,
            )
            row[metric] = of_metric["value"].mean()
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def tasks_table(results: pl.DataFrame) -> pl.DataFrame:
    """A line per task and metric: mean of the seeds, standard error, chance, and what that says.

    Args:
        results: columns of RESULTS_SCHEMA, of one mix.

    Returns:
        Columns task, metric, value, standard_error (over questions, of one model), questions,
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
                "metric": metric,
                "value": found["value"].mean(),
                "standard_error": found["standard_error"].mean(),
                "questions": found["n"].max(),
                "chance": chance,
                "says": says,
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)
