"""Whether the order of the proxies is that of larger models, trained longer.

Some thetas of the swarm, spread over the range of their predictions, are trained at a second scale.
How well the swarm's losses order them tells how much a decision by proxies is worth.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from quadmix_assets.corpus.target_sets import EVALUATED
from quadmix_assets.outputs import PROXY_FIDELITY
from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.proxies.measure import with_measure
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.search.by_seed import objective_by_seed
from quadmix_assets.search.fit import load_regressors, make_regressor_inputs, objective_predictor
from quadmix_assets.search.fresh_proxies import fresh_proxies
from quadmix_assets.search.metrics import Interval
from quadmix_assets.search.noise import read_weighed
from quadmix_assets.search.objective import Objective, objective_losses, objective_named
from quadmix_assets.settings import Settings, TrainingSettings
from quadmix_assets.store import MissingOutputError, Store
from quadmix_assets.training.progress import BatchProgress
from quadmix_assets.training.stacks import Sample
from quadmix_assets.training.train_samples import METRICS_SCHEMA

UNFINISHED_FIDELITY = f"{PROXY_FIDELITY}_unfinished"
LEAST_ACCURACY = 0.7
"""Share of right decisions between two thetas below which the order is said not to carry over."""
_MORE_TOKENS = 10
_RESAMPLES = 1_000
_LEAST_THETAS = 4

FIDELITY_SCHEMA = {
    "theta_id": pl.Int32,
    "seed": pl.Int32,
    **{name: dtype for name, dtype in METRICS_SCHEMA.items() if name != "sample_id"},
}


def second_scale(settings: Settings) -> Settings:
    """The settings with the recipe of the second scale in place of the proxies'."""
    wanted, recipe = settings.search.fidelity, settings.proxies.training
    if wanted.architecture is None or wanted.architecture == recipe.architecture:
        n_tokens = wanted.n_tokens or _MORE_TOKENS * recipe.n_tokens_per_proxy
        second = recipe.model_copy(update={"n_tokens_per_proxy": n_tokens})
    else:
        second = TrainingSettings(architecture=wanted.architecture, precision=recipe.precision)
        if wanted.n_tokens is not None:
            second = second.model_copy(update={"n_tokens_per_proxy": wanted.n_tokens})
    proxies = settings.proxies.model_copy(update={"training": second})
    return settings.model_copy(update={"proxies": proxies})


def spread_over_range(predicted: FloatArray, n: int) -> IntArray:
    """Rows (at most n) whose predictions lie as evenly as can be over their range, ascending.

    Args:
        predicted: (D,) predictions.
        n: how many rows.
    """
    left = np.ones(len(predicted), bool)
    chosen = []
    for wanted in np.linspace(predicted.min(), predicted.max(), min(n, len(predicted))):
        distance = np.where(left, np.abs(predicted - wanted), np.inf)
        chosen.append(int(np.argmin(distance)))
        left[chosen[-1]] = False
    return np.array(sorted(chosen), np.int64)


def train_fidelity(
    store: Store, settings: Settings, on_progress: Callable[[BatchProgress], None]
) -> pl.DataFrame:
    """Train `search.fidelity.n_thetas` thetas at the second scale, and store the losses.

    Returns:
        One row per theta, seed, target set and part: columns of FIDELITY_SCHEMA; none with 0
        thetas.

    Raises:
        MissingOutputError: an input is not there.
        ValueError: a target set holds no tokens, or none of an objective that is weighed by
            reliability tells thetas apart.
        RuntimeError: a worker process died, or a single model does not fit in memory.
    """
    wanted, path = settings.search.fidelity, store.table_path(PROXY_FIDELITY)
    table = pl.DataFrame(schema=FIDELITY_SCHEMA)
    if wanted.n_thetas:
        weighed, evidence, _ = read_weighed(store, settings)
        rows = spread_over_range(_predicted(store, weighed, evidence), wanted.n_thetas)
        names: list[tuple[int, int, int]] = []
        samples: list[Sample] = []
        with fresh_proxies(store, second_scale(settings), PROXY_FIDELITY) as proxies:
            for k in range(wanted.seeds):
                for row in rows.tolist():
                    theta_id = int(evidence.theta_ids[row])
                    selection = proxies.select(f"theta {theta_id}", evidence.parameters[row], k)
                    samples.append(proxies.sample(len(samples), selection, k))
                    names.append((len(names), theta_id, k))
            metrics = proxies.train(
                samples,
                parts=EVALUATED,
                unfinished_folder=store.root / UNFINISHED_FIDELITY,
                on_progress=on_progress,
            )
        schema = {"sample_id": pl.Int32, "theta_id": pl.Int32, "seed": pl.Int32}
        table = (
            pl.DataFrame(names, schema=schema, orient="row")
            .join(metrics, on="sample_id", maintain_order="left_right")
            .select(list(FIDELITY_SCHEMA))
        )
    store.write_table(path, table)
    store.remove_folder(store.root / UNFINISHED_FIDELITY)
    return table


def _predicted(store: Store, settings: Settings, evidence: Evidence) -> FloatArray:
    """(n,) the predicted objective of the mix for the trained thetas."""
    wanted = objective_named(settings.objectives, settings.mix_objective)
    predict = objective_predictor(
        Objective.of(wanted, evidence.metrics),
        load_regressors(store, settings),
        make_regressor_inputs(store, settings),
    )
    return predict(evidence.parameters).mean


