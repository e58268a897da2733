import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from quadmix_assets.sampling import sample_parameters
from quadmix_assets.search.optimum_plots import (
    plot_optimum_check,
    plot_shares_of_optima,
    plot_theta_in_swarm,
    plot_trace,
    plot_weights_of_optima,
    quantiles_in_swarm,
)
from quadmix_assets.search.verification_plots import plot_heats
from quadmix_assets_tests.mix.test_plots import rendered

CRITERIA, DOMAINS = ["a", "b"], ["law", "food", "unknown"]
SWARM = sample_parameters(50, 2, 3, seed=0, scale_max=4.0)
SHARES = {"one": np.array([0.5, 0.3, 0.2]), "two": np.array([0.1, 0.1, 0.8])}
TRACE = pl.DataFrame(
    {
        "n_evaluated": [1, 10, 1000],
        "predicted": [4.0, 3.5, 3.2],
        "standard_deviation": [0.2, 0.1, 0.3],
    }
)
CHECK = pl.DataFrame(
    {
        "sample": ["theta*", "uniform"],
        "mean": [3.5, 4.0],
        "low": [3.4, 3.9],
        "high": [3.6, 4.1],
        "gain": [None, 0.5],
        "gain_low": [None, 0.4],
        "gain_high": [None, 0.6],
        "seeds": [3, 3],
        "predicted": [3.45, None],
    }
)
RANKING = pl.DataFrame(
    {
        "candidate": ["theta 3, best measured", "quadmix_paper", "CMA-ES, caution 1"],
        "heat": [2, 2, 1],
        "seeds": [2, 2, 1],
        "mean": [3.5, 3.6, 3.7],
        "low": [3.4, 3.5, None],
        "high": [3.6, 3.7, None],
        "predicted": [3.45, 3.3, 3.35],
    }
)
UNMEASURED = RANKING.with_columns(
    heat=pl.lit(0), seeds=pl.lit(0), **{name: pl.lit(None) for name in ("mean", "low", "high")}
)


def figures() -> dict[str, Figure]:
    thetas = dict(zip(SHARES, SWARM, strict=False))
    return {
        "trace": plot_trace(TRACE, best_measured=3.4, unit="nats", title="bmk"),
        "swarm": plot_theta_in_swarm(SWARM[7], SWARM, CRITERIA, DOMAINS, "bmk"),
        "shares": plot_shares_of_optima(SHARES, np.array([0.2, 0.2, 0.6]), DOMAINS),
        "weights": plot_weights_of_optima(thetas, SHARES, CRITERIA),
        "check": plot_optimum_check(CHECK, unit="nats", title="bmk"),
        "heats": plot_heats(RANKING, unit="nats", title="bmk"),
        "no heats": plot_heats(UNMEASURED, unit="nats", title="bmk"),
    }


@pytest.mark.parametrize("name", list(figures()))
def test_can_be_drawn_and_says_what_it_shows(name: str) -> None:
    figure = figures()[name]
    assert rendered(figure)
    axes = figure.axes[0]
    assert axes.get_title()


def test_quantiles_count_the_proxies_with_less() -> None:
    shares, names = quantiles_in_swarm(SWARM[7], SWARM)
    assert names == ["lam", "omega", "eta", "epsilon", "scale"]
    assert shares.shape == (3, 7)
    expected = (SWARM.omega[:, 1] < SWARM.omega[7, 1]).sum() + 0.5
    assert shares[1, 2 + names.index("omega")] == pytest.approx(expected / 50)
    far = SWARM[7]._replace(eta=np.full(3, 9.0), omega=np.zeros(3))
    shares, _ = quantiles_in_swarm(far, SWARM)
    np.testing.assert_array_equal(shares[:, 2 + names.index("eta")], 1.0)
    np.testing.assert_array_equal(shares[:, 2 + names.index("omega")], 0.0)


def test_numbers_in_the_pictures_are_those_given() -> None:
    order = np.argsort(np.mean(list(SHARES.values()), axis=0))
    for axes, (name, shares) in zip(figures()["shares"].axes, SHARES.items(), strict=True):
        assert axes.get_title() == f"Mix of {name}"
        assert [c.get_label() for c in axes.containers] == ["pool", name]
        widths = [bar.get_width() for bar in axes.containers[1]]
        np.testing.assert_allclose(widths, 100 * shares[order])
    weights = figures()["weights"].axes[0].containers[0]
    heights = [bar.get_height() for bar in weights]
    np.testing.assert_allclose(heights, SHARES["one"] @ SWARM[0].alpha)
