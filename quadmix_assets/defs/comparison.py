"""Group `comparison`: models trained on the final mix against models trained on random mixes."""

import dagster as dg
import polars as pl

from quadmix_assets.comparison.losses import gains_over_random, mean_losses
from quadmix_assets.comparison.plots import plot_losses_of_mixes
from quadmix_assets.comparison.random_mix import compare_with_random
from quadmix_assets.defs.conditions import PINNED_AFTER_ALL
from quadmix_assets.defs.corpus import target_sets, tokenizer
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.features import scored_shards
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import (
    Cost,
    clear_errors,
    figure,
    markdown_table,
    table_metadata,
)
from quadmix_assets.defs.mix import final_mix
from quadmix_assets.defs.partitions import shards_with
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.outputs import FINAL_MIX, RANDOM_COMPARISON
from quadmix_assets.store import MissingOutputError

GROUP = "comparison"


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    code_version=version_of(RANDOM_COMPARISON, 1),
    deps=[final_mix, scored_shards, target_sets, tokenizer],
    automation_condition=PINNED_AFTER_ALL,
    pool="training",
)
@faults_in_words
def random_comparison(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """The same small model trained on the final mix and on random mixes of the same size.

    The first comparison of the paper's Table 1, at the size of a proxy. If `mix_beats_random`
    fails, the mix is not worth training on: look at `regressor` and `optimum_check` first.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError):
        losses = compare_with_random(store, shards_with(context, FINAL_MIX), settings)
    path = store.table_path(RANDOM_COMPARISON)
    store.write_table(path, losses)
    return materialized(
        project,
        RANDOM_COMPARISON,
        {
            **table_metadata(path, losses.schema, losses.height),
            "means": markdown_table(mean_losses(losses)),
            "losses": figure(store, RANDOM_COMPARISON, "losses", plot_losses_of_mixes(losses)),
            **cost.metadata(n_tokens=int(losses.unique(("mix", "seed"))["n_tokens"].sum())),
        },
        path=path,
    )


@dg.asset_check(asset=random_comparison)
@faults_in_words
def mix_beats_random(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether the final mix gives a lower loss than a random mix, seed by seed."""
    settings, store = project.settings, project.store
    gains = gains_over_random(store.read_table(store.table_path(RANDOM_COMPARISON)))
    targets = {
        target
        for objective in settings.objectives
        if objective.name == settings.mix_objective
        for target in objective.targets
    }
    relevant = gains.filter(pl.col("target").is_in(sorted(targets)))
    won = int((relevant["gain"] > 0).sum())
    return dg.AssetCheckResult(
        passed=won == relevant.height,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"the final mix has the lower loss in {won} of {relevant.height} pairs "
        f"(objective {settings.mix_objective!r}); mean gain "
        f"{float(str(relevant['gain'].mean() or 0.0)):.4f} nats per token",
        metadata={"pairs": markdown_table(gains)},
    )
