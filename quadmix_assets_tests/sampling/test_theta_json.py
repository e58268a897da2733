import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quadmix_assets.sampling import Theta
from quadmix_assets.sampling.theta_json import theta_from_json, theta_to_json

floats = st.floats(allow_nan=False, allow_infinity=False)


@given(st.data(), st.integers(1, 4), st.integers(1, 3))
def test_comes_back_from_text_to_the_last_bit(
    data: st.DataObject, n_domains: int, n_criteria: int
) -> None:
    alpha = data.draw(arrays(np.float64, (n_domains, n_criteria), elements=floats))
    beta = [data.draw(arrays(np.float64, n_domains, elements=floats)) for _ in range(5)]
    theta = Theta(alpha, *beta)
    again = theta_from_json(json.loads(json.dumps(theta_to_json(theta))))
    for name, values in theta._asdict().items():
        found = getattr(again, name)
        assert found.dtype == np.float64
        assert found.shape == values.shape
        assert found.tobytes() == values.tobytes(), name


def test_whole_numbers_are_floats_again() -> None:
    text = '{"alpha": [[1]], "lam": [2], "omega": [0], "eta": [1], "epsilon": [0]}'
    theta = theta_from_json(json.loads(text))
    assert all(values.dtype == np.float64 for values in theta)
    assert theta.scale == 1.0
    assert theta.lam[0] == 2.0
