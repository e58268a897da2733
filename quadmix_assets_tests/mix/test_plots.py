import io

import numpy as np
from matplotlib.patches import Rectangle

from quadmix_assets.mix.plots import plot_domain_shares, plot_sampling_curves
from quadmix_assets.sampling import Theta, sample_parameters, sampling_value

NAMES = ["law", "cooking", "unknown"]


def rendered(figure: object) -> bool:
    file = io.BytesIO()
    figure.savefig(file, format="png")  # type: ignore[attr-defined]
    return file.getvalue().startswith(b"\x89PNG")


def test_shares_stand_beside_their_names_largest_on_top() -> None:
    share_in, share_out = np.array([0.5, 0.2, 0.3]), np.array([0.3, 0.6, 0.1])
    figure = plot_domain_shares(NAMES, share_in, share_out, mix="best")
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["unknown", "law", "cooking"], "from below"
    widths = [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]
    np.testing.assert_allclose(widths, [30, 50, 20, 10, 30, 60])
    assert rendered(figure)


def test_every_domain_has_a_panel_with_its_curve_of_eq_3() -> None:
    n_domains = 26
    names = [f"domain {n}" for n in range(n_domains)]
    theta = sample_parameters(1, 3, n_domains, seed=0)[0]
    figure = plot_sampling_curves(theta, names)
    assert [axes.get_title() for axes in figure.axes] == names
    assert len({axes.get_ylim() for axes in figure.axes}) == 1, "panels can be compared"
    (line,) = figure.axes[7].get_lines()
    x = np.asarray(line.get_xdata(), dtype=float)
    assert x.max() >= theta.omega.max(), "every curve's end is in the picture"
    beta = (theta.lam, theta.omega, theta.eta, theta.epsilon)
    expected = sampling_value(x, np.zeros(len(x), dtype=int), *(values[[7]] for values in beta))
    np.testing.assert_array_equal(np.asarray(line.get_ydata()), expected)
    assert rendered(figure)


def test_domains_that_hold_nothing_have_no_panel() -> None:
    theta = sample_parameters(1, 3, 3, seed=0)[0]
    figure = plot_sampling_curves(theta, NAMES, np.array([5, 0, 2]))
    assert [axes.get_title() for axes in figure.axes] == ["law", "unknown"]
    assert "1 domain without documents" in figure.get_supxlabel()


def test_extreme_mixes_can_be_drawn() -> None:
    zeros = np.zeros(3)
    assert rendered(plot_domain_shares(NAMES, zeros, zeros, mix="best"))
    nothing = Theta(np.ones((3, 1)), zeros, zeros, zeros, zeros)
    assert rendered(plot_sampling_curves(nothing, NAMES))
    everything = Theta(np.ones((3, 1)), np.full(3, 1000.0), np.ones(3), np.ones(3), zeros)
    assert rendered(plot_sampling_curves(everything, NAMES))
