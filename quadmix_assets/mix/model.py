"""Loads what decides the mix: theta*, normalisers and calibration, with their fingerprints."""

from typing import Any

from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.mix.calibration import RankCalibration
from quadmix_assets.mix.final_mix import MixModel
from quadmix_assets.mix.manifest import pinned_fingerprints
from quadmix_assets.mix.theta_json import theta_from_json
from quadmix_assets.outputs import OPTIMAL_PARAMS, RANK_CALIBRATION
from quadmix_assets.sampling import Theta
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store


def read_optimum(store: Store, settings: Settings, objective: str) -> tuple[Theta, dict[str, Any]]:
    """theta* of an objective, and what was predicted for it.

    Raises:
        MissingOutputError: the search has not been done.
        ValueError: it was done for other criteria or domains than the settings name now.
    """
    stored = store.read_json(store.path(OPTIMAL_PARAMS, f"{objective}.json"))
    for key, now in (
        ("criteria", list(settings.criterion_names)),
        ("domains", list(settings.domain_names)),
    ):
        if stored[key] != now:
            raise ValueError(
                f"optimal_params of {objective!r} was searched for the {key} {stored[key]}, the "
                f"settings name {now}: materialise everything from scored_shards on again"
            )
    return theta_from_json(stored["theta"]), stored["prediction"]


def read_calibration(store: Store, settings: Settings) -> tuple[Theta, RankCalibration]:
    """The theta* that the mix is made with, and its rank calibration.

    Raises:
        MissingOutputError: rank_calibration has not been made.
    """
    theta = theta_from_json(store.read_json(store.path(RANK_CALIBRATION, "theta.json")))
    table = store.read_table(store.table_path(RANK_CALIBRATION))
    return theta, RankCalibration.from_frame(table, n_domains=len(settings.domain_names))


def load_mix_model(store: Store, settings: Settings) -> MixModel:
    """Everything that decides the mix.

    Raises:
        MissingOutputError: a part has not been made.
    """
    theta, calibration = read_calibration(store, settings)
    return MixModel(
        criteria=settings.criterion_names,
        domain_names=settings.domain_names,
        normalizers=load_normalizers(store, settings.criterion_names),
        theta=theta,
        calibration=calibration,
        seed=derive_seed(settings.seed, "final_mix"),
        fingerprints=pinned_fingerprints(store),
    )
