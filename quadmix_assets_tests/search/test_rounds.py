import numpy as np
import polars as pl
import pytest

from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.sampling import Theta, sample_parameters
from quadmix_assets.search.find import domain_shares
from quadmix_assets.search.rounds import table_of_rounds
from quadmix_assets.settings import ObjectiveSettings


def test_gain_is_over_the_best_of_all_earlier_rounds() -> None:
    losses = [5.0, 4.0, 4.5, 4.25, 3.5, 3.75]
    metrics = pl.DataFrame(
        {
            "theta_id": range(6),
            "target": "planted",
            "status": "trained",
            "loss_nats": losses,
        }
    )
    rounds = np.array([0, 0, 1, 1, 2, 2])
    evidence = Evidence(metrics, np.arange(6), rounds, sample_parameters(6, 1, 1, seed=0), 0, 0)
    table = table_of_rounds(evidence, [ObjectiveSettings(name="one", targets={"planted": 1.0})])
    assert table.rows() == [
        ("one", 0, 2, 4.5, 4.0, None),
        ("one", 1, 2, 4.375, 4.25, pytest.approx(-0.25)),
        ("one", 2, 2, 3.625, 3.5, pytest.approx(0.5)),
    ]


def test_shares_are_of_the_tokens_that_are_taken() -> None:
    """With eta 0 a theta takes scale x omega of a domain's tokens, and epsilon of all."""
    ones, none = np.ones(3), np.zeros(3)
    omega, scale = np.array([0.5, 0.25, 0.0]), np.array([1.0, 4.0, 1.0])
    theta = Theta(np.ones((3, 1)), ones, omega, none, none, scale)
    shares = domain_shares(theta, np.array([200.0, 300.0, 500.0]))
    np.testing.assert_allclose(shares, [0.25, 0.75, 0.0])
