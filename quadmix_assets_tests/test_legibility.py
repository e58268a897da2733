"""Every figure with 26 domains, five criteria and many targets: no label is cut or covered."""

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from quadmix_assets.comparison.evidence_plots import plot_budgets, plot_gains, plot_win_rates
from quadmix_assets.comparison.mix_plots import (
    plot_criteria_of_mixes,
    plot_domains_of_mixes,
    plot_overlaps_of_mixes,
)
from quadmix_assets.features.domains.nvidia import NVIDIA_DOMAINS
from quadmix_assets.features.report import domain_plots
from quadmix_assets.features.report.plots import (
    plot_confidence,
    plot_rank_correlation,
    plot_score_histograms,
)
from quadmix_assets.mix.explain_plot import plot_place
from quadmix_assets.mix.explanation import InMix
from quadmix_assets.mix.plots import plot_domain_shares, plot_sampling_curves
from quadmix_assets.mix.rule import Curve
from quadmix_assets.sampling import feature_names, sample_parameters
from quadmix_assets.search.metrics import Interval
from quadmix_assets.search.noise import Noise
from quadmix_assets.search.noise_plots import plot_noise
from quadmix_assets.search.optimum_plots import (
    plot_optimum_check,
    plot_shares_of_optima,
    plot_theta_in_swarm,
    plot_trace,
    plot_weights_of_optima,
)
from quadmix_assets.search.plots import (
    plot_input_importance,
    plot_learning_curve,
    plot_predicted_against_true,
    plot_predicted_histogram,
    plot_theta,
)
from quadmix_assets.search.verification_plots import plot_heats
from quadmix_assets.training.loop import ProxyTraining
from quadmix_assets.training.plots import plot_losses

DOMAINS = [*NVIDIA_DOMAINS, "unknown"]
CRITERIA = ["fineweb_edu", "dclm", "askllm", "target_fasttext", "importance"]
MIXES = ["quadmix", "quadmix_bmk_without_duplicates", "quadmix_paper", "best_measured", "random"]
MEASURES = ["objective openhermes", "objective bmk", "held_out"]
MIXES += ["proportional", "unimax", "top_k_fineweb_edu", "criteria_mix", "dsir", "regmix", "climb"]
TARGETS = ["openhermes", "hellaswag", "arc_easy", "arc_challenge", "mmlu", "triviaqa"]
M, N = len(DOMAINS), len(CRITERIA)
RNG = np.random.default_rng(0)
SWARM = sample_parameters(200, N, M, seed=0)
EMPTY = [3, 9, 20]
# Pixels by which boxes of text may overlap: they are a little larger than the letters.
SLACK = 1.5


PLACES = np.linspace(0.0, 1.0, 400)


def shares() -> np.ndarray:
    found = RNG.dirichlet(np.full(M, 0.5))
    found[EMPTY] = 0.0
    return found / found.sum()


POOL = shares()
OPTIMA = {name: shares() for name in ("openhermes", "bmk", "all_targets")}
LOSSES = RNG.normal(3.5, 0.1, (len(TARGETS), 64))


def curve() -> pl.DataFrame:
    sizes = [175, 350, 700, 1_400, 2_800]
    kinds = ["lightgbm", "svr_linear", "svr_rbf", "ridge", "gaussian_process", "ensemble"]
    rows = [(k, n, 0.1 / np.sqrt(n) * (1 + i)) for i, k in enumerate(kinds) for n in sizes]
    return pl.DataFrame(rows, schema=["regressor", "n_train", "mae_nats"], orient="row")


def check() -> pl.DataFrame:
    samples = ["theta*", "best of the first round", "uniform"]
    samples += [f"best by {name}" for name in CRITERIA]
    mean = RNG.normal(3.5, 0.1, len(samples))
    return pl.DataFrame(
        {
            "sample": samples,
            "mean": mean,
            "low": mean - 0.02,
            "high": mean + 0.02,
            "gain": [None, *mean[1:] - mean[0]],
            "gain_low": [None, *mean[1:] - mean[0] - 0.03],
            "gain_high": [None, *mean[1:] - mean[0] + 0.03],
            "predicted": [3.4, 3.5, *[None] * (len(samples) - 2)],
        }
    )


def ranking() -> pl.DataFrame:
    names = [f"theta {k}, best by smoothed prediction" for k in range(1_000, 1_012)]
    names += [
        "quadmix_paper",
        "CMA-ES, caution 2",
        "mean of the 10 best measured",
        "search (cma_es)",
    ]
    mean = np.sort(RNG.normal(3.5, 0.05, len(names)))
    return pl.DataFrame(
        {
            "candidate": names,
            "heat": [4, 4, 3, 3, 2, 2, 2, 2, *[1] * 8],
            "seeds": [8, 8, 4, 4, 2, 2, 2, 2, *[1] * 8],
            "mean": mean,
            "low": [*mean[:8] - 0.02, *[None] * 8],
            "high": [*mean[:8] + 0.02, *[None] * 8],
            "predicted": mean - 0.1,
        }
    )