@dataclass(frozen=True)
class Fidelity:
    """How well the proxies' losses order thetas as the second scale does; 90 % intervals.

    Attributes:
        n: thetas.
        spearman, kendall: rank correlations.
        accuracy: share of the pairs of thetas of which the proxies name the better one.
    """

    n: int
    spearman: Interval
    kendall: Interval
    accuracy: Interval

    @property
    def carries_over(self) -> bool:
        """Whether decisions are right often enough, and surely more often than by chance."""
        return self.accuracy.value >= LEAST_ACCURACY and self.accuracy.low > 0.5

    def in_words(self) -> str:
        """One phrase."""
        return (
            f"{self.accuracy.value:.0%} of the decisions between two thetas are right "
            f"({self.accuracy.low:.0%} to {self.accuracy.high:.0%}), Spearman {self.spearman}, "
            f"over {self.n} thetas"
        )


def measure_fidelity(small: FloatArray, large: FloatArray, *, seed: int = 0) -> Fidelity:
    """Compare the order of thetas at two scales.

    Args:
        small: (n,) losses of the proxies, n at least 4.
        large: (n,) losses of the same thetas at the second scale.
        seed: of the bootstrap samples over thetas.

    Raises:
        ValueError: fewer than 4 thetas.
    """
    n = len(small)
    if n < _LEAST_THETAS:
        raise ValueError(f"{n} thetas: expected {_LEAST_THETAS} or more")
    drawn = np.random.default_rng(seed).integers(n, size=(_RESAMPLES, n))
    # A sample of one theta alone has no order.
    drawn = drawn[[len(np.unique(rows)) > 1 for rows in drawn]]

    def interval(measure: Callable[[FloatArray, FloatArray], float]) -> Interval:
        low, high = np.quantile([measure(small[rows], large[rows]) for rows in drawn], [0.05, 0.95])
        return Interval(measure(small, large), float(low), float(high))

    return Fidelity(n, interval(_spearman), interval(_kendall), interval(_accuracy))


def _spearman(small: FloatArray, large: FloatArray) -> float:
    from scipy.stats import spearmanr

    has_order = np.ptp(small) > 0 and np.ptp(large) > 0
    return float(spearmanr(small, large).statistic) if has_order else 0.0


def _kendall(small: FloatArray, large: FloatArray) -> float:
    from scipy.stats import kendalltau

    has_order = np.ptp(small) > 0 and np.ptp(large) > 0
    return float(kendalltau(small, large).statistic) if has_order else 0.0


def _accuracy(small: FloatArray, large: FloatArray) -> float:
    """Over pairs that differ at the second scale; a tie of the proxies is half right."""
    first, second = np.triu_indices(len(small), 1)
    by_large = np.sign(large[first] - large[second])
    by_small = np.sign(small[first] - small[second])
    decided = by_large != 0
    if not decided.any():
        return 0.5
    return float(np.mean((1 + by_small[decided] * by_large[decided]) / 2))


def fidelity_of(
    store: Store, settings: Settings, part: str
) -> tuple[dict[str, Fidelity], dict[str, Fidelity]]:
    """What the second scale says of the proxies, by objective and by target set.

    Both are empty where nothing was trained, or fewer than four thetas were trained well.

    Args:
        store, settings: of the project.
        part: of the target sets that the second scale is measured on; proxies are on `search`.

    Raises:
        MissingOutputError: `proxy_fidelity` has not been made, or there is no evidence.
        ValueError: no target set of an objective that is weighed by reliability tells thetas apart.
    """
    path = store.table_path(PROXY_FIDELITY)
    if not path.exists():
        raise MissingOutputError(f"{path} is not there: materialise the asset 'proxy_fidelity'")
    table = with_measure(store.read_table(path).filter(part=part), settings)
    weighed, evidence, _ = read_weighed(store, settings)
    losses = table.rename({"theta_id": "sample"})
    objectives: dict[str, Fidelity] = {}
    for wanted in weighed.objectives:
        large = objective_by_seed(losses, Objective.of(wanted, evidence.metrics))
        small = objective_losses(evidence.metrics, wanted)
        objectives |= _compared(wanted.name, evidence, small, large)
    targets: dict[str, Fidelity] = {}
    for target in settings.target_names:
        alone = Objective(target, "nats", {target: 1.0}, 0.0)
        large = objective_by_seed(losses, alone)
        targets |= _compared(target, evidence, evidence.losses(target), large)
    return objectives, targets


def _compared(
    name: str, evidence: Evidence, small: FloatArray, large: pl.DataFrame
) -> dict[str, Fidelity]:
    """The comparison under its name, where enough of the thetas are still in the evidence."""
    means = large.group_by("sample").agg(pl.col("value").mean()).sort("sample")
    row_of = {int(theta_id): row for row, theta_id in enumerate(evidence.theta_ids)}
    pairs = [
        (small[row_of[sample]], value) for sample, value in means.iter_rows() if sample in row_of
    ]
    if len(pairs) < _LEAST_THETAS:
        return {}
    mine, other = np.array(pairs).T
    return {name: measure_fidelity(mine, other)}


def table_of_fidelity(found: Mapping[str, Fidelity]) -> pl.DataFrame:
    """One row per objective or target set, for reading; intervals are written out."""
    return pl.DataFrame(
        [
            {
                "of": name,
                "thetas": one.n,
                "spearman": str(one.spearman),
                "kendall": str(one.kendall),
                "right_decisions": str(one.accuracy),
                "carries_over": one.carries_over,
            }
            for name, one in found.items()
        ]
    )
