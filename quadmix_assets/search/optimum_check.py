"""Compares theta* with baselines by training proxies on the sample of each.

All train on the proxy pool with the proxies' recipe, with several seeds each: theta* of every
objective, the best theta of the first round (trained again, as the lowest of many noisy
measurements is too low), documents drawn at random, and the best documents by each single
criterion. The last two have as many tokens as the sample of the theta* that the mix is made with.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import t as student

from quadmix_assets.proxies.evidence import Evidence, read_evidence
from quadmix_assets.sampling import PoolDraw, Theta, uniform_of_ids
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.search.objective import Objective, objective_losses
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.settings import ObjectiveSettings, Settings
from quadmix_assets.store import Store
from quadmix_assets.training.stacks import Sample

UNIFORM = "uniform"
_CONFIDENCE = 0.9


def theta_star(objective: str) -> str:
    """The name of the sample of an objective's theta*."""
    return f"theta* ({objective})"


def best_of_first_round(objective: str) -> str:
    """The name of the sample of the theta of the first round with the lowest objective."""
    return f"best of the first round ({objective})"


def top_of(criterion: str) -> str:
    """The name of the sample of the best documents by one criterion."""
    return f"best by {criterion}"


@dataclass(frozen=True)
class Selection:
    """Documents (d,) of the proxy pool, ascending, and how often each is taken (d,)."""

    documents: IntArray
    copies: IntArray


def compared_thetas(store: Store, settings: Settings) -> tuple[dict[str, Theta], dict[str, float]]:
    """theta* and the best theta of the first round for every objective, with predicted objectives.

    The first round is Algorithm 1 alone, so that what search and refinement gain over it is
    measured. The prediction for its best theta is the objective of its proxy in the swarm.

    Raises:
        MissingOutputError: there is no evidence, or the search has not been done.
    """
    evidence = read_evidence(store, settings)
    thetas, predicted = {}, {}
    for wanted in settings.objectives:
        theta, prediction = read_optimum(store, settings, wanted.name)
        thetas[theta_star(wanted.name)] = theta
        predicted[theta_star(wanted.name)] = float(prediction["predicted"])
        best, measured = best_proxy_of_first_round(evidence, wanted)
        thetas[best_of_first_round(wanted.name)] = evidence.parameters[best]
        predicted[best_of_first_round(wanted.name)] = measured
    return thetas, predicted


def best_proxy_of_first_round(
    evidence: Evidence, objective: ObjectiveSettings
) -> tuple[int, float]:
    """The theta of the first round with the lowest objective: its row, and the objective."""
    losses = objective_losses(evidence.metrics, objective)
    of_first = np.where(evidence.rounds == evidence.rounds.min(), losses, np.inf)
    best = int(np.argmin(of_first))
    return best, float(losses[best])


def selections(
    draw: PoolDraw,
    id_hashes: np.ndarray,
    n_tokens: IntArray,
    sigma: Mapping[str, FloatArray],
    thetas: Mapping[str, Theta],
    *,
    reference: str,
    seed: int,
) -> dict[str, Selection]:
    """The documents that are trained on, by the name of the sample.

    Args:
        draw: over the proxy pool.
        id_hashes, n_tokens: (D,) of its documents.
        sigma: by criterion, (D,) normalized scores, smaller is better.
        thetas: by name.
        reference: the name of the theta whose sample has as many tokens as the random sample and
            the samples by one criterion get.
        seed: of the random sample.
    """
    found = {name: Selection(*draw.copies(theta)) for name, theta in thetas.items()}
    size = int((n_tokens[found[reference].documents] * found[reference].copies).sum())
    orders = {UNIFORM: uniform_of_ids(id_hashes, seed)}
    orders |= {top_of(criterion): scores for criterion, scores in sigma.items()}
    for name, scores in orders.items():
        order = np.lexsort((id_hashes, scores))
        n = int(np.searchsorted(np.cumsum(n_tokens[order]), size, side="right"))
        documents = np.sort(order[: max(n, 1)])
        found[name] = Selection(documents, np.ones(len(documents), np.int64))
    return found


