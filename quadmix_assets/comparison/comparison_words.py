"""The comparison of methods for reading: narrow tables, and verdicts in words."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from quadmix_assets.comparison.comparison_tables import EQUAL
from quadmix_assets.comparison.measures import (
    CHOICE_PROBABILITY,
    HELD_OUT_LOSS,
    Measure,
    objective_measure,
)
from quadmix_assets.comparison.method_table import ABILITY_COLUMNS, AVERAGE
from quadmix_assets.evidence.results import LANGUAGE_MODEL, TRIGRAM
from quadmix_assets.evidence.words import METRICS, measure_in_words
from quadmix_assets.report.markdown import whole
from quadmix_assets.search.objective import objective_named
from quadmix_assets.settings import Settings

_RANDOM = "random"
_BY_ONE_CRITERION = "top_k"


def sizes_shown(methods: pl.DataFrame) -> pl.DataFrame:
    """What every mix takes: tokens, documents, mean length, epochs over the pool and in training.

    Args:
        methods: a table of methods.
    """
    return methods.select(
        _name(),
        whole("n_tokens").alias("tokens"),
        whole("n_documents").alias("documents"),
        pl.col("tokens_per_document").round(0).alias("mean length"),
        pl.col("epochs").round(3).alias("epochs of the pool"),
        pl.col("training_epochs").round(2).alias("training epochs"),
        pl.format("{}{}", "n_models", _failed()).alias("models"),
    )


def accuracies_shown(methods: pl.DataFrame) -> pl.DataFrame | None:
    """Accuracies in percent by ability, as the paper's Table 1; None where no task was asked."""
    if methods[AVERAGE].is_null().all():
        return None
    columns = [*ABILITY_COLUMNS.items(), ("average", AVERAGE)]
    percent = [(100 * pl.col(column)).round(1).alias(ability) for ability, column in columns]
    choice = [
        (100 * pl.col(name)).round(1).alias(METRICS[CHOICE_PROBABILITY])
        for name in (f"mean[{CHOICE_PROBABILITY}]",)
        if name in methods.columns
    ]
    shown = methods.select(_name(), *percent, *choice)
    return shown.sort("average", descending=True, nulls_last=True)


def losses_shown(methods: pl.DataFrame, measure: str) -> pl.DataFrame:
    """How mixes compare by one measure, the best first, with 90 % intervals.

    Args:
        methods: a table of methods.
        measure: name of one of its measures.
    """

    def of(column: str) -> str:
        return f"{column}[{measure}]"

    rows = methods.sort(of("rank"), of("mean"), nulls_last=True)
    trigram = [pl.col(of(TRIGRAM)).round(3).alias("trigram")] if of(TRIGRAM) in rows.columns else []
    shown = rows.select(
        _name(),
        _with_half("mean", measure).alias("mean"),
        pl.col(of("rank")).round(2).alias("average rank"),
        (100 * pl.col(of("win_rate"))).round(0).alias("% of pairs won"),
        _with_half("over_random", measure).alias("better than random by"),
        _with_half("production_gain", measure).alias("production better by"),
        *trigram,
    )
    # Neither random nor production need be of the size of the others.
    return shown.select(name for name in shown.columns if shown[name].is_not_null().any())


def measures_in(methods: pl.DataFrame) -> list[str]:
    """The names of the measures that a table of methods has values of."""
    names = [column[5:-1] for column in methods.columns if column.startswith("mean[")]
    return [name for name in names if methods[f"mean[{name}]"].is_not_null().any()]


def budgets_shown(budgets: pl.DataFrame) -> pl.DataFrame:
    """Rank correlations between training budgets."""
    return budgets.select(
        _measure(),
        whole("budget").alias("training tokens"),
        whole("other_budget").alias("and"),
        pl.col("n_mixes").alias("mixes"),
        pl.col("spearman").round(2).alias("Spearman"),
        pl.col("kendall").round(2).alias("Kendall"),
        pl.col("spearman_of_seeds").round(2).alias("Spearman of two seeds"),
    )


def ablations_shown(ablations: pl.DataFrame) -> pl.DataFrame:
    """What single options gain at the largest budget, by language models."""
    found = ablations.filter(pl.col("model") == LANGUAGE_MODEL)
    largest = found.filter(pl.col("budget") == pl.col("budget").max().over("measure"))
    half = pl.col("gain_high") - pl.col("gain")
    return largest.select(
        "option",
        _with_value("mix", "option_value").alias("mix"),
        _with_value("other", "other_value").alias("against"),
        _measure(),
        _plus_minus(pl.col("gain"), half).alias("better by"),
        pl.col("interval_over").alias("interval over"),
    )


def regressors_shown(regressors: pl.DataFrame) -> pl.DataFrame:
    """Errors of the search's regressor on held-out thetas, by what it learns from."""
    return regressors.select(
        "target",
        pl.col("learned_from").alias("learned from"),
        pl.col("n_proxies").alias("proxies"),
        pl.col("spearman").round(2).alias("Spearman"),
        pl.col("mae_nats").round(4).alias("error in nats"),
        pl.col("constant_mae_nats").round(4).alias("of a constant"),
    )


