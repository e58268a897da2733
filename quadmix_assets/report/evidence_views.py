"""Views over what is measured of finished mixes."""

from quadmix_assets.outputs import BENCHMARK_RESULTS, LANGUAGE_MODEL
from quadmix_assets.report.view import View, read_files


def evidence_views() -> list[View]:
    """Views over the language models of mixes, and what they reach."""
    return [
        View(
            "language_models",
            (LANGUAGE_MODEL,),
            "One row per language model: the mix that it was trained on, for how many tokens and "
            "epochs, and its training loss.",
            f"SELECT * FROM {read_files(LANGUAGE_MODEL)}",
        ),
        View(
            "benchmark_results",
            (BENCHMARK_RESULTS,),
            "One row per measured model, set and metric: its value, the standard error of that and "
            "what chance gives. Models whose training failed have none.",
            f"SELECT * FROM {read_files(BENCHMARK_RESULTS)}",
        ),
    ]
