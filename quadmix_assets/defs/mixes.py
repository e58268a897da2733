"""Groups `mix_<name>`: the assets and checks of every mix of the settings, made by a factory."""

import dagster as dg

from quadmix_assets.defs.benchmark_results import benchmark_results, result_checks
from quadmix_assets.defs.language_model import language_model, models_are_trained
from quadmix_assets.defs.mix_checks import manifest_checks
from quadmix_assets.defs.mix_documents import final_mix
from quadmix_assets.defs.mix_duplicates import duplicate_checks
from quadmix_assets.defs.mix_manifest import mix_manifest
from quadmix_assets.defs.mix_rule import rule_fits_the_pool, selection_rule
from quadmix_assets.defs.mix_search import own_assets
from quadmix_assets.defs.resources import SETTINGS
from quadmix_assets.settings import NamedMix, Settings


def mix_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The assets of all mixes, in the order of the settings."""
    return [asset for mix in settings.mixes for asset in _assets(settings, mix)]


def mix_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The checks of all mixes."""
    return [
        check
        for mix in settings.mixes
        for check in (
            rule_fits_the_pool(mix),
            *duplicate_checks(mix),
            *manifest_checks(settings, mix),
            *([models_are_trained(mix)] if settings.evidence.enabled else []),
            *(result_checks(settings, mix) if settings.evidence.enabled else ()),
        )
    ]


def _assets(settings: Settings, mix: NamedMix) -> list[dg.AssetsDefinition]:
    common = [selection_rule(settings, mix), final_mix(settings, mix), mix_manifest(mix)]
    evidence = (
        [language_model(mix), benchmark_results(settings, mix)] if settings.evidence.enabled else []
    )
    return [*own_assets(mix), *common, *evidence]


@dg.definitions
def mixes() -> dg.Definitions:
    """All mixes."""
    return dg.Definitions(assets=mix_assets(SETTINGS), asset_checks=mix_checks(SETTINGS))
