"""Compares theta* with baselines by training proxies on the sample of each.

For every objective: theta*, the paper's theta, the best theta of the first round by the losses of
the swarm, documents drawn at random, and the best documents by each single criterion. All have as
many expected tokens as theta* (omegas are scaled), and all train on the proxy pool with the
proxies' recipe. Draws, orders and initial weights are fresh for each seed and common to all. What
decides is measured on the proof part of the target sets, by which nothing has been chosen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.corpus.target_sets import EVALUATED, PROOF, SEARCH
from quadmix_assets.outputs import OPTIMUM_CHECK
from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.proxies.measure import with_measure
from quadmix_assets.sampling import Theta, uniform_of_ids
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.by_seed import objective_by_seed, values_by_sample
from quadmix_assets.search.candidates import QUADMIX_PAPER
from quadmix_assets.search.equal_tokens import expected_tokens, with_expected_tokens
from quadmix_assets.search.fresh_proxies import FreshProxies, fresh_proxies
from quadmix_assets.search.intervals import Mean, Verdict, finite_or_none
from quadmix_assets.search.noise import noise_of_objective, read_weighed
from quadmix_assets.search.objective import Objective, objective_losses, objective_named
from quadmix_assets.search.optimum import read_optimum, read_paper
from quadmix_assets.settings import ObjectiveSettings, Settings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets.training.progress import BatchProgress
from quadmix_assets.training.selection import Selection
from quadmix_assets.training.stacks import Sample
from quadmix_assets.training.train_samples import METRICS_SCHEMA

THETA_STAR = "theta*"
BEST_OF_FIRST_ROUND = "best of the first round"
UNIFORM = "uniform"
UNFINISHED_CHECK = f"{OPTIMUM_CHECK}_unfinished"
_BEST_BY = "best by "
_NAMES = {
    "sample_id": pl.Int32,
    "objective": pl.String,
    "sample": pl.String,
    "seed": pl.Int32,
}
CHECK_SCHEMA = {
    **{name: dtype for name, dtype in _NAMES.items() if name != "sample_id"},
    **{name: dtype for name, dtype in METRICS_SCHEMA.items() if name != "sample_id"},
}


def best_by(criterion: str) -> str:
    """The name of the sample of the best documents by one criterion."""
    return f"{_BEST_BY}{criterion}"


@dataclass(frozen=True, eq=False)
class Compared:
    """What is compared for one objective.

    Attributes:
        thetas: by name, theta* first; those that are the same theta as theta* are left out.
        predicted: by name, the prediction for other seeds than the swarm's; for the best theta of
            the first round the objective of its proxy, corrected likewise.
        same_as_theta_star: the names that were left out for it.
        tokens: expected tokens of every sample.
    """

    thetas: Mapping[str, Theta]
    predicted: Mapping[str, float]
    same_as_theta_star: tuple[str, ...]
    tokens: float


def compared_thetas(
    store: Store,
    settings: Settings,
    wanted: ObjectiveSettings,
    evidence: Evidence,
    repeats: pl.DataFrame,
    n_tokens_per_domain: FloatArray,
) -> Compared:
    """theta* of an objective and what it is compared with, at one size.

    Args:
        store, settings: of the project.
        wanted: the objective, weighed.
        evidence: the measured losses of the swarm.
        repeats: of some of its thetas.
        n_tokens_per_domain: (M,) tokens of the proxy pool.

    Raises:
        MissingOutputError: the candidates have not been verified.
        ValueError: that was done for other criteria or domains.
    """
    noise = noise_of_objective(evidence, repeats, wanted)
    offset = noise.offset.value if noise is not None else 0.0
    theta_star, prediction = read_optimum(store, settings, wanted.name)
    paper, of_paper = read_paper(store, settings, wanted.name)
    best, measured = best_proxy_of_first_round(evidence, wanted)
    predicted = {
        THETA_STAR: float(prediction["predicted_for_other_seeds"]),
        QUADMIX_PAPER: float(of_paper["predicted_for_other_seeds"]),
        BEST_OF_FIRST_ROUND: measured + offset,
    }
    others = {QUADMIX_PAPER: paper, BEST_OF_FIRST_ROUND: evidence.parameters[best]}
    same = tuple(other for other, theta in others.items() if _same(theta, theta_star))
    tokens = expected_tokens(theta_star, n_tokens_per_domain)
    thetas = {THETA_STAR: theta_star} | {
        other: with_expected_tokens(theta, n_tokens_per_domain, tokens)
        for other, theta in others.items()
        if other not in same
    }
    return Compared(thetas, {name: predicted[name] for name in thetas}, same, tokens)


def best_proxy_of_first_round(
    evidence: Evidence, objective: ObjectiveSettings
) -> tuple[int, float]:
    """The theta of the first round with the lowest objective: its row, and the objective."""
    losses = objective_losses(evidence.metrics, objective)
    of_first = np.where(evidence.rounds == evidence.rounds.min(), losses, np.inf)
    best = int(np.argmin(of_first))
    return best, float(losses[best])


def _same(mine: Theta, other: Theta) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(mine[:5], other[:5], strict=True)) and bool(
        (np.asarray(mine.scale) == np.asarray(other.scale)).all()
    )


def selections(proxies: FreshProxies, compared: Compared, k: int) -> list[Selection]:
    """The documents that are trained on with the k-th seeds, one selection per sample.

    Random documents and the best by each criterion are whole documents, once each, up to the tokens
    of theta*.
    """
    documents = proxies.documents
    hashes, n_tokens = documents["id_hash"], documents["n_tokens"]
    orders = {UNIFORM: uniform_of_ids(hashes, proxies.seed_of(UNIFORM, k))}
    orders |= {
        best_by(name): documents[f"sigma_{name}"] for name in proxies.settings.criterion_names
    }
    return [
        *(proxies.select(name, theta, k) for name, theta in compared.thetas.items()),
        *(
            Selection.best(name, scores, hashes, n_tokens, tokens=compared.tokens)
            for name, scores in orders.items()
        ),
    ]


def train_check(
    store: Store, settings: Settings, on_progress: Callable[[BatchProgress], None]
) -> pl.DataFrame:
    """Train `search.check_seeds` proxies on every sample of every objective, and store the losses.

    Returns:
        One row per objective, sample, seed, target set and part: columns of CHECK_SCHEMA.

    Raises:
        MissingOutputError: an input is not there.
        ValueError: theta* is of other criteria or domains, or a target set holds no tokens.
        RuntimeError: a worker process died, or a single proxy does not fit in memory.
    """
    names: list[tuple[int, str, str, int]] = []
    samples: list[Sample] = []
    footer: dict[str, dict[str, object]] = {}
    weighed, evidence, repeats = read_weighed(store, settings)
    with fresh_proxies(store, settings, OPTIMUM_CHECK) as proxies:
        for wanted in weighed.objectives:
            compared = compared_thetas(
                store, settings, wanted, evidence, repeats, proxies.n_tokens_per_domain
            )
            footer[wanted.name] = {
                "predicted": dict(compared.predicted),
                "same_as_theta_star": list(compared.same_as_theta_star),
                "tokens": compared.tokens,
            }
            for k in range(settings.search.check_seeds):
                for selection in selections(proxies, compared, k):
                    samples.append(proxies.sample(len(samples), selection, k))
                    names.append((len(names), wanted.name, selection.name, k))
        metrics = proxies.train(
            samples,
            parts=EVALUATED,
            unfinished_folder=store.root / UNFINISHED_CHECK,
            on_progress=on_progress,
        )
    table = (
        pl.DataFrame(names, schema=_NAMES, orient="row")
        .join(metrics, on="sample_id", maintain_order="left_right")
        .select(list(CHECK_SCHEMA))
    )
    store.write_table(store.table_path(OPTIMUM_CHECK), table, footer)
    store.remove_folder(store.root / UNFINISHED_CHECK)
    return table


@dataclass(frozen=True)
class CheckResult:
    """What was measured for one objective.

    Attributes:
        objective: fitted to the swarm.
        on_search, on_proof: by sample and seed, the objective on that part of the target sets.
        predicted: by sample, for other seeds than the swarm's.
        same_as_theta_star: what was not trained, because theta* is that very theta.
        tokens: expected tokens of every sample.
    """

    objective: Objective
    on_search: Mapping[str, Mapping[int, float]]
    on_proof: Mapping[str, Mapping[int, float]]
    predicted: Mapping[str, float]
    same_as_theta_star: tuple[str, ...]
    tokens: float

    def mean(self, sample: str, part: str = PROOF) -> Mean:
        """The mean of a sample over its seeds, on one part."""
        values = {SEARCH: self.on_search, PROOF: self.on_proof}[part].get(sample, {})
        return Mean.of(np.array(list(values.values())))

    def gain_over(self, sample: str) -> Verdict:
        """How much lower theta* is than another sample, on the proof part."""
        return Verdict.of(self.on_proof.get(THETA_STAR, {}), self.on_proof.get(sample, {}))

    @property
    def best_criterion(self) -> str | None:
        """The sample of the best single criterion, chosen on the search part; None without any."""
        means = {
            name: self.mean(name, SEARCH).value
            for name in self.on_search
            if name.startswith(_BEST_BY)
        }
        return min(means, key=lambda name: means[name]) if means else None

    @property
    def optimism(self) -> float | None:
        """Predicted less measured of theta* on the search part; None if trainings failed."""
        mean = self.mean(THETA_STAR, SEARCH)
        return self.predicted[THETA_STAR] - mean.value if mean.seeds else None

    def table(self) -> pl.DataFrame:
        """One row per sample: its means with 90 % intervals, and what theta* gains over it.

        Columns sample, predicted (null where there is none), mean, low, high (on the proof part),
        gain, gain_low, gain_high (of theta* over it, on the proof part; null for theta* itself),
        seeds.
        """
        rows = []
        for name in self.on_proof:
            proof, gain = self.mean(name), self.gain_over(name).gain
            has_gain = name != THETA_STAR and gain.seeds > 0
            rows.append(
                {
                    "sample": name,
                    "predicted": self.predicted.get(name),
                    "mean": proof.value,
                    "low": finite_or_none(proof.low),
                    "high": finite_or_none(proof.high),
                    "gain": gain.value if has_gain else None,
                    "gain_low": finite_or_none(gain.low) if has_gain else None,
                    "gain_high": finite_or_none(gain.high) if has_gain else None,
                    "seeds": proof.seeds,
                }
            )
        return pl.DataFrame(rows, infer_schema_length=None)

    @property
    def passed(self) -> bool:
        """Whether the interval of the gain over the best of the first round is above zero."""
        return self.gain_over(BEST_OF_FIRST_ROUND).is_better

    def in_words(self) -> str:
        """theta* against everything that it was compared with, the first round first."""
        unit = self.objective.unit
        first = (
            f"is itself the {BEST_OF_FIRST_ROUND}"
            if BEST_OF_FIRST_ROUND in self.same_as_theta_star
            else self.gain_over(BEST_OF_FIRST_ROUND).in_words(
                "the best theta of the first round", unit
            )
        )
        words = [f"theta* of {self.objective.name!r} {first}"]
        others = [QUADMIX_PAPER, UNIFORM, *(name for name in self.on_proof if _is_criterion(name))]
        for name in others:
            if name in self.same_as_theta_star:
                words.append(f"it is {name}")
            elif name in self.on_proof:
                shown = "random documents" if name == UNIFORM else name
                if name == self.best_criterion:
                    shown = f"{name} (the best single criterion)"
                words.append(f"it {self.gain_over(name).in_words(shown, unit)}")
        return "; ".join(words)


def _is_criterion(sample: str) -> bool:
    return sample.startswith(_BEST_BY)


def read_check(store: Store, settings: Settings, name: str) -> CheckResult:
    """What was measured for the objective of that name.

    Raises:
        MissingOutputError: `optimum_check` has not been made, or not for this objective.
    """
    path = store.table_path(OPTIMUM_CHECK)
    footer = store.summary(path).get(name)
    if footer is None:
        raise MissingOutputError(
            f"{path} holds no comparison for the objective {name!r}: materialise the asset "
            "'optimum_check' again"
        )
    losses = with_measure(store.read_table(path).filter(objective=name), settings)
    weighed, evidence, _ = read_weighed(store, settings)
    objective = Objective.of(objective_named(weighed.objectives, name), evidence.metrics)

    def on(part: str) -> dict[str, dict[int, float]]:
        of_part = losses.filter(pl.col("part") == part)
        found = values_by_sample(objective_by_seed(of_part, objective))
        return {name: found.get(name, {}) for name in losses["sample"].unique(maintain_order=True)}

    return CheckResult(
        objective,
        on(SEARCH),
        on(PROOF),
        footer["predicted"],
        tuple(footer["same_as_theta_star"]),
        float(footer["tokens"]),
    )
