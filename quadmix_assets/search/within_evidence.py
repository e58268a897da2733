"""Whether theta* lies where proxies were trained, in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from quadmix_assets.outputs import PROXY_POOL
from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.proxies.proxy_pool import tokens_of_whole_pool
from quadmix_assets.sampling import Parameters, Theta
from quadmix_assets.search.fit import make_regressor_inputs
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.search.support import Support
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

WHAT_TO_DO = (
    "Predictions mean little there. Have the search stay within the evidence "
    "(search.stay_within_evidence) and make theta* again, or train proxies there first: a further "
    "round (refinement), or a prior that reaches it (parameters.omega_max). Where constraints "
    "force it outside, relax them"
)


def outside_evidence(
    store: Store, settings: Settings, evidence: Evidence, objectives: Sequence[str]
) -> dict[str, str]:
    """How far theta* of each objective lies outside the range of the trained thetas.

    Args:
        store: the lake, for theta* and the proxy pool.
        settings: of the project.
        evidence: the trained thetas.
        objectives: names.

    Returns:
        By objective a phrase that names the regressor inputs; empty where theta* lies within.

    Raises:
        MissingOutputError: there is no theta*, or no proxy pool.
        ValueError: theta* was searched for other criteria or domains than the settings name.
    """
    thetas = {name: read_optimum(store, settings, name)[0] for name in objectives}
    return thetas_outside_evidence(store, settings, evidence, thetas)


def thetas_outside_evidence(
    store: Store, settings: Settings, evidence: Evidence, thetas: Mapping[str, Theta]
) -> dict[str, str]:
    """How far thetas lie outside the range of the trained ones; phrases as `outside_evidence`.

    Raises:
        MissingOutputError: there is no proxy pool.
    """
    with store.local_folder(store.root / PROXY_POOL) as folder:
        n_tokens = tokens_of_whole_pool(Path(folder))
    inputs_of = make_regressor_inputs(store, settings)
    support = Support.of(evidence, inputs_of, n_tokens)
    stacked = Parameters.stack(list(thetas.values()))
    excess = support.excess(inputs_of(stacked), stacked, inputs_of)
    return {name: support.in_words(row) for name, row in zip(thetas, excess, strict=True)}
