"""Measures the candidates for theta* by successive halving: what wins is theta*.

A heat trains the best candidates so far of all objectives as one batch, with seeds that are new to
all of them. A run that was killed finds the stacks that are done and goes on.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.corpus.target_sets import SEARCH
from quadmix_assets.outputs import UNFINISHED_VERIFICATION, VERIFICATION
from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.proxies.measure import with_measure
from quadmix_assets.search.by_seed import objective_by_seed, values_by_sample
from quadmix_assets.search.candidates import QUADMIX_PAPER, Candidate
from quadmix_assets.search.fresh_proxies import FreshProxies, fresh_proxies
from quadmix_assets.search.halving import Heat, best_of, plan_heats
from quadmix_assets.search.intervals import Mean
from quadmix_assets.search.noise import Noise, noise_of_objective, read_weighed
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.optimum import Chosen, read_candidates, write_chosen
from quadmix_assets.settings import ObjectiveSettings, Settings
from quadmix_assets.store import Store
from quadmix_assets.training.progress import BatchProgress
from quadmix_assets.training.stacks import Sample
from quadmix_assets.training.train_samples import METRICS_SCHEMA

_LOG = logging.getLogger(__name__)
_NAMES = {
    "sample_id": pl.Int32,
    "objective": pl.String,
    "candidate": pl.String,
    "heat": pl.Int32,
    "seed": pl.Int32,
}
VERIFICATION_SCHEMA = {
    **{name: dtype for name, dtype in _NAMES.items() if name != "sample_id"},
    **{name: dtype for name, dtype in METRICS_SCHEMA.items() if name != "sample_id"},
}


@dataclass(eq=False)
class Contest:
    """The candidates of one objective, and what has been measured of them so far.

    Attributes:
        objective: fitted to the swarm.
        candidates: in the order in which they were named.
        heats: that it takes to find the winner.
        noise: of the objective, where thetas were repeated.
        prediction: of the search, as it is stored with the candidates.
        alive: the names that are left, best first.
        measured: by candidate and seed.
        heat_of: by candidate, the last heat that it was trained in, from 1; 0 without training.
    """

    objective: Objective
    candidates: Sequence[Candidate]
    heats: Sequence[Heat]
    noise: Noise | None
    prediction: dict[str, Any]
    alive: list[str]
    measured: dict[str, dict[int, float]] = field(default_factory=dict)
    heat_of: dict[str, int] = field(default_factory=dict)

    def start_heat(self, number: int) -> tuple[list[str], tuple[int, ...]]:
        """The candidates and seeds of a heat, counted from 0; none if there is no such heat."""
        if number >= len(self.heats):
            return [], ()
        heat = self.heats[number]
        if number:
            self.alive = self._eligible
        self.alive = best_of(self.alive, self.measured, heat.n_candidates)
        self.heat_of |= dict.fromkeys(self.alive, number + 1)
        return self.alive, heat.seeds

    def add(self, losses: pl.DataFrame) -> None:
        """Take over losses: columns sample, which is the candidate, seed, target and so on."""
        found = values_by_sample(objective_by_seed(losses, self.objective))
        for name, values in found.items():
            self.measured.setdefault(name, {}).update(values)

    @property
    def _eligible(self) -> list[str]:
        """Those that are left and may win: those within the evidence, unless there is none."""
        within = {one.name for one in self.candidates if one.is_within_evidence}
        return [name for name in self.alive if name in within] or self.alive

    @property
    def winner(self) -> str:
        """The best of the candidates that are left; without a measurement the search's own."""
        return best_of(self._eligible, self.measured, 1)[0] if self.heats else self.alive[0]

    def chosen(self, name: str) -> Chosen:
        """A candidate with its measurement; its prediction is corrected by the repeats."""
        candidate = next(one for one in self.candidates if one.name == name)
        values = np.array(list(self.measured.get(name, {}).values()))
        offset = self.noise.offset.value if self.noise is not None else 0.0
        return Chosen(candidate, candidate.predicted + offset, Mean.of(values))

    def ranking(self) -> pl.DataFrame:
        """One row per candidate, the winner first.

        Columns candidate, heat (the last one), seeds, mean, low, high (null with fewer than two
        seeds), behind (by how much it is worse than the winner over the seeds that both have),
        predicted (for other seeds than the swarm's), optimism, outside (of the range of the
        trained thetas, so that it cannot win).
        """
        by_heat = sorted(
            (one.name for one in self.candidates), key=lambda name: -self.heat_of.get(name, 0)
        )
        best = self.measured.get(self.winner, {})
        rows = []
        for heat in sorted(set(self.heat_of.values()), reverse=True) or [0]:
            of_heat = [name for name in by_heat if self.heat_of.get(name, 0) == heat]
            for name in best_of(of_heat, self.measured, len(of_heat)):
                rows.append(self._row(name, heat, best))
        return pl.DataFrame(rows, infer_schema_length=None)

    def _row(self, name: str, heat: int, best: Mapping[int, float]) -> dict[str, Any]:
        chosen, values = self.chosen(name), self.measured.get(name, {})
        mean = chosen.measured
        behind = [values[seed] - best[seed] for seed in values if seed in best]
        return {
            "candidate": name,
            "heat": heat,
            "seeds": mean.seeds,
            "mean": mean.value if mean.seeds else None,
            "low": mean.low if mean.seeds > 1 else None,
            "high": mean.high if mean.seeds > 1 else None,
            "behind": float(np.mean(behind)) if behind else None,
            "predicted": chosen.predicted,
            "optimism": chosen.optimism,
            "outside": not chosen.candidate.is_within_evidence,
        }


