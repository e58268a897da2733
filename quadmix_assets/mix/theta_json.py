"""A theta as JSON, which keeps float64 exactly."""

from typing import Any

import numpy as np

from quadmix_assets.sampling import Theta


def theta_from_json(value: dict[str, Any]) -> Theta:
    """A theta from its lists of numbers; other keys are not looked at."""
    arrays = {name: value[name] for name in Theta._fields if name in value}
    return Theta(**{name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()})


def theta_to_json(theta: Theta) -> dict[str, Any]:
    """A theta as lists of numbers; the scale of the paper's space, None, is left out."""
    present = {name: array for name, array in theta._asdict().items() if array is not None}
    return {name: np.asarray(array).tolist() for name, array in present.items()}
