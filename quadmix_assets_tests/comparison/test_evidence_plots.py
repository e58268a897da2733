"""What the figures of the comparison say of their axes."""

from pathlib import Path

import polars as pl

from quadmix_assets.comparison.evidence_plots import plot_gains
from quadmix_assets.comparison.measures import loss_units, objective_measure
from quadmix_assets.settings import load_settings
from quadmix_assets_tests.conftest import write_profile


def test_gains_are_in_the_units_of_their_measures(tmp_path: Path) -> None:
    objectives = [
        {"name": scale, "targets": {"planted": 1.0}, "scale": scale}
        for scale in ("nats", "bits_per_byte", "zscore")
    ]
    settings = load_settings(
        write_profile(
            tmp_path,
            search={"objectives": objectives},
            mixes=[{"method": "quadmix", "objective": "nats"}],
        )
    )
    measures = [objective_measure(each).name for each in settings.objectives]
    measures += ["held_out", "tasks"]
    table: dict[str, list[object]] = {"mix": ["a", "random"], "is_production": [True, False]}
    for measure in measures:
        for end in ("over_random", "over_random_low", "over_random_high"):
            table[f"{end}[{measure}]"] = [0.1, None]
    figure = plot_gains(pl.DataFrame(table), measures, loss_units(settings))
    words = [axes.get_xlabel().split("(")[1].split(",")[0] for axes in figure.axes[:5]]
    assert words == [
        "nats per token", "bits per byte", "nats per token", "nats per token",
        "share of questions",
    ]  # fmt: skip
