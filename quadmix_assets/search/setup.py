"""The search space and its constraints, as the settings say."""

from pathlib import Path

import numpy as np

from quadmix_assets.outputs import PROXY_POOL
from quadmix_assets.proxies.proxy_pool import tokens_of_whole_pool
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.constraints import Constraints
from quadmix_assets.search.space import ThetaSpace
from quadmix_assets.settings import ConstraintsSettings, Settings
from quadmix_assets.store import Store


def make_space(store: Store, settings: Settings) -> ThetaSpace:
    """The thetas that may be searched; their tokens are counted in the whole pool.

    Raises:
        MissingOutputError: the proxy pool, which knows the whole pool's tokens, is not there.
        InfeasibleError: no theta satisfies the constraints.
    """
    with store.local_folder(store.root / PROXY_POOL) as folder:
        n_tokens = tokens_of_whole_pool(Path(folder))
    return ThetaSpace(
        n_criteria=len(settings.criterion_names),
        n_domains=len(settings.domain_names),
        n_tokens=n_tokens,
        omega_max=settings.parameters.omega_max,
        lambda_prior=settings.parameters.lambda_prior,
        scale_max=settings.parameters.scale_max,
        constraints=make_constraints(settings, n_tokens),
    )


def make_constraints(settings: Settings, n_tokens: FloatArray) -> Constraints | None:
    """What thetas must satisfy over a pool of n_tokens (M,); None where nothing is asked for.

    Raises:
        InfeasibleError: no theta satisfies it.
    """
    asked = settings.search.constraints
    if asked == ConstraintsSettings():
        return None
    names = settings.domain_names
    domains = [asked.domains.get(name) for name in names]
    general = np.inf if asked.max_epochs is None else asked.max_epochs
    epochs = [d.max_epochs if d is not None else None for d in domains]
    shares = [
        (0.0, 1.0)
        if domain is None
        else (domain.min_share, domain.max_share)
        if domain.share is None
        else (domain.share, domain.share)
        for domain in domains
    ]
    return Constraints(
        domains=names,
        n_tokens=n_tokens,
        omega_max=settings.parameters.omega_max,
        scale_max=settings.parameters.scale_max,
        budget=asked.mix_tokens if asked.budget == "searched" else None,
        max_copies=asked.max_copies,
        max_epochs=np.array([general if value is None else value for value in epochs]),
        min_share=np.array([low for low, _ in shares]),
        max_share=np.array([high for _, high in shares]),
        domains_off=np.array([domain is not None and domain.off for domain in domains]),
        criteria_off=np.isin(settings.criterion_names, asked.criteria_off),
    )
