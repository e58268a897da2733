"""The chart of docs/scale.md: processor time against documents and against shards."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quadmix_assets.figures import GREY, SERIES, png_of, styled

_LABELS = {
    "documents": "documents of the pool",
    "shards": "shards of the pool",
}


def draw_chart(figures: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Write the chart as PNG.

    Args:
        figures: by "documents" and "shards": by size and name, `cpu_seconds`.
        path: of the file.
    """
    path.write_bytes(png_of(_chart(figures)))


@styled
def _chart(figures: Mapping[str, Mapping[str, Any]]) -> Figure:
    shown = {size: found for size, found in figures.items() if found}
    figure = Figure(figsize=(5.4 * len(shown), 4.6))
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for panel, (size, found) in zip(panels, shown.items(), strict=True):
        _draw(panel, found)
        panel.set_xlabel(_LABELS[size])
        panel.set_ylabel("CPU seconds")
    return figure


def _draw(panel: Axes, found: Mapping[str, Any]) -> None:
    sizes = sorted(found, key=int)
    names = list(dict.fromkeys(name for size in sizes for name in found[size]))
    colours = iter(SERIES)
    for name in names:
        points = [(int(n), found[n][name]["cpu_seconds"]) for n in sizes if name in found[n]]
        # What is compared with stays in the background.
        is_plain = "alone" in name
        panel.plot(
            *zip(*points, strict=True),
            marker="o",
            label=name,
            color=GREY if is_plain else next(colours),
            linestyle="--" if is_plain else "-",
        )
        if is_plain:
            panel.annotate(name.split(",")[0], points[-1], fontsize=7, color=GREY)
    panel.set_xscale("log")
    panel.set_yscale("log")
    handles = [each for each in panel.get_lines() if each.get_linestyle() == "-"]
    panel.legend(handles=handles, fontsize=7)
