"""Calibrates ranks on the pool under theta*, stores both, and measures the drift of the pool."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from quadmix_assets.features.normalize_pool import drift, load_normalizers
from quadmix_assets.features.scored_documents import ScoredDocuments, read_scored
from quadmix_assets.mix.budget import expected_tokens, scale_to_budget
from quadmix_assets.mix.calibration import RankCalibration, merged_scores
from quadmix_assets.outputs import RANK_CALIBRATION
from quadmix_assets.sampling import Theta
from quadmix_assets.sampling.theta_json import theta_from_json, theta_to_json
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store

_THETA_FILE = "theta.json"


@dataclass(frozen=True)
class Calibrated:
    """The frozen theta* and rank calibration that a mix is made with.

    Attributes:
        theta: theta*, with its omegas scaled where the settings give the mix a budget.
        calibration: merged score -> rank under theta*.
        n_documents: documents of the pool that it was fitted on.
        expected_tokens: (M,) expected tokens of each domain in the mix.
        objective: the name of the objective that theta* minimises.
        mix_tokens: budget of the mix in tokens; None without one.
    """

    theta: Theta
    calibration: RankCalibration
    n_documents: int
    expected_tokens: np.ndarray
    objective: str
    mix_tokens: int | None


def calibrate_pool(
    store: Store,
    shards: Sequence[str],
    settings: Settings,
    *,
    objective: str | None = None,
    mix_tokens: int | None = None,
) -> Calibrated:
    """Freeze theta* of an objective and fit its rank calibration on the scored `shards`.

    Args:
        store: the lake.
        shards: the scored shards of the pool.
        settings: of the profile.
        objective: its name; None: that of the settings.
        mix_tokens: budget of the mix in tokens; None: that of the settings, if they have one.

    Raises:
        MissingOutputError: a shard has no scores or domains, or the search has not been done.
        ValueError: theta* was searched for other criteria or domains, or cannot meet the budget of
            the mix.
    """
    objective = objective if objective is not None else settings.mix_objective
    theta, prediction = read_optimum(store, settings, objective)
    pool, merged = _merged_pool(store, shards, settings, theta)
    calibration = RankCalibration.fit(
        merged,
        pool.domains,
        pool.n_tokens,
        n_domains=len(settings.domain_names),
        max_breakpoints=settings.mix.max_breakpoints,
    )
    ranks = calibration.ranks(merged, pool.domains)
    budget = mix_tokens if mix_tokens is not None else settings.search.constraints.mix_tokens
    if budget is not None:
        theta = scale_to_budget(theta, ranks, pool.domains, pool.n_tokens, budget)
    expected = expected_tokens(theta, ranks, pool.domains, pool.n_tokens)
    store.write_table(store.table_path(RANK_CALIBRATION), calibration.to_frame())
    store.write_json(
        store.path(RANK_CALIBRATION, _THETA_FILE),
        {
            "objective": objective,
            "mix_tokens": budget,
            "prediction": prediction,
            "expected_tokens": expected.tolist(),
            "theta": theta_to_json(theta),
        },
    )
    return Calibrated(theta, calibration, len(pool.ids), expected, objective, budget)


def read_calibration(store: Store, settings: Settings) -> tuple[Theta, RankCalibration]:
    """The theta* that the mix is made with, and its rank calibration.

    Raises:
        MissingOutputError: rank_calibration has not been made, or by an earlier version, which
            stored theta* in another format.
    """
    path = store.path(RANK_CALIBRATION, _THETA_FILE)
    stored = store.read_json(path)
    if "theta" not in stored:
        raise MissingOutputError(
            f"{path} has no key 'theta', as it was written by an earlier version: materialise the "
            "asset 'rank_calibration' again"
        )
    table = store.read_table(store.table_path(RANK_CALIBRATION))
    calibration = RankCalibration.from_frame(table, n_domains=len(settings.domain_names))
    return theta_from_json(stored["theta"]), calibration


def read_chosen(store: Store) -> dict[str, Any]:
    """What was chosen for the mix, and what the search predicted for it.

    Returns:
        `objective`, `mix_tokens` (None without a budget) and `prediction`.

    Raises:
        MissingOutputError: rank_calibration has not been made.
    """
    stored = cast(dict[str, Any], store.read_json(store.path(RANK_CALIBRATION, _THETA_FILE)))
    return {key: stored.get(key) for key in ("objective", "mix_tokens", "prediction")}


def calibration_drift(store: Store, shards: Sequence[str], settings: Settings) -> dict[str, float]:
    """Per domain that has documents, the largest error of a calibrated rank in the current pool.

    Args:
        store: the lake.
        shards: the scored shards of the current pool.
        settings: of the profile, for the names of criteria and domains.

    Raises:
        MissingOutputError: rank_calibration has not been made, or a shard has no scores.
    """
    theta, calibration = read_calibration(store, settings)
    pool, merged = _merged_pool(store, shards, settings, theta)
    ranks = calibration.ranks(merged, pool.domains)
    return {
        name: drift(ranks[members], merged[members], pool.n_tokens[members])
        for index, name in enumerate(settings.domain_names)
        if (members := pool.domains == index).any()
    }


def _merged_pool(
    store: Store, shards: Sequence[str], settings: Settings, theta: Theta
) -> tuple[ScoredDocuments, np.ndarray]:
    """The scored documents of the pool and their merged scores (D,)."""
    pool = read_scored(store, shards, settings.criterion_names, settings.domain_names)
    normalizers = load_normalizers(store, settings.criterion_names)
    return pool, merged_scores(pool, normalizers, theta)
