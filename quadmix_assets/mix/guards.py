"""The checks that a mix waits for: where one fails, theta* or the mix would be a guess."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

from quadmix_assets.features.label_coverage import label_coverage
from quadmix_assets.proxies.evidence import Evidence, read_evidence
from quadmix_assets.search.fit import poor_regressors, read_metrics
from quadmix_assets.search.objective import objective_named
from quadmix_assets.search.within_evidence import WHAT_TO_DO, outside_evidence
from quadmix_assets.settings import Settings
from quadmix_assets.settings.mix import Guard
from quadmix_assets.store import Store


@dataclass(frozen=True)
class FailedGuard:
    """A guard that failed.

    Attributes:
        name: of the guard, which is that of its check in the UI and that of `mix.accept`.
        words: what was found, and what to do.
        can_be_accepted: whether `mix.accept` may name it.
    """

    name: Guard
    words: str
    can_be_accepted: bool = True


class GuardsFailedError(ValueError):
    """Guards failed that nobody has accepted."""


@dataclass(frozen=True)
class Guards:
    """The guards that failed, and which of them were accepted by `mix.accept`."""

    failed: tuple[FailedGuard, ...]
    accepted: tuple[Guard, ...]

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "failed": [asdict(guard) for guard in self.failed],
            "accepted": list(self.accepted),
        }


def check_guards(store: Store, shards: Sequence[str], settings: Settings, objective: str) -> Guards:
    """Look at all guards of a mix of `shards` that is made with theta* of `objective`.

    Raises:
        GuardsFailedError: some failed and are not accepted; the message says what to do.
        MissingOutputError: what a guard looks at has not been made.
    """
    evidence = read_evidence(store, settings)
    failed = [
        guard
        for guard in (
            _regressor(store, settings, objective),
            _evidence(store, settings, evidence, objective),
            _proxies(settings, evidence),
            _labels(store, shards, settings),
        )
        if guard is not None
    ]
    accept = settings.mix.accept
    waiting = [g for g in failed if g.name not in accept or not g.can_be_accepted]
    if waiting:
        raise GuardsFailedError(_waiting(waiting))
    return Guards(tuple(failed), tuple(guard.name for guard in failed))


def _waiting(guards: Sequence[FailedGuard]) -> str:
    lines = ["the mix would be a guess, so it waits:"]
    lines += [f"- {guard.name}: {guard.words}" for guard in guards]
    acceptable = [guard.name for guard in guards if guard.can_be_accepted]
    if acceptable:
        lines.append(
            "After that, materialise rank_calibration again. To make the mix all the same, add "
            f"{', '.join(acceptable)} to the setting mix.accept: the manifest will say so"
        )
    return "\n".join(lines)


def _regressor(store: Store, settings: Settings, objective: str) -> FailedGuard | None:
    weights = objective_named(settings.objectives, objective).targets
    metrics = read_metrics(store)
    poor = poor_regressors(metrics, [target for target, weight in weights.items() if weight > 0])
    if not poor:
        return None
    errors = ", ".join(
        f"{target} (mean error {metrics[target]['mae']['value']:.4f} nats, a constant's is "
        f"{metrics[target]['constant_mae']:.4f})"
        for target in poor
    )
    return FailedGuard(
        "regressor_learned_something",
        f"the regressor is no better than a constant on held-out proxies of {errors}, so that "
        f"theta* of {objective!r} is arbitrary: train more proxies (parameters.n), each of them "
        "longer (proxies.training.n_tokens_per_proxy), or choose another search.regressor; then "
        "materialise regressor and optimal_params again",
    )


def _evidence(
    store: Store, settings: Settings, evidence: Evidence, objective: str
) -> FailedGuard | None:
    with threadpool_limits(settings.search.n_threads):
        outside = outside_evidence(store, settings, evidence, [objective])[objective]
    if not outside:
        return None
    return FailedGuard(
        "theta_star_is_within_evidence",
        f"theta* of {objective!r} lies outside the range of the trained thetas in {outside}. "
        f"{WHAT_TO_DO}",
    )


def _proxies(settings: Settings, evidence: Evidence) -> FailedGuard | None:
    total = len(evidence.theta_ids) + evidence.n_failed
    share, limit = evidence.n_failed / max(total, 1), settings.proxies.max_failed_share
    if share <= limit:
        return None
    reasons = evidence.metrics.filter(pl.col("status") == "failed")["reason"].drop_nulls()
    return FailedGuard(
        "few_proxies_failed",
        f"{evidence.n_failed} of {total} proxies failed ({share:.0%}, limit {limit:.0%}), the "
        f"first because: {reasons[0] if len(reasons) else 'unknown'}. Lower "
        "proxies.training.learning_rate where losses diverged, raise parameters.omega_max where "
        "thetas select too little, and train the proxies again; or raise proxies.max_failed_share",
    )


def _labels(store: Store, shards: Sequence[str], settings: Settings) -> FailedGuard | None:
    coverage, limit = label_coverage(store, shards), settings.features.max_unknown_share
    if coverage.unknown_share <= limit and not coverage.is_empty:
        return None
    return FailedGuard(
        "labels_cover_the_pool", coverage.in_words(limit), can_be_accepted=not coverage.is_empty
    )
