import io

import numpy as np
import polars as pl

from quadmix_assets.comparison.plots import plot_losses_of_mixes

LOSSES = pl.DataFrame(
    {
        "mix": ["final mix", "random mix"] * 4,
        "seed": [0, 0, 1, 1] * 2,
        "target": ["one"] * 4 + ["two"] * 4,
        "loss_nats": [3.0, 3.4, 3.2, 3.6, 5.0, None, 5.5, None],
    }
)


def test_every_seed_is_a_dot_and_every_mean_a_bar() -> None:
    figure = plot_losses_of_mixes(LOSSES)
    one, two = figure.axes
    assert (one.get_title(), two.get_title()) == ("one", "two")
    assert [label.get_text() for label in one.get_xticklabels()] == ["final mix", "random mix"]
    dots = [np.asarray(c.get_offsets()).tolist() for c in one.collections[::2]]
    assert dots == [[[0, 3.0], [0, 3.2]], [[1, 3.4], [1, 3.6]]]
    bars = [c.get_segments()[0][0, 1] for c in one.collections[1::2]]  # type: ignore[attr-defined]
    np.testing.assert_allclose(bars, [3.1, 3.5])
    assert len(two.collections) == 3, "dots and bar of the one, no bar for the other that failed"
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")


def test_nothing_but_failures_can_be_drawn() -> None:
    failed = LOSSES.with_columns(pl.lit(None, dtype=pl.Float64).alias("loss_nats"))
    file = io.BytesIO()
    plot_losses_of_mixes(failed).savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")
