"""How the costs of pool-wide steps and of shards grow, beside what somebody would write plainly.

    python -m benchmarks.scale --documents 1000000 10000000 100000000 --shards 100 1000 10000

Prints tables with growth exponents (b in cost = a * size**b, over all sizes), keeps the figures in
a JSON file, so that parts can be measured one after the other, and draws the chart of docs/scale.md
from that file. Costs are seconds of the processor, each of a process of its own.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.scale.chart import draw_chart
from benchmarks.scale.growth import measure_documents, measure_shards
from benchmarks.scale.measured import growth_exponent

Figures = dict[str, dict[str, dict[str, Any]]]


def print_figures(figures: Mapping[str, Mapping[str, Any]], size: str) -> None:
    """A table of the costs by size, with the growth exponent of each row."""
    sizes = sorted(figures, key=int)
    names = list(dict.fromkeys(name for found in figures.values() for name in found))
    print(
        f"\n| CPU seconds by {size} | " + " | ".join(f"{int(n):,}" for n in sizes) + " | growth |"
    )
    print("| --- " * (len(sizes) + 2) + "|")
    for name in names:
        costs = {int(n): figures[n][name]["cpu_seconds"] for n in sizes if name in figures[n]}
        shown = [f"{costs[int(n)]:.3g}" if int(n) in costs else "" for n in sizes]
        growth = (
            f"{growth_exponent(list(costs), list(costs.values())):.2f}" if len(costs) > 1 else ""
        )
        print(f"| {name} | " + " | ".join(shown) + f" | {growth} |")


def main() -> None:
    """Measure what the arguments ask for, print all that is known, and draw it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, nargs="*", default=[])
    parser.add_argument("--shards", type=int, nargs="*", default=[])
    parser.add_argument("--figures", type=Path, default=Path("scale.json"))
    parser.add_argument("--chart", type=Path, help="where to draw the chart")
    parser.add_argument("--folder", type=Path, help="for the pools; a temporary one by default")
    arguments = parser.parse_args()
    known: Figures = {"documents": {}, "shards": {}}
    if arguments.figures.exists():
        known |= json.loads(arguments.figures.read_text())

    def keep() -> None:
        arguments.figures.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")

    for n_documents in arguments.documents:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            known["documents"][str(n_documents)] = measure_documents(n_documents, Path(folder))
        keep()
    if arguments.shards:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            known["shards"] |= measure_shards(arguments.shards, Path(folder))
        keep()
    for size, figures in known.items():
        if figures:
            print_figures(figures, size)
    if arguments.chart is not None:
        draw_chart(known, arguments.chart)


if __name__ == "__main__":
    main()
