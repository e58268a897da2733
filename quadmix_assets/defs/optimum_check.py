"""Group `search`: theta* against baselines, measured with proxies."""

from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from quadmix_assets.corpus.target_sets import SEARCH
from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, readable_table, table_metadata
from quadmix_assets.defs.needs import TRAINS
from quadmix_assets.defs.progress import observe_progress
from quadmix_assets.defs.proxies import proxy_pool
from quadmix_assets.defs.refinement import GROUP
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.defs.retries import RETRY_ONCE
from quadmix_assets.defs.verification import verification
from quadmix_assets.outputs import OPTIMUM_CHECK
from quadmix_assets.search.optimum_check import (
    THETA_STAR,
    UNIFORM,
    CheckResult,
    read_check,
    train_check,
)
from quadmix_assets.search.optimum_plots import plot_optimum_check
from quadmix_assets.settings import SettingsError, with_search
from quadmix_assets.store import MissingOutputError

# What samples are called where people read of them.
_NAMES = {UNIFORM: "random documents"}


class CheckConfig(dg.Config):
    """What one check of theta* may do differently from the settings."""

    n_seeds: int | None = Field(
        default=None,
        ge=1,
        description="models that are trained with different seeds on each sample; more of them "
        "narrow the confidence intervals. Empty: as search.check_seeds says",
    )


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    code_version=version_of(OPTIMUM_CHECK, 3),
    deps=[verification, proxy_pool],
    automation_condition=PINNED,
    pool="training",
    op_tags=TRAINS,
    retry_policy=RETRY_ONCE,
)
@faults_in_words
def optimum_check(
    context: dg.AssetExecutionContext, config: CheckConfig, project: ProjectResource
) -> dg.MaterializeResult:
    """Proxies trained on the samples of theta* and of baselines, several seeds each.

    theta* put to the test on the proof part of the target sets, by which nothing was chosen.
    Baselines are the paper's theta, the best theta of the first round, documents at random, and the
    best documents by each single criterion (compare the paper's Table 1), all of the same number of
    expected tokens. Draws, orders and initial weights are fresh, and common to all of a seed. Do
    not make a mix from a theta* that does not beat the best of the first round.
    """
    cost = Cost()
    store = project.store
    with clear_errors(SettingsError):
        settings = with_search(project.settings, check_seeds=config.n_seeds)
    with clear_errors(MissingOutputError, ValueError):
        losses = train_check(store, settings, observe_progress(context))
        results = {w.name: read_check(store, settings, w.name) for w in settings.objectives}
    path = store.table_path(OPTIMUM_CHECK)
    metadata: dict[str, Any] = {}
    for name, result in results.items():
        table = result.table()
        plot = plot_optimum_check(_named(table), unit=result.objective.unit, title=name)
        metadata |= {
            f"table_{name}": readable_table(_shown(result)),
            f"check_{name}": figure(store, OPTIMUM_CHECK, f"check_{name}", plot),
            f"tokens_{name}": result.tokens,
        }
        if result.optimism is not None:
            metadata[f"optimism_{name}"] = result.optimism
    return materialized(
        project,
        OPTIMUM_CHECK,
        {
            **table_metadata(path, losses.schema, losses.height),
            **metadata,
            "launched_with": dg.MetadataValue.json({"check_seeds": settings.search.check_seeds}),
            **cost.metadata(),
        },
        path=path,
    )


def _named(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col("sample").replace(_NAMES))


def _shown(result: CheckResult) -> pl.DataFrame:
    """What was measured for one objective, a line per sample, with half their 90 % intervals."""
    rows = []
    for name in result.on_proof:
        gain = None if name == THETA_STAR else result.gain_over(name).gain.brief
        rows.append(
            {
                "trained on": _NAMES.get(name, name),
                "predicted": result.predicted.get(name),
                "on search": result.mean(name, SEARCH).brief,
                "on proof": result.mean(name).brief,
                "theta* gains": gain,
                "seeds": result.mean(name).seeds,
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


@dg.asset_check(asset=optimum_check)
@faults_in_words
def theta_star_beats_the_swarm(project: ProjectResource) -> dg.AssetCheckResult:
    """Whether theta* is better than the best theta of the first round beyond the noise of seeds."""
    settings, store = project.settings, project.store
    results = {w.name: read_check(store, settings, w.name) for w in settings.objectives}
    metadata: dict[str, float] = {}
    for name, result in results.items():
        for sample, row in zip(result.on_proof, result.table().iter_rows(named=True), strict=True):
            if row["gain"] is not None:
                metadata[f"gain_{name} over {sample}"] = row["gain"]
    return dg.AssetCheckResult(
        passed=results[settings.mix_objective].passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=". ".join(result.in_words() for result in results.values()),
        metadata=metadata,
    )
