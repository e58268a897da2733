"""`selection_rule` of a mix, and the check that it still fits the pool."""

import dagster as dg
import polars as pl

from quadmix_assets.defs.conditions import ON_CHANGES, PINNED
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.features import (
    domain_labels,
    score_normalizers,
    scored_reference_pool,
    scored_shards,
)
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, markdown_table
from quadmix_assets.defs.mix_names import group_of, mix_key
from quadmix_assets.defs.partitions import shards_with
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.features.scored_reference_pool import read_scored_reference_pool
from quadmix_assets.mix.fit_rule import FittedRule, fit_rule
from quadmix_assets.mix.guards import check_guards, guards_of
from quadmix_assets.mix.made_from import write_made_from
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.plots import plot_sampling_curves
from quadmix_assets.mix.rule_drift import rule_drift
from quadmix_assets.mix.upstream import parents_of_rule
from quadmix_assets.outputs import SCORED_SHARDS, SELECTION_RULE, mix_output
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.settings.mix import Guard
from quadmix_assets.store import MissingOutputError

# What a rule waits for, in words.
_GUARDS: dict[Guard, str] = {
    "regressor_learned_something": "the regressor is no better than a constant",
    "theta_star_is_within_evidence": "theta lies outside the range of the trained ones",
    "few_proxies_failed": "too many proxies failed",
    "labels_cover_the_pool": "too few documents have a domain",
}


def selection_rule(settings: Settings, mix: NamedMix) -> dg.AssetsDefinition:
    """The asset `mixes/<name>/selection_rule`."""
    asset = mix_output(mix.name, SELECTION_RULE)
    parents = [dg.AssetKey.from_user_string(name) for name in parents_of_rule(settings, mix)]

    @dg.asset(
        key=mix_key(mix, SELECTION_RULE),
        group_name=group_of(mix),
        kinds={"polars", "parquet"},
        owners=OWNERS,
        code_version=version_of(asset, 1),
        deps=[
            scored_reference_pool,
            *([score_normalizers] if mix.normalized else []),
            *parents,
        ],
        automation_condition=PINNED if settings.is_followed(mix) else None,
        description=_description(settings, mix),
    )
    @faults_in_words
    def rule(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
        cost = Cost()
        settings, store = project.settings, project.store
        mix_now = settings.mix_named(mix.name)
        with clear_errors(MissingOutputError, ValueError):
            guards = check_guards(store, read_scored_reference_pool(store), settings, mix_now)
            made = fit_rule(store, settings, mix.name)
            write_made_from(store, settings, mix_now, guards)
        for guard in guards.failed:
            context.log.warning(f"accepted by mix.accept: {guard.name}: {guard.words}")
        metadata = {
            "dagster/uri": str(store.root / asset),
            "method": mix.method,
            "objective": settings.objective_of(mix_now) if mix.uses_theta else "none",
            "tokens": made.tokens if made.tokens is not None else "what the method takes",
            "expected_tokens_of_mix": int(made.expected_tokens.sum()),
            "expected_tokens": markdown_table(_taken(settings, made)),
            "n_documents": made.n_documents,
            "n_dropped_duplicates": made.dropped["n_documents"],
            "accepted_guards": ", ".join(guards.accepted) or "none",
            **cost.metadata(n_documents=made.n_documents),
        }
        if isinstance(made.rule, ThetaRule):
            curves = plot_sampling_curves(made.rule.theta, settings.domain_names, made.pool_tokens)
            metadata["sampling_curves"] = figure(store, asset, "sampling_curves", curves)
            metadata["max_rank_error"] = made.rule.calibration.max_error
        return materialized(project, asset, metadata)

    return rule


def _description(settings: Settings, mix: NamedMix) -> str:
    guards = [_GUARDS[guard] for guard in guards_of(settings, mix)]
    waits = (
        f" It waits while {' or '.join(guards)}, unless `mix.accept` names that guard."
        if guards
        else ""
    )
    return (
        f"All that the mix `{mix.name}` needs to decide on one document. Pinned.\n\n"
        f"Fitted by the method `{mix.method}` on score columns, never on text. New documents are "
        "decided on by the same rule; it changes only when this asset is materialised again, and "
        f"the mix of every shard with it.{waits}"
    )


def _taken(settings: Settings, made: FittedRule) -> pl.DataFrame:
    """What the rule takes of each domain of the pool."""
    return pl.DataFrame(
        {
            "domain": settings.domain_names,
            "n_tokens_pool": made.pool_tokens,
            "n_tokens_mix": made.expected_tokens,
            "share_of_mix": made.expected_tokens / max(int(made.expected_tokens.sum()), 1),
            "epochs": made.expected_tokens / made.pool_tokens.clip(1),
        }
    )


def rule_fits_the_pool(mix: NamedMix) -> dg.AssetChecksDefinition:
    """The check of the rule of a mix."""

    @dg.asset_check(
        asset=mix_key(mix, SELECTION_RULE),
        additional_deps=[scored_shards, domain_labels],
        automation_condition=ON_CHANGES,
        description="Whether the pinned rule still says of the current pool what it said when it "
        "was fitted: ranks within domains, or the share of each domain that it takes.",
    )
    @faults_in_words
    def rule_fits_the_pool(
        context: dg.AssetCheckExecutionContext, project: ProjectResource
    ) -> dg.AssetCheckResult:
        settings, store = project.settings, project.store
        found = rule_drift(store, shards_with(context, SCORED_SHARDS), settings, mix.name)
        limit, by_domain = settings.features.max_drift, found.by_domain
        far = sorted(name for name, value in by_domain.items() if value > limit)
        what = "ranks" if found.rank_error else "shares taken of the domains"
        return dg.AssetCheckResult(
            passed=not far,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{what} are off by at most {max(by_domain.values(), default=0.0):.3f} "
            f"(limit {limit})"
            + (
                f"; too far in {', '.join(far)}: materialise "
                f"{mix_output(mix.name, SELECTION_RULE)} again, after which the mix of all shards "
                "is made again"
                if far
                else ""
            ),
            metadata={
                **{f"drift_{name}": value for name, value in by_domain.items()},
                "max_error": found.max_error,
                "taken": markdown_table(
                    pl.DataFrame(
                        {
                            "domain": found.domain_names,
                            "epochs_when_fitted": found.taken_before,
                            "epochs_now": found.taken_now,
                        }
                    )
                ),
            },
        )

    return rule_fits_the_pool