def gains_of_mixes() -> pl.DataFrame:
    """A table of methods: gains over random documents by three measures."""
    table: dict[str, list[object]] = {
        "mix": [*MIXES],
        "is_production": [mix == MIXES[0] for mix in MIXES],
    }
    for measure in MEASURES:
        gains = [None if mix == "random" else RNG.normal(0.1, 0.05) for mix in MIXES]
        table[f"over_random[{measure}]"] = [*gains]
        table[f"over_random_low[{measure}]"] = [g and g - 0.05 for g in gains]
        table[f"over_random_high[{measure}]"] = [g and g + 0.05 for g in gains]
    return pl.DataFrame(table)


def pairs_of_mixes() -> pl.DataFrame:
    return of_mixes("other", MIXES, win_rate=RNG.uniform(size=len(MIXES) ** 2)).filter(
        pl.col("mix") != pl.col("other")
    )


def means_by_budget() -> pl.DataFrame:
    rows = [(mix, budget, RNG.normal()) for mix in MIXES for budget in (1_000_000, 3_000_000)]
    return pl.DataFrame(rows, schema=["mix", "budget", "mean"], orient="row")


def of_mixes(column: str, names: list[str], **values: np.ndarray) -> pl.DataFrame:
    """A table with one row per mix and name."""
    return pl.DataFrame(
        {"mix": np.repeat(MIXES, len(names)).tolist(), column: names * len(MIXES), **values}
    )


def domains_of_mixes() -> pl.DataFrame:
    held = np.concatenate([shares() for _ in MIXES])
    return of_mixes("domain", DOMAINS, share=held, share_pool=np.tile(POOL, len(MIXES)))


def criteria_of_mixes() -> pl.DataFrame:
    n = len(MIXES) * N
    return of_mixes(
        "criterion",
        CRITERIA,
        mean=RNG.normal(size=n),
        mean_pool=np.zeros(n),
        deviation_pool=np.ones(n),
    )


def trainings() -> list[ProxyTraining]:
    tokens = np.linspace(1e6, 1e9, 30)
    return [
        ProxyTraining(
            "failed" if k == 0 else "trained",
            "it diverged" if k == 0 else None,
            tuple((int(n), 10 - np.log10(n) / 1.5 + k / 100) for n in tokens),
            int(tokens[-1]),
            1.0,
        )
        for k in range(64)
    ]


def means() -> np.ndarray:
    found = RNG.uniform(0.2, 0.8, (M + 1, N))
    found[EMPTY] = np.nan
    return found


def scores() -> pl.DataFrame:
    columns = {name: RNG.normal(scale=10.0**k, size=500) for k, name in enumerate(CRITERIA)}
    return pl.DataFrame(columns)


def counts() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "domain": DOMAINS,
            "n_documents": (POOL * 123_456_789).astype(int),
            "n_tokens": (POOL * 123_456_789_012).astype(int),
        }
    )


THETAS = dict(zip(OPTIMA, SWARM, strict=False))
TRACE = pl.DataFrame(
    {
        "n_evaluated": [1, 10, 1_000, 100_000],
        "predicted": [3.8, 3.6, 3.5, 3.4],
        "standard_deviation": [0.1] * 4,
    }
)
TOP = {share: RNG.dirichlet(np.full(M, 0.4), N) for share in (0.1, 0.25)}

NOISE = {
    target: Noise(
        Interval(0.02, 0.015, 0.03), 0.04, Interval(0.8, 0.6, 0.9), Interval(0, 0, 0), 6, 2
    )
    for target in TARGETS
}

