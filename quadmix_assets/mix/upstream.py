"""What the rule of a mix depends on, from the pool's scores to theta*."""

from collections.abc import Iterator

from quadmix_assets.outputs import (
    CLIMB_PROXIES,
    DOMAIN_PROXIES,
    NEAR_DUPLICATES,
    OPTIMAL_PARAMS,
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_METRICS,
    PROXY_POOL,
    PROXY_REPEATS,
    REFERENCE_POOL,
    REFINEMENT,
    REGRESSOR,
    SCORED_REFERENCE_POOL,
    SELECTION_RULE,
    TARGET_SETS,
    VERIFICATION,
    mix_of,
    mix_output,
)
from quadmix_assets.settings import NamedMix, Settings

# What is made again when the search is made again, by asset; of assets of mixes, by what they are.
_MADE_FROM = {
    SCORED_REFERENCE_POOL: (REFERENCE_POOL,),
    PROXY_POOL: (SCORED_REFERENCE_POOL,),
    PROXY_METRICS: (TARGET_SETS, PROXY_POOL, PARAMETER_SETS, PROXY_EVALUATION),
    REGRESSOR: (PROXY_METRICS, REFINEMENT, PROXY_REPEATS),
    OPTIMAL_PARAMS: (REGRESSOR,),
    VERIFICATION: (OPTIMAL_PARAMS,),
    DOMAIN_PROXIES: (TARGET_SETS, PROXY_POOL),
    CLIMB_PROXIES: (DOMAIN_PROXIES,),
}


def upstream_of(settings: Settings, mix: NamedMix) -> list[str]:
    """The assets that the rule of a mix depends on and that are made once, parents first.

    Those of the pool's scores are among them; rules of other mixes too, where the mix has their
    size.
    """
    found: dict[str, None] = {}
    for asset in (SCORED_REFERENCE_POOL, *parents_of_rule(settings, mix)):
        found.update(dict.fromkeys(_with_parents(settings, asset)))
    return list(found)


def parents_of_rule(settings: Settings, mix: NamedMix) -> list[str]:
    """What the rule of a mix is fitted on besides scores: assets, and rules of other mixes."""
    other = settings.size_taken_from(mix)
    rules = [mix_output(other, SELECTION_RULE)] if other is not None else []
    duplicates = [NEAR_DUPLICATES] if mix.drop_duplicates else []
    return [*mix.fitted_on, *duplicates, *rules]


def _with_parents(settings: Settings, asset: str) -> Iterator[str]:
    part = mix_of(asset)
    if part is not None and part[1] == SELECTION_RULE:
        yield from upstream_of(settings, settings.mix_named(part[0]))
    for parent in _MADE_FROM.get(part[1] if part is not None else asset, ()):
        yield from _with_parents(settings, parent)
    yield asset
