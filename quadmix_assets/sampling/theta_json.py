"""A theta as JSON, which keeps float64 exactly. Files hold it under the key `theta`."""

from typing import Any

import numpy as np

from quadmix_assets.sampling.parameters import Theta


def theta_from_json(value: dict[str, Any]) -> Theta:
    """The inverse of `theta_to_json`; without a scale it is 1, as in the paper's space."""
    arrays = {name: value[name] for name in Theta._fields if name in value}
    return Theta(**{name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()})


def theta_to_json(theta: Theta) -> dict[str, Any]:
    """The arrays of a theta by name, as nested lists of numbers."""
    return {name: np.asarray(array).tolist() for name, array in theta._asdict().items()}
