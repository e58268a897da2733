"""The place of a document on the sampling curve that decided on it."""

import numpy as np
from matplotlib.figure import Figure

from quadmix_assets.figures import BLUE, ORANGE, legend_below, new_axes, styled
from quadmix_assets.mix.explain_page import one_line
from quadmix_assets.mix.explanation import InMix
from quadmix_assets.mix.rule import Curve


@styled
def plot_place(mix: InMix, curve: Curve) -> Figure:
    """A sampling curve, with the document's place on it.

    Args:
        mix: what the mix makes of the document.
        curve: of its reasons.
    """
    figure, axes = new_axes(f"{mix.mix}: {one_line(mix)}", 7.0, 3.4)
    axes.plot(curve.x, curve.value, color=BLUE, label="expected copies S")
    axes.axvline(curve.place, color=ORANGE, linewidth=1.0, linestyle=":")
    height = float(np.interp(curve.place, curve.x, curve.value))
    label = f"this document, at {curve.place:.4g}"
    axes.plot([curve.place], [height], "o", color=ORANGE, label=label, clip_on=False)
    legend_below(figure)
    axes.set_xlabel(curve.label)
    axes.set_ylabel("expected copies S")
    axes.set_ylim(bottom=0.0, top=1.2 * max(float(curve.value.max()), 1e-9))
    return figure
