"""How much of the differences between thetas is noise: measured by thetas that are trained again.

Losses of the swarm differ for two reasons: thetas differ, and so do draws and orders of reading.
What another seed changes for all thetas alike (initial weights) is no noise, as it leaves their
order alone; it is the offset between the swarm and other seeds, to which predictions are corrected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from quadmix_assets.proxies.evidence import Evidence, read_evidence
from quadmix_assets.proxies.repeats import read_repeats
from quadmix_assets.sampling.validation import FloatArray, check_floats
from quadmix_assets.search.intervals import CONFIDENCE
from quadmix_assets.search.metrics import Interval
from quadmix_assets.search.objective import Objective
from quadmix_assets.settings import ObjectiveSettings, Settings
from quadmix_assets.store import Store

LEAST_RELIABILITY = 0.3
"""Below it a target set is said not to tell thetas apart."""
_TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


@dataclass(frozen=True)
class Noise:
    """The noise of one loss or objective, in its unit; intervals are of 90 %.

    Attributes:
        noise: standard deviation of one training of a theta, without what a seed changes for all.
        spread: standard deviation between thetas of the first round, without the noise.
        reliability: share of the variance within the first round that is not noise, 0 to 1.
        offset: mean of the repeats less the swarm's proxies of the same thetas: what is added to a
            prediction, which carries the swarm's seed, to compare it with other seeds.
        n_thetas: thetas that were repeated.
        n_repeats: further trainings of each.
    """

    noise: Interval
    spread: float
    reliability: Interval
    offset: Interval
    n_thetas: int
    n_repeats: int

    @property
    def tells_thetas_apart(self) -> bool:
        """Whether its reliability is at least LEAST_RELIABILITY."""
        return self.reliability.value >= LEAST_RELIABILITY


def measure_noise(swarm: ArrayLike, repeated: ArrayLike) -> Noise:
    """The noise of a loss, from a swarm and some of its thetas that were trained again.

    Thetas and repetitions are the two ways of an analysis of variance; what is left of a loss
    without the mean of its theta and that of its repetition is noise. Intervals are those of
    normal errors: by the distributions of chi squared (noise), F (reliability) and Student's t
    (offset, over the repeated thetas).

    Args:
        swarm: (n,) losses of the first round, n at least 2.
        repeated: (T, K) of T thetas at least 2, and K trainings of each at least 2; the first
            column is the swarm's.

    Raises:
        ValueError: too few thetas or trainings, or a value that is NaN or infinite.
    """
    from scipy import stats

    losses = check_floats("swarm", swarm, (None,))
    trainings = check_floats("repeated", repeated, (None, None))
    n_thetas, n_trainings = trainings.shape
    if min(n_thetas, n_trainings, len(losses)) < 2:
        raise ValueError(
            f"{n_thetas} thetas, {n_trainings} trainings of each and a swarm of {len(losses)}: "
            "noise is measured with 2 or more of each"
        )
    left = (
        trainings
        - trainings.mean(axis=1, keepdims=True)
        - trainings.mean(axis=0, keepdims=True)
        + trainings.mean()
    )
    freedom = (n_thetas - 1) * (n_trainings - 1)
    variance_of_noise = float((left**2).sum()) / freedom
    variance = float(losses.var(ddof=1))
    chi = stats.chi2.ppf(_TAILS, freedom)
    ratio = variance_of_noise / variance if variance > 0 else 1.0
    low, high = ratio / stats.f.ppf(_TAILS[::-1], freedom, len(losses) - 1)
    differences = trainings[:, 1:].mean(axis=1) - trainings[:, 0]
    half = stats.t.ppf(_TAILS[1], n_thetas - 1) * differences.std(ddof=1) / np.sqrt(n_thetas)
    offset = float(differences.mean())
    return Noise(
        noise=Interval(
            variance_of_noise**0.5,
            float((variance_of_noise * freedom / chi[1]) ** 0.5),
            float((variance_of_noise * freedom / chi[0]) ** 0.5),
        ),
        spread=max(variance - variance_of_noise, 0.0) ** 0.5,
        reliability=Interval(*(min(max(1.0 - share, 0.0), 1.0) for share in (ratio, high, low))),
        offset=Interval(offset, offset - float(half), offset + float(half)),
        n_thetas=n_thetas,
        n_repeats=n_trainings - 1,
    )


def noise_of_targets(
    evidence: Evidence, repeats: pl.DataFrame, targets: Sequence[str]
) -> dict[str, Noise]:
    """The noise of the loss on every target set, in nats per token.

    Args:
        evidence: the losses of the swarm.
        repeats: of some of its thetas, as `read_repeats` gives them.
        targets: names of target sets.

    Returns:
        By target set; empty where fewer than two thetas have been repeated.
    """
    rows, trainings = _trainings(evidence, repeats, targets)
    if len(rows) < 2:
        return {}
    first = evidence.rounds == 0
    return {
        target: measure_noise(evidence.losses(target)[first], trainings[target])
        for target in targets
    }


def noise_of_objective(
    evidence: Evidence, repeats: pl.DataFrame, wanted: ObjectiveSettings
) -> Noise | None:
    """The noise of an objective, in its unit; None where fewer than two thetas were repeated."""
    targets = list(wanted.targets)
    rows, trainings = _trainings(evidence, repeats, targets)
    if len(rows) < 2:
        return None
    objective = Objective.of(wanted, evidence.metrics)
    losses = objective.value({target: evidence.losses(target) for target in targets})
    return measure_noise(losses[evidence.rounds == 0], objective.value(trainings))


def table_of_noise(noise: Mapping[str, Noise]) -> pl.DataFrame:
    """One row per target set or objective, for reading; intervals are written out."""
    return pl.DataFrame(
        [
            {
                "of": name,
                "noise": str(found.noise),
                "spread_of_thetas": found.spread,
                "reliability": str(found.reliability),
                "offset_of_other_seeds": str(found.offset),
                "thetas": found.n_thetas,
                "repeats": found.n_repeats,
            }
            for name, found in noise.items()
        ]
    )


def read_weighed(store: Store, settings: Settings) -> tuple[Settings, Evidence, pl.DataFrame]:
    """The settings with their objectives weighed, and the evidence and repeats that weigh them.

    Raises:
        MissingOutputError: there is no evidence.
        ValueError: as in `weighed_by_reliability`.
    """
    evidence, repeats = read_evidence(store, settings), read_repeats(store, settings)
    return weighed_by_reliability(settings, evidence, repeats), evidence, repeats


def weighed_by_reliability(
    settings: Settings, evidence: Evidence, repeats: pl.DataFrame
) -> Settings:
    """The settings with the weights of those objectives adjusted that ask for it.

    The weights of target sets are multiplied by their reliability; one of reliability 0 is left
    out. While no theta has been repeated, weights stay as they are.

    Raises:
        ValueError: no target set of an objective can tell thetas apart at all.
    """
    if not any(objective.weigh_by_reliability for objective in settings.objectives):
        return settings
    adjusted = tuple(
        _adjusted(objective, noise_of_targets(evidence, repeats, list(objective.targets)))
        if objective.weigh_by_reliability
        else objective
        for objective in settings.objectives
    )
    search = settings.search.model_copy(update={"objectives": adjusted})
    return settings.model_copy(update={"search": search})


def _adjusted(objective: ObjectiveSettings, noise: Mapping[str, Noise]) -> ObjectiveSettings:
    if not noise:
        return objective
    weights = {
        target: weight * noise[target].reliability.value
        for target, weight in objective.targets.items()
    }
    left = {target: weight for target, weight in weights.items() if weight > 0}
    if not left:
        raise ValueError(
            f"the losses on all target sets of the objective {objective.name!r} "
            f"({', '.join(weights)}) differ by noise alone, so that nothing is left to weigh: "
            "train proxies longer (proxies.training.n_tokens_per_proxy), or set its "
            "weigh_by_reliability to false"
        )
    return objective.model_copy(update={"targets": left})


def _trainings(
    evidence: Evidence, repeats: pl.DataFrame, targets: Sequence[str]
) -> tuple[list[int], dict[str, FloatArray]]:
    """The repeated thetas (T) of which every training succeeded, and (T, K) losses by target set.

    Thetas are given by their rows in `evidence`; the first of the K columns is the swarm.
    """
    trained = repeats.filter(pl.col("target").is_in(list(targets)))
    failed = set(trained.filter(pl.col("status") == "failed")["theta_id"])
    ids = [k for k in trained["theta_id"].unique().sort() if k not in failed]
    rows = [int(row) for k in ids for row in np.flatnonzero(evidence.theta_ids == k)]
    kept = trained.filter(pl.col("theta_id").is_in(evidence.theta_ids[rows].tolist()))
    losses = {}
    for target in targets:
        again = kept.filter(pl.col("target") == target).sort("theta_id", "seed")
        values = again["loss_nats"].to_numpy().reshape(len(rows), -1) if rows else np.empty((0, 0))
        losses[target] = np.column_stack([evidence.losses(target)[rows], values])
    return rows, losses