def samples_of(
    chosen: Mapping[str, Selection], seeds: list[int]
) -> tuple[list[Sample], pl.DataFrame]:
    """Every selection with every seed, as samples to train on.

    Returns:
        The samples, and a table of their names: sample_id, sample, seed, which counts from 0.
    """
    pairs = [(name, k) for name in chosen for k in range(len(seeds))]
    samples = [
        Sample(number, chosen[name].documents, chosen[name].copies, seeds[k], seeds[k])
        for number, (name, k) in enumerate(pairs)
    ]
    table = pl.DataFrame(
        {
            "sample_id": range(len(pairs)),
            "sample": [name for name, _ in pairs],
            "seed": [k for _, k in pairs],
        },
        schema_overrides={"sample_id": pl.Int32, "seed": pl.Int32},
    )
    return samples, table


def objective_by_seed(losses: pl.DataFrame, objective: Objective) -> pl.DataFrame:
    """The objective of every sample and seed: columns sample, seed, value.

    Trainings that failed are left out.

    Args:
        losses: columns sample, seed, target, status, loss_nats.
        objective: fitted to the swarm.
    """
    wide = losses.filter(pl.col("status") == "trained").pivot(
        "target", index=["sample", "seed"], values="loss_nats", maintain_order=True
    )
    value = objective.value({t: wide[t].to_numpy() for t in objective.factors})
    return wide.select("sample", "seed").with_columns(value=pl.Series(value, dtype=pl.Float64))


def interval_of_mean(values: FloatArray) -> tuple[float, float, float]:
    """Mean of values (n,), low and high of its 90 % interval by Student's t; infinite for n = 1."""
    mean = float(values.mean())
    if len(values) < 2:
        return mean, -np.inf, np.inf
    half = student.ppf((1 + _CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1)
    half /= np.sqrt(len(values))
    return mean, mean - float(half), mean + float(half)


def check_table(by_seed: pl.DataFrame, predicted: Mapping[str, float]) -> pl.DataFrame:
    """The mean objective of each sample with its 90 % interval, and its prediction.

    Columns sample, mean, low, high, seeds (their number), predicted (NaN where there is none).
    """
    rows = []
    for name in by_seed["sample"].unique(maintain_order=True):
        values = by_seed.filter(pl.col("sample") == name)["value"].to_numpy()
        mean, low, high = interval_of_mean(values)
        rows.append(
            {
                "sample": name,
                "mean": mean,
                "low": low,
                "high": high,
                "seeds": len(values),
                "predicted": predicted.get(name, float("nan")),
            }
        )
    return pl.DataFrame(rows)


@dataclass(frozen=True)
class Verdict:
    """Whether one sample has a lower objective than another, seed by seed.

    Attributes:
        gain: by how much it is lower, mean over the seeds.
        low, high: 90 % interval of `gain`.
        won: in how many seeds it is lower.
        n: seeds that both were trained with.
    """

    gain: float
    low: float
    high: float
    won: int
    n: int

    def in_words(self, unit: str) -> str:
        """theta* against the best theta of the first round; `unit` is the objective's."""
        if self.n == 0:
            return "cannot be compared with the best theta of the first round: trainings failed"
        pairs = f"lower in {self.won} of {self.n} seeds"
        low, high = (self.low, self.high) if self.gain > 0 else (-self.high, -self.low)
        amount = (
            f"by {abs(self.gain):.4f} {unit} in the mean (90 % interval {low:.4f} to {high:.4f})"
        )
        if self.low > 0:
            return f"is better than the best theta of the first round: {pairs}, {amount}"
        if self.high < 0:
            return f"is worse than the best theta of the first round: {pairs}, higher {amount}"
        tendency = "lower" if self.gain > 0 else "higher"
        return (
            f"cannot be distinguished from the best theta of the first round: {pairs}, {tendency} "
            f"{amount}; more seeds (search.check_seeds) or longer training may decide it"
        )


def compare(by_seed: pl.DataFrame, mine: str, other: str) -> Verdict:
    """Compare two samples by the seeds that both were trained with."""
    wide = by_seed.filter(pl.col("sample").is_in([mine, other])).pivot(
        "sample", index="seed", values="value"
    )
    if mine not in wide.columns or other not in wide.columns:
        return Verdict(0.0, -np.inf, np.inf, 0, 0)
    wide = wide.drop_nulls()
    gains = (wide[other] - wide[mine]).to_numpy()
    if not len(gains):
        return Verdict(0.0, -np.inf, np.inf, 0, 0)
    mean, low, high = interval_of_mean(gains)
    return Verdict(mean, low, high, int((gains > 0).sum()), len(gains))
