"""What mixes are compared by: objectives, held-out sets, and tasks, as scores by set and seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.comparison.paired import PairedGain, paired_gain
from quadmix_assets.evidence.results import HELD_OUT, TARGET, TASK
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.intervals import Mean
from quadmix_assets.settings import ObjectiveSettings, Settings

HELD_OUT_LOSS = "held_out"
TASK_ACCURACY = "tasks"
CHOICE_PROBABILITY = "choice_probability"
_OBJECTIVE = "objective "
# The paper has normalised accuracy; tasks without choices have an exact match alone.
_ACCURACIES = ("acc_norm", "acc", "exact_match")


@dataclass(frozen=True)
class Measure:
    """A weighted mean of scores on some sets.

    Attributes:
        name: in tables and plots.
        kind: of the sets: TARGET, HELD_OUT or TASK.
        metrics: of the results; a set is measured by the first of them that it has.
        weights: of the sets.
        smaller_is_better: true of losses.
        sets_are_drawn: whether the sets stand for others like them. An objective is the mean over
            its own target sets, while held-out sets and tasks are examples.
    """

    name: str
    kind: str
    metrics: tuple[str, ...]
    weights: Mapping[str, float]
    smaller_is_better: bool = True
    sets_are_drawn: bool = True

    @property
    def is_loss(self) -> bool:
        """Whether it is in nats per token or bits per byte."""
        return self.kind != TASK


def objective_measure(objective: ObjectiveSettings) -> Measure:
    """The objective as it is measured on the proof parts of its target sets.

    In bits per byte if the objective is; else in nats per token, also where the search compares
    standard deviations of proxies, as language models of mixes have none of these.
    """
    metric = "bits_per_byte" if objective.scale == "bits_per_byte" else "loss_nats"
    weights = dict(objective.targets)
    return Measure(
        f"{_OBJECTIVE}{objective.name}", TARGET, (metric,), weights, sets_are_drawn=False
    )


def measures_of(settings: Settings, results: pl.DataFrame) -> list[Measure]:
    """Everything that mixes are compared by: one measure per objective, then what was measured.

    Args:
        settings: of the project, which name objectives, held-out sets and tasks.
        results: columns of RESULTS_SCHEMA; sets that it lacks are left out.
    """
    found = [objective_measure(objective) for objective in settings.objectives]
    evidence = settings.evidence
    held_out = _in_results(results, HELD_OUT, [each.name for each in evidence.held_out])
    tasks = _in_results(results, TASK, [task.name for task in evidence.tasks])
    with_choices = results.filter(
        (pl.col("kind") == TASK) & (pl.col("metric") == CHOICE_PROBABILITY)
    )
    choices = _in_results(with_choices, TASK, tasks)
    if held_out:
        found.append(Measure(HELD_OUT_LOSS, HELD_OUT, ("loss_nats",), held_out))
    if tasks:
        found.append(Measure(TASK_ACCURACY, TASK, _ACCURACIES, tasks, smaller_is_better=False))
    if choices:
        metric = (CHOICE_PROBABILITY,)
        found.append(Measure(CHOICE_PROBABILITY, TASK, metric, choices, smaller_is_better=False))
    return found


def loss_units(settings: Settings) -> dict[str, str]:
    """The units of all measures that are losses, by name."""
    objectives = {objective_measure(each).name: each.loss_unit for each in settings.objectives}
    return objectives | {HELD_OUT_LOSS: "nats per token"}


def _in_results(
    results: pl.DataFrame, kind: str, names: Sequence[str] | Mapping[str, float]
) -> dict[str, float]:
    there = set(results.filter(pl.col("kind") == kind)["set"])
    return {name: 1.0 for name in names if name in there}


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of n mixes on S sets by K seeds, of one kind of model at one budget.

    Attributes:
        measure: what they are of.
        mixes, sets, seeds: the names.
        values: (n, S, K), NaN where there is none.
    """

    measure: Measure
    mixes: tuple[str, ...]
    sets: tuple[str, ...]
    seeds: tuple[int, ...]
    values: FloatArray

    @property
    def weights(self) -> FloatArray:
        """(S,) of the sets."""
        return np.array([self.measure.weights[name] for name in self.sets])

    def per_seed(self, mix: str) -> dict[int, float]:
        """The weighted mean over the sets, of the seeds that have a score on every set."""
        values = self.values[self.mixes.index(mix)]
        return {
            seed: float(np.average(values[:, k], weights=self.weights))
            for k, seed in enumerate(self.seeds)
            if not np.isnan(values[:, k]).any()
        }

    def mean(self, mix: str) -> Mean:
        """The mean of a mix with its interval over seeds."""
        return Mean.of(np.array(list(self.per_seed(mix).values())))

    def differences(self, mix: str, other: str) -> FloatArray:
        """(S, K) by how much a mix is better than another; above zero where it is."""
        one, two = (self.values[self.mixes.index(name)] for name in (mix, other))
        return two - one if self.measure.smaller_is_better else one - two

    def gain(self, mix: str, other: str) -> PairedGain:
        """By how much a mix is better than another."""
        return paired_gain(
            self.differences(mix, other),
            self.weights,
            sets_are_drawn=self.measure.sets_are_drawn,
        )

    def ranks(self) -> dict[str, float]:
        """The mean rank of every mix over the sets, 1 for the best; NaN without a score.

        On each set mixes are ranked by their mean over seeds, among those that have one.
        """
        from scipy.stats import rankdata

        has = ~np.isnan(self.values)
        sums = np.where(has, self.values, 0.0).sum(axis=2)
        means = np.where(has.any(axis=2), sums / np.maximum(has.sum(axis=2), 1), np.nan)
        sign = 1.0 if self.measure.smaller_is_better else -1.0
        # (S, n); mixes without a score on a set have no rank on it.
        ranks = np.array([rankdata(sign * column, nan_policy="omit") for column in means.T])
        return dict(zip(self.mixes, ranks.mean(axis=0).tolist(), strict=True))


def scores_of(
    results: pl.DataFrame, measure: Measure, mixes: Sequence[str], model: str, budget: int
) -> Scores:
    """The scores of mixes by a measure.

    Args:
        results: of all mixes, columns of RESULTS_SCHEMA.
        measure: what is compared.
        mixes: their names, in the order wanted.
        model: language_model or trigram.
        budget: training tokens of the settings.
    """
    rows = results.filter(
        (pl.col("kind") == measure.kind)
        & (pl.col("model") == model)
        & (pl.col("budget") == budget)
        & pl.col("mix").is_in(list(mixes))
    )
    sets = tuple(measure.weights)
    seeds = tuple(rows["seed"].unique().sort().to_list())
    values = np.full((len(mixes), len(sets), len(seeds)), np.nan)
    place = ({name: k for k, name in enumerate(names)} for names in (mixes, sets, seeds))
    of_mix, of_set, of_seed = place
    # The metric that counts is written last.
    for metric in reversed(measure.metrics):
        found = rows.filter((pl.col("metric") == metric) & pl.col("set").is_in(sets))
        for mix, name, seed, value in found.select("mix", "set", "seed", "value").iter_rows():
            if value is not None and np.isfinite(value):
                values[of_mix[mix], of_set[name], of_seed[seed]] = value
    return Scores(measure, tuple(mixes), sets, seeds, values)