def verify(
    store: Store, settings: Settings, on_progress: Callable[[BatchProgress], None]
) -> dict[str, Contest]:
    """Measure the candidates of every objective, store what was measured and theta* of each.

    Returns:
        The contests by objective, decided.

    Raises:
        MissingOutputError: the search has not been done, or another input is not there.
        ValueError: the search was done for other criteria or domains.
        RuntimeError: a worker process died, or a single proxy does not fit in memory.
    """
    weighed, evidence, repeats = read_weighed(store, settings)
    contests = {
        wanted.name: _open(store, settings, wanted, evidence, repeats)
        for wanted in weighed.objectives
    }
    tables = [pl.DataFrame(schema=VERIFICATION_SCHEMA)]
    n_heats = max(len(contest.heats) for contest in contests.values())
    if n_heats:
        with fresh_proxies(store, settings, VERIFICATION) as proxies:
            for number in range(n_heats):
                tables.append(_heat(proxies, contests, number, on_progress))
    store.write_table(store.table_path(VERIFICATION), pl.concat(tables))
    for name, contest in contests.items():
        winner, paper = contest.chosen(contest.winner), contest.chosen(QUADMIX_PAPER)
        write_chosen(store, settings, name, winner, paper, contest.prediction)
    store.remove_folder(store.root / UNFINISHED_VERIFICATION)
    return contests


def _open(
    store: Store,
    settings: Settings,
    wanted: ObjectiveSettings,
    evidence: Evidence,
    repeats: pl.DataFrame,
) -> Contest:
    candidates, prediction = read_candidates(store, settings, wanted.name)
    noise = noise_of_objective(evidence, repeats, wanted)
    is_noisy = noise is not None and not noise.tells_thetas_apart
    is_contest = settings.search.verify.candidates > 1
    heats = plan_heats(
        settings.search.verify.heats,
        len(candidates) if is_contest else 1,
        seeds_factor=2 if is_noisy else 1,
    )
    return Contest(
        Objective.of(wanted, evidence.metrics),
        candidates,
        heats,
        noise,
        prediction,
        [one.name for one in candidates],
    )


def _heat(
    proxies: FreshProxies,
    contests: Mapping[str, Contest],
    number: int,
    on_progress: Callable[[BatchProgress], None],
) -> pl.DataFrame:
    """Train the candidates of one heat, and take their objectives over into the contests."""
    names: list[tuple[int, str, str, int, int]] = []
    samples: list[Sample] = []
    for objective, contest in contests.items():
        thetas = {one.name: one.theta for one in contest.candidates}
        alive, seeds = contest.start_heat(number)
        for candidate in alive:
            for k in seeds:
                chosen = proxies.select(candidate, thetas[candidate], k)
                samples.append(proxies.sample(len(samples), chosen, k))
                names.append((len(names), objective, candidate, number + 1, k))
    _LOG.info("heat %d of the verification: %d proxies", number + 1, len(samples))
    metrics = proxies.train(
        samples,
        parts=(SEARCH,),
        unfinished_folder=proxies.store.root / UNFINISHED_VERIFICATION,
        on_progress=on_progress,
    )
    table = pl.DataFrame(names, schema=_NAMES, orient="row").join(
        metrics, on="sample_id", maintain_order="left_right"
    )
    measured = with_measure(table, proxies.settings)
    for objective, contest in contests.items():
        of_objective = measured.filter(pl.col("objective") == objective)
        contest.add(of_objective.rename({"candidate": "sample"}))
        if contest.measured:
            _LOG.info(
                "%s: best of %d candidates after heat %d: %s, %s %s",
                objective,
                len(contest.alive),
                number + 1,
                best := best_of(contest.alive, contest.measured, 1)[0],
                contest.chosen(best).measured,
                contest.objective.unit,
            )
    return table.select(list(VERIFICATION_SCHEMA))
