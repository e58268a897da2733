"""The checks that a mix waits for: where one fails, theta* or the mix would be a guess."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

from quadmix_assets.features.label_coverage import label_coverage
from quadmix_assets.mix.methods.quadmix import ThetaMethod
from quadmix_assets.mix.upstream import upstream_of
from quadmix_assets.outputs import PROXY_METRICS, REGRESSOR, SELECTION_RULE, mix_output
from quadmix_assets.proxies.evidence import Evidence, read_evidence
from quadmix_assets.search.fit import poor_regressors, read_metrics
from quadmix_assets.search.objective import objective_named
from quadmix_assets.search.within_evidence import WHAT_TO_DO, thetas_outside_evidence
from quadmix_assets.settings import NamedMix, Settings
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


def guards_of(settings: Settings, mix: NamedMix) -> tuple[Guard, ...]:
    """The guards of what a mix uses: a predicted theta, proxies, domains."""
    found: list[Guard] = []
    upstream = upstream_of(settings, mix) if mix.uses_theta else []
    if PROXY_METRICS in upstream:
        if REGRESSOR in upstream:
            found.append("regressor_learned_something")
            if mix.stays_within_evidence:
                found.append("theta_star_is_within_evidence")
        found.append("few_proxies_failed")
    if mix.uses_domains:
        found.append("labels_cover_the_pool")
    return tuple(found)


def check_guards(store: Store, shards: Sequence[str], settings: Settings, mix: NamedMix) -> Guards:
    """Look at the guards of a mix of `shards`.

    Raises:
        GuardsFailedError: some failed and are not accepted; the message says what to do.
        MissingOutputError: what a guard looks at has not been made.
    """
    names = guards_of(settings, mix)
    looked_at: list[FailedGuard | None] = []
    if "regressor_learned_something" in names:
        looked_at.append(_regressor(store, settings, settings.objective_of(mix)))
    if "few_proxies_failed" in names:
        evidence = read_evidence(store, settings)
        if "theta_star_is_within_evidence" in names:
            looked_at.append(_evidence(store, settings, evidence, mix))
        looked_at.append(_proxies(settings, evidence))
    if "labels_cover_the_pool" in names:
        looked_at.append(_labels(store, shards, settings))
    failed = [guard for guard in looked_at if guard is not None]
    accept = settings.mix.accept
    waiting = [g for g in failed if g.name not in accept or not g.can_be_accepted]
    if waiting:
        raise GuardsFailedError(_waiting(mix, waiting))
    return Guards(tuple(failed), tuple(guard.name for guard in failed))


def _waiting(mix: NamedMix, guards: Sequence[FailedGuard]) -> str:
    lines = [f"the mix {mix.name} would be a guess, so it waits:"]
    lines += [f"- {guard.name}: {guard.words}" for guard in guards]
    acceptable = [guard.name for guard in guards if guard.can_be_accepted]
    if acceptable:
        lines.append(
            f"After that, materialise {mix_output(mix.name, SELECTION_RULE)} again. To make the "
            f"mix all the same, add {', '.join(acceptable)} to the setting mix.accept: the "
            "manifest will say so"
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
        "materialise regressor, optimal_params and verification again",
    )


def _evidence(
    store: Store, settings: Settings, evidence: Evidence, mix: NamedMix
) -> FailedGuard | None:
    method = mix.implementation()(mix, store, settings)
    assert isinstance(method, ThetaMethod)
    thetas = {mix.name: method.theta()}
    with threadpool_limits(settings.search.n_threads):
        outside = thetas_outside_evidence(store, settings, evidence, thetas)[mix.name]
    if not outside:
        return None
    return FailedGuard(
        "theta_star_is_within_evidence",
        f"the theta of the mix {mix.name} lies outside the range of the trained thetas in "
        f"{outside}. {WHAT_TO_DO}",
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
