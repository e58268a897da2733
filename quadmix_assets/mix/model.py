"""Loads what decides the mix: theta*, normalisers and calibration, with their fingerprints."""

from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.mix.calibration import RankCalibration
from quadmix_assets.mix.final_mix import MixModel
from quadmix_assets.mix.manifest import pinned_fingerprints
from quadmix_assets.outputs import RANK_CALIBRATION
from quadmix_assets.sampling import Theta
from quadmix_assets.sampling.theta_json import theta_from_json
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store


def read_calibration(store: Store, settings: Settings) -> tuple[Theta, RankCalibration]:
    """The theta* that the mix is made with, and its rank calibration.

    Raises:
        MissingOutputError: rank_calibration has not been made, or by an earlier version, which
            stored theta* in another shape.
    """
    path = store.path(RANK_CALIBRATION, "theta.json")
    stored = store.read_json(path)
    if "theta" not in stored:
        raise MissingOutputError(
            f"{path} has no key 'theta', as it was written by an earlier version: materialise the "
            "asset 'rank_calibration' again"
        )
    table = store.read_table(store.table_path(RANK_CALIBRATION))
    calibration = RankCalibration.from_frame(table, n_domains=len(settings.domain_names))
    return theta_from_json(stored["theta"]), calibration


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
