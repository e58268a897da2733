"""Iterated rounds of proxies of domain weights, as Nemotron-CLIMB trains them.

Diao et al. 2025, arXiv:2504.13161: a predictor is fitted to the weights and losses of all rounds so
far, and the next round trains some of the weightings that it predicts best. The first round are the
`domain_proxies`, which all mixes share; the domains of the settings stand for CLIMB's clusters.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.outputs import CLIMB_PROXIES, DOMAIN_PROXIES, mix_output
from quadmix_assets.proxies.domain_proxies import (
    DomainEvidence,
    domain_evidence,
    domain_proxies_version,
    domain_tokens,
    read_domain_proxies,
    train_weights,
)
from quadmix_assets.proxies.domain_weights import draw_weights
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.domain_search import best_rows, fit_predictor, measured_objective
from quadmix_assets.search.objective import objective_named
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store, read_reusable
from quadmix_assets.training.progress import BatchProgress

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClimbRounds:
    """The further rounds of one mix.

    Attributes:
        objective: name of the objective that the predictor learns.
        n: proxies of every further round.
        n_points: weightings that are drawn and predicted before a round.
        shortlist: how many of the best predicted ones a round chooses from at random.
        seed: of predictors, drawn weightings and choices.
    """

    objective: str
    n: tuple[int, ...]
    n_points: int
    shortlist: int
    seed: int


def train_climb(
    store: Store,
    settings: Settings,
    mix: str,
    rounds: ClimbRounds,
    on_progress: Callable[[int, BatchProgress], None],
) -> pl.DataFrame:
    """Train the further rounds of a mix, one after the other, and store their losses.

    The losses of a round are stored when it is done, so that a run that was killed goes on there.

    Args:
        store, settings: of the project.
        mix: its name, where the rounds are stored.
        rounds: sizes of the rounds, and the objective.
        on_progress: called with the number of the round, from 1, and its progress.

    Returns:
        One row per mixture and target set: `round` from 1, and the columns of `domain_proxies`.

    Raises:
        MissingOutputError: `domain_proxies` or another input is not there, or of other inputs.
        ValueError: there are too few proxies to fit a predictor to.
        RuntimeError: a worker process died, or a single proxy does not fit in memory.
    """
    asset = mix_output(mix, CLIMB_PROXIES)
    unfinished = store.root / f"{asset}_unfinished"
    version = climb_version(store, settings, rounds)
    first = _first_round(store, settings)
    tokens = domain_tokens(store, settings)
    done: list[pl.DataFrame] = []
    for number, n in enumerate(rounds.n, start=1):
        path = unfinished / f"round-{number}.parquet"
        table = _finished(store, path, version)
        if table is None:
            known = pl.concat([first, *(each.drop("round") for each in done)])
            evidence = domain_evidence(known, settings)
            table = train_weights(
                store,
                settings,
                propose_weights(settings, rounds, evidence, tokens, number),
                first_id=first["mixture_id"].n_unique() + sum(rounds.n[: number - 1]),
                unfinished_folder=unfinished / f"round-{number}",
                on_progress=partial(on_progress, number),
            )
            table = table.select(pl.lit(number, pl.Int32).alias("round"), pl.all())
            store.write_table(path, table, {"version": version})
            _LOGGER.info("round %d of %d: %d proxies trained", number, len(rounds.n), n)
        done.append(table)
    rows = pl.concat(done)
    store.write_table(climb_path(store, mix), rows, {"version": version})
    store.remove_folder(unfinished)
    return rows


def propose_weights(
    settings: Settings,
    rounds: ClimbRounds,
    evidence: DomainEvidence,
    n_tokens: FloatArray,
    number: int,
) -> FloatArray:
    """The weightings (n, M) of a further round, from the losses of all earlier ones.

    `rounds.shortlist` of `rounds.n_points` drawn weightings are predicted best; n of them, chosen
    at random, are trained.

    Args:
        settings: objective, distributions of weights.
        rounds: sizes of the rounds.
        evidence: of all earlier rounds.
        n_tokens: (M,) tokens of each domain of the proxy pool.
        number: of the round, from 1.

    Raises:
        ValueError: there are too few proxies to fit a predictor to.
    """
    options = settings.proxies.domain_weights
    wanted = objective_named(settings.objectives, rounds.objective)
    seed = derive_seed(rounds.seed, f"round {number}")
    measured, _ = measured_objective(evidence, wanted)
    predictor = fit_predictor(
        evidence.weights, measured, seed=seed % 2**31, threads=settings.search.n_threads
    )
    size = options.pool_share * float(n_tokens.sum())
    drawn = draw_weights(rounds.n_points, n_tokens, options, size=size, seed=seed)
    shortlist = best_rows(predictor, drawn, rounds.shortlist)
    n = rounds.n[number - 1]
    chosen = np.random.default_rng([seed, 1]).choice(len(shortlist), size=n, replace=False)
    return drawn[[shortlist[k] for k in np.sort(chosen)]]


def read_climb(store: Store, settings: Settings, mix: str, rounds: ClimbRounds) -> DomainEvidence:
    """The losses of the first and all further rounds of a mix, on the present inputs.

    Raises:
        MissingOutputError: they have not been trained, or from other inputs than the present ones.
    """
    path = climb_path(store, mix)
    if store.summary(path).get("version") != climb_version(store, settings, rounds):
        asset = mix_output(mix, CLIMB_PROXIES)
        raise MissingOutputError(
            f"{path} was made from other proxies of the first round, or with other rounds, than "
            f"the present ones: materialise the asset {asset!r} again"
        )
    further = store.read_table(path).drop("round")
    return domain_evidence(pl.concat([_first_round(store, settings), further]), settings)


def table_of_rounds(
    store: Store, settings: Settings, mix: str, rounds: ClimbRounds
) -> pl.DataFrame:
    """Per round, from 0, the objective of its proxies: round, proxies, mean, best.

    Raises:
        MissingOutputError: as in `read_climb`.
    """
    evidence = read_climb(store, settings, mix, rounds)
    wanted = objective_named(settings.objectives, rounds.objective)
    measured, _ = measured_objective(evidence, wanted)
    numbers = store.read_table(climb_path(store, mix), ["mixture_id", "round"]).unique()
    return (
        pl.DataFrame({"mixture_id": evidence.mixture_ids.astype(np.int32), "objective": measured})
        .join(numbers, on="mixture_id", how="left")
        .with_columns(pl.col("round").fill_null(0))
        .group_by("round")
        .agg(
            pl.len().alias("proxies"),
            pl.col("objective").mean().alias("mean"),
            pl.col("objective").min().alias("best"),
        )
        .sort("round")
    )


def climb_path(store: Store, mix: str) -> UPath:
    """The table of a mix's further rounds."""
    return store.path(mix_output(mix, CLIMB_PROXIES), f"{CLIMB_PROXIES}.parquet")


def climb_version(store: Store, settings: Settings, rounds: ClimbRounds) -> dict[str, str]:
    """All inputs that the weights and losses of further rounds depend on.

    Raises:
        MissingOutputError: one of the inputs has not been made.
    """
    objective = objective_named(settings.objectives, rounds.objective).model_dump(mode="json")
    measures = {target.name: target.measure for target in settings.targets}
    return {
        **domain_proxies_version(store, settings),
        DOMAIN_PROXIES: store.fingerprint(store.table_path(DOMAIN_PROXIES)),
        "rounds": json.dumps({**asdict(rounds), "objective": objective, "measures": measures}),
    }


def _first_round(store: Store, settings: Settings) -> pl.DataFrame:
    read_domain_proxies(store, settings)
    return store.read_table(store.table_path(DOMAIN_PROXIES))


def _finished(store: Store, path: UPath, version: dict[str, str]) -> pl.DataFrame | None:
    """The losses of a round that was done before a run ended, if they are of this version."""
    if not path.exists():
        return None
    if read_reusable(lambda: store.summary(path), "the round is trained again") != {
        "version": version
    }:
        return None
    return read_reusable(lambda: store.read_table(path), "the round is trained again")