FIGURES: dict[str, Callable[[], Figure]] = {
    "domain_shares": lambda: plot_domain_shares(
        DOMAINS, POOL, OPTIMA["bmk"], mix="quadmix_without_perplexity_and_heuristics"
    ),
    "sampling_curves": lambda: plot_sampling_curves(SWARM[0], DOMAINS, POOL),
    "place": lambda: plot_place(
        InMix(mix="a_mix_of_a_long_name", method="quadmix", is_production=True, copies=2),
        Curve(
            PLACES,
            np.where(PLACES < 0.3, 2.0, 0.0),
            "rank within the domain (share of its tokens)",
            1.0,
        ),
    ),
    "theta": lambda: plot_theta(SWARM[0], CRITERIA, DOMAINS, POOL),
    "theta_in_swarm": lambda: plot_theta_in_swarm(
        SWARM[0], SWARM, CRITERIA, DOMAINS, "openhermes", POOL
    ),
    "shares_of_optima": lambda: plot_shares_of_optima(OPTIMA, POOL, DOMAINS),
    "weights_of_optima": lambda: plot_weights_of_optima(THETAS, OPTIMA, CRITERIA),
    "optimum_check": lambda: plot_optimum_check(check(), unit="nats", title="openhermes"),
    "heats": lambda: plot_heats(ranking(), unit="nats", title="openhermes"),
    "noise": lambda: plot_noise(NOISE),
    "trace": lambda: plot_trace(TRACE, best_measured=3.45, unit="nats", title="openhermes"),
    "importance": lambda: plot_input_importance(
        RNG.exponential(size=(N + 4) * M), feature_names(CRITERIA, DOMAINS), title="arc_challenge"
    ),
    "learning_curve": lambda: plot_learning_curve(
        curve(), constant_mae=0.05, title="arc_challenge"
    ),
    "predicted_against_true": lambda: plot_predicted_against_true(
        LOSSES[0], LOSSES[0] + 0.01, title="arc_challenge"
    ),
    "predicted_losses": lambda: plot_predicted_histogram(
        RNG.normal(3.5, 0.05, 100_000), theta_star=3.31, best_measured=3.35, title="openhermes"
    ),
    "domains_of_mixes": lambda: plot_domains_of_mixes(domains_of_mixes()),
    "criteria_of_mixes": lambda: plot_criteria_of_mixes(criteria_of_mixes()),
    "overlaps_of_mixes": lambda: plot_overlaps_of_mixes(
        of_mixes("other", MIXES, jaccard=RNG.uniform(size=len(MIXES) ** 2))
    ),
    "gains_of_mixes": lambda: plot_gains(
        gains_of_mixes(), MEASURES, {"held_out": "nats per token"}
    ),
    "win_rates_of_mixes": lambda: plot_win_rates(pairs_of_mixes(), MIXES, "held_out"),
    "ranks_by_budget": lambda: plot_budgets(means_by_budget(), "held_out"),
    "losses_of_proxies": lambda: plot_losses(trainings(), dict(zip(TARGETS, LOSSES, strict=True))),
    "scores": lambda: plot_score_histograms(scores(), CRITERIA),
    "rank_correlation": lambda: plot_rank_correlation(
        np.asarray(np.corrcoef(RNG.normal(size=(N, 30)))), CRITERIA
    ),
    "confidence": lambda: plot_confidence(RNG.integers(1, 10_000_000, 20), 0.3),
    "domains": lambda: domain_plots.plot_domain_counts(counts()),
    "domain_shares_of_criteria": lambda: domain_plots.plot_domain_shares(
        DOMAINS, POOL, TOP, CRITERIA
    ),
    "domain_by_criterion": lambda: domain_plots.plot_domain_criterion(means(), DOMAINS, CRITERIA),
}


def texts(figure: Figure) -> Iterator[Text]:
    """The texts that are seen: not empty, and no ticks outside the limits of their axes."""
    hidden = set()
    for axes in figure.axes:
        hidden |= set(unseen_ticks(axes))
    for text in figure.findobj(Text):
        if not isinstance(text, Text) or text in hidden or not text.get_text().strip():
            continue
        if text.get_visible() and (text.axes is None or text.axes.get_visible()):
            yield text


def unseen_ticks(axes: Axes) -> Iterator[Text]:
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        margin = 1e-9 * (high - low)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low - margin <= tick.get_loc() <= high + margin:
                yield from (tick.label1, tick.label2)


def boxes(figure: Figure) -> list[tuple[str, Bbox, float]]:
    """What is written where, in pixels, with the size of the font in points."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    found = []
    for text in texts(figure):
        box = text.get_window_extent(renderer)
        if box.width > 0:
            found.append((text.get_text(), box, float(text.get_fontsize())))
    return found


@pytest.mark.parametrize("name", FIGURES)
def test_no_label_is_cut_or_covered(name: str) -> None:
    figure = FIGURES[name]()
    found = boxes(figure)
    assert len(found) > 3
    width, height = figure.get_size_inches() * figure.dpi
    for words, box, size in found:
        inside = box.x0 > -SLACK and box.y0 > -SLACK
        inside = inside and box.x1 < width + SLACK and box.y1 < height + SLACK
        assert inside, f"{words!r} is cut"
        assert size >= 7, f"{words!r} is too small"
    for (words, box, _), (others, other, _) in combinations(found, 2):
        overlap = Bbox.intersection(box, other)
        if overlap is not None:
            assert min(overlap.width, overlap.height) <= SLACK, f"{words!r} covers {others!r}"


@pytest.mark.parametrize("name", ["domain_shares", "sampling_curves", "theta", "theta_in_swarm"])
def test_domains_that_hold_nothing_are_left_out_and_counted(name: str) -> None:
    written = [words for words, _, _ in boxes(FIGURES[name]())]
    assert not set(written) & {DOMAINS[m] for m in EMPTY}
    assert any("3 domains without documents" in words for words in written)
