"""A theta as JSON, which keeps float64 exactly."""

from typing import Any

import numpy as np

from quadmix_assets.sampling import Theta

_THETA_FIELDS = ("alpha", "lam", "omega", "eta", "epsilon")


def theta_from_json(value: dict[str, Any]) -> Theta:
    """A theta from its lists of numbers."""
    return Theta(**{name: np.asarray(value[name], dtype=np.float64) for name in _THETA_FIELDS})


def theta_to_json(theta: Theta) -> dict[str, Any]:
    """A theta as lists of numbers; JSON keeps float64 exactly."""
    return {name: np.asarray(getattr(theta, name)).tolist() for name in _THETA_FIELDS}
