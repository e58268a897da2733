"""Constraints over a small pool, for tests."""

from typing import Any

import numpy as np

from quadmix_assets.sampling import Parameters, sample_parameters
from quadmix_assets.search.constraints import Constraints

N, M = 3, 5
TOKENS = np.array([1e6, 4e6, 2e5, 5e4, 0.0])
NAMES = ("law", "news", "food", "art", "unknown")


def constraints(names: tuple[str, ...] = NAMES, n_criteria: int = N, **changes: Any) -> Constraints:
    """Constraints that allow everything, but for the changes; limits of domains go by name."""
    m = len(names)
    values: dict[str, Any] = {
        "domains": names,
        "n_tokens": TOKENS,
        "omega_max": 0.5,
        "scale_max": 1.0,
        "budget": None,
        "max_copies": None,
        "max_epochs": np.full(m, np.inf),
        "min_share": np.zeros(m),
        "max_share": np.ones(m),
        "domains_off": np.zeros(m, bool),
        "criteria_off": np.zeros(n_criteria, bool),
    }
    for name in ("max_epochs", "min_share", "max_share"):
        for domain, value in changes.pop(name, {}).items():
            values[name][names.index(domain)] = value
    for domain in changes.pop("off", ()):
        values["domains_off"][names.index(domain)] = True
    return Constraints(**(values | changes))


def thetas(n: int = 20, seed: int = 0, **options: Any) -> Parameters:
    return sample_parameters(n, N, M, seed=seed, omega_max=0.5, **options)