def deciding_measure(settings: Settings, methods: pl.DataFrame) -> str:
    """The measure that counts most: held-out sets where there are some, else the objective."""
    if HELD_OUT_LOSS in measures_in(methods):
        return HELD_OUT_LOSS
    return production_measure(settings).name


def production_measure(settings: Settings) -> Measure:
    """The objective of the mix in production."""
    return objective_measure(objective_named(settings.objectives, settings.mix_objective))


def beats_the_simple_ones(
    settings: Settings, methods: pl.DataFrame, pairs: pl.DataFrame
) -> tuple[bool, str]:
    """Whether production is better than random documents and the best by a single criterion.

    By its own objective and on the held-out sets, with intervals above zero. The best criterion is
    that of the mix by `top_k` which is best by that measure, so that the comparison is a hard one.

    Args:
        settings: of the project.
        methods: the table of the mixes of one size.
        pairs: columns of PAIRS_SCHEMA.
    """
    production = settings.production_mix.name
    if production not in methods["mix"]:
        return False, (
            f"{production!r}, the mix in production, is not among the measured mixes of one size "
            f"({', '.join(methods['mix'])}): give them its number of tokens (mixes[].tokens)"
        )
    verdicts: list[tuple[bool, str]] = []
    names = [production_measure(settings).name, HELD_OUT_LOSS]
    for measure in (name for name in names if name in measures_in(methods)):
        others = methods.filter(pl.col("mix") != production).sort(f"mean[{measure}]")
        for method in (_RANDOM, _BY_ONE_CRITERION):
            best = others.filter(pl.col("method") == method)["mix"].head(1).to_list()
            verdicts += [_verdict(pairs, measure, production, other) for other in best]
    if not verdicts:
        return False, (
            "no mix by the methods random or top_k has the size of the mix in production and was "
            "measured: add some to mixes, and train their language models"
        )
    words = "; ".join(words for _, words in verdicts)
    return all(passed for passed, _ in verdicts), f"{production} {words}"


def _verdict(pairs: pl.DataFrame, measure: str, mix: str, other: str) -> tuple[bool, str]:
    rows = pairs.filter(
        (pl.col("sizes") == EQUAL)
        & (pl.col("measure") == measure)
        & (pl.col("model") == LANGUAGE_MODEL)
        & (pl.col("mix") == mix)
        & (pl.col("other") == other)
    ).sort("budget")
    row = rows.row(-1, named=True)
    where = f"by {measure_in_words(measure)}"
    if row["gain"] is None:
        return False, f"cannot be compared with {other} {where}: trainings failed"
    amount = f"{row['gain']:+.3f} nats against {other} {where}"
    if row["gain_low"] is None:
        return False, f"{amount}, a single pair without an interval (raise evidence.n_seeds)"
    interval = f"{amount} ({row['gain_low']:+.3f} to {row['gain_high']:+.3f})"
    if row["gain_low"] > 0:
        return True, f"is better: {interval}"
    if row["gain_high"] < 0:
        return False, f"is worse: {interval}"
    return False, f"cannot be told apart: {interval}"


def with_method() -> pl.Expr:
    """The name of a mix with its method, where it is not called after that."""
    is_named_so = pl.col("mix") == pl.col("method")
    return pl.when(is_named_so).then("mix").otherwise(pl.format("{} ({})", "mix", "method"))


def _name() -> pl.Expr:
    production = pl.when("is_production").then(pl.lit(", in production")).otherwise(pl.lit(""))
    return (with_method() + production).alias("mix")


def _measure() -> pl.Expr:
    return pl.col("measure").map_elements(measure_in_words, return_dtype=pl.String)


def _with_value(mix: str, value: str) -> pl.Expr:
    return (
        pl.when(pl.col(mix) == pl.col(value)).then(mix).otherwise(pl.format("{} ({})", mix, value))
    )


def _failed() -> pl.Expr:
    words = pl.format(" ({} failed)", "n_failed")
    return pl.when(pl.col("n_failed") > 0).then(words).otherwise(pl.lit(""))


def _with_half(column: str, measure: str) -> pl.Expr:
    value = pl.col(f"{column}[{measure}]")
    return _plus_minus(value, pl.col(f"{column}_high[{measure}]") - value)


def _plus_minus(value: pl.Expr, half: pl.Expr) -> pl.Expr:
    """A value with half the width of its interval; the value alone where there is none."""

    def words(row: Sequence[float | None]) -> str | None:
        number, width = row
        if number is None:
            return None
        return (
            f"{number:.3f}" if width is None or np.isnan(width) else f"{number:.3f} ± {width:.3f}"
        )

    both = pl.concat_list(value, half)
    return both.map_elements(lambda pair: words(list(pair)), return_dtype=pl.String)
