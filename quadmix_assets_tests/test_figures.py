import re

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from quadmix_assets.figures import (
    INK,
    SERIES,
    grid_of_panels,
    held,
    legend_below,
    name_cells,
    new_axes,
    png_of,
    styled,
    svg_of,
    with_left_out,
    write_cells,
)


@styled
def draw() -> Figure:
    figure, axes = new_axes("title", 4.0, 3.0)
    for n in range(2 * len(SERIES)):
        axes.plot([0, 1], [n, n], label=str(n))
    legend_below(figure)
    return figure


def test_series_have_the_common_colours_and_no_frame() -> None:
    figure = draw()
    (axes,) = figure.axes
    assert [to_hex(line.get_color()) for line in axes.lines] == [*SERIES, *SERIES]
    assert not axes.spines["top"].get_visible()
    assert axes.spines["left"].get_visible()
    assert not figure.legends[0].get_frame_on()


def test_a_legend_below_hides_nothing() -> None:
    figure = draw()
    figure.draw_without_rendering()
    assert figure.legends[0].get_window_extent().y1 <= figure.axes[0].get_window_extent().y0


def test_style_ends_with_the_figure() -> None:
    before = dict(mpl.rcParams)
    draw()
    assert dict(mpl.rcParams) == before


def test_cells_of_a_heat_map() -> None:
    _, axes = new_axes("", 4.0, 3.0)
    values = np.array([[0.125, np.nan], [1.0, -2.0]])
    axes.imshow(values)
    write_cells(axes, values, values > 0.5)
    name_cells(axes, ["a", "b"], ["x", "y"])
    assert [(text.get_text(), text.get_color()) for text in axes.texts] == [
        ("0.12", INK),
        ("–", INK),
        ("1.00", "white"),
        ("-2.00", INK),
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "y"]


def test_domains_that_hold_something_somewhere_are_shown() -> None:
    pool, mix = np.array([1.0, 0.0, 0.0, 2.0]), np.array([0.0, 0.0, 0.5, 1.0])
    assert held(pool, mix).tolist() == [0, 2, 3]
    assert held(np.zeros(2)).tolist() == [0, 1], "of an empty pool all"
    assert with_left_out("share", 0) == "share"
    assert with_left_out("share", 1) == "share\n(1 domain without documents left out)"
    assert "2 domains" in with_left_out("share", 2)


def test_panels_are_laid_out_in_rows() -> None:
    figure, panels = grid_of_panels(7, 3, 2.0, 1.0)
    assert len(panels) == len(figure.axes) == 7
    assert figure.get_size_inches().tolist() == [6.0, 3.0]
    assert len(grid_of_panels(1, 3, 2.0, 1.0)[1]) == 1


def test_equal_figures_have_equal_bytes_with_texts_that_are_texts() -> None:
    svg, png = svg_of(draw(), "a"), png_of(draw())
    assert (svg, png) == (svg_of(draw(), "a"), png_of(draw()))
    assert b">title<" in svg
    assert b"2026" not in svg and b"Matplotlib" not in svg
    ids = [set(re.findall(rb'clipPath id="([^"]+)"', svg_of(draw(), name))) for name in "ab"]
    assert ids[0] and not ids[0] & ids[1], "figures of one page share no ids"
