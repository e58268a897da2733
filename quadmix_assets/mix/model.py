"""Loads what determines the mix: theta*, normalizers and calibration, with their fingerprints."""

from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.mix.calibrate_pool import read_calibration
from quadmix_assets.mix.final_mix import MixModel
from quadmix_assets.mix.manifest import pinned_fingerprints
from quadmix_assets.outputs import FINAL_MIX
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store


def load_mix_model(store: Store, settings: Settings) -> MixModel:
    """Everything that determines the mix.

    Raises:
        MissingOutputError: theta*, a normalizer or the calibration has not been made.
    """
    theta, calibration = read_calibration(store, settings)
    return MixModel(
        criteria=settings.criterion_names,
        domain_names=settings.domain_names,
        normalizers=load_normalizers(store, settings.criterion_names),
        theta=theta,
        calibration=calibration,
        seed=derive_seed(settings.seed, FINAL_MIX),
        fingerprints=pinned_fingerprints(store),
    )
