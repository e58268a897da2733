"""Group `search`: candidates for theta* are measured, and what wins is theta*."""

from typing import Any

import dagster as dg
import polars as pl

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
from quadmix_assets.defs.search import optimal_params
from quadmix_assets.outputs import VERIFICATION
from quadmix_assets.search.candidates import QUADMIX_PAPER
from quadmix_assets.search.intervals import Mean
from quadmix_assets.search.verification import VERIFICATION_SCHEMA, Contest, verify
from quadmix_assets.search.verification_plots import plot_heats
from quadmix_assets.store import MissingOutputError


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "parquet"},
    owners=OWNERS,
    code_version=version_of(VERIFICATION, 1),
    deps=[optimal_params, proxy_pool],
    automation_condition=PINNED,
    pool="training",
    op_tags=TRAINS,
    retry_policy=RETRY_ONCE,
)
@faults_in_words
def verification(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """theta* per objective: the candidate that wins when all are measured with fresh seeds.

    An addition to the paper, whose theta* is kept beside it as `quadmix_paper`. Successive halving
    (`search.verify`): each heat trains proxies for the best candidates so far, with draws, orders
    and initial weights that neither the swarm nor an earlier heat has used. Where the objective's
    noise hides the differences between thetas, later heats have twice the seeds. A run that was
    killed goes on where it was. Mixes follow only when their `selection_rule` is made again.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError):
        contests = verify(store, settings, observe_progress(context))
    path = store.table_path(VERIFICATION)
    metadata: dict[str, Any] = {}
    for name, contest in contests.items():
        ranking = contest.ranking()
        metadata[f"candidates_{name}"] = readable_table(_shown(ranking))
        plot = plot_heats(ranking, unit=contest.objective.unit, title=name)
        metadata[f"heats_{name}"] = figure(store, VERIFICATION, f"heats_{name}", plot)
        metadata |= _winner(name, contest)
        context.log.info(f"{name}: {metadata[f'theta_star_{name}'].text}")
    return materialized(
        project,
        VERIFICATION,
        {
            **metadata,
            **table_metadata(path, VERIFICATION_SCHEMA, store.n_rows(path)),
            "dagster/uri": str(store.root / VERIFICATION),
            **cost.metadata(),
        },
    )


def _shown(ranking: pl.DataFrame) -> pl.DataFrame:
    """The ranking for reading: means with half their 90 % intervals, in few narrow columns."""
    means = [
        Mean(mean, low, high, seeds).brief
        for mean, low, high, seeds in ranking.select("mean", "low", "high", "seeds").rows()
    ]
    return ranking.select(
        "candidate",
        "seeds",
        pl.Series("measured", means, dtype=pl.String),
        pl.col("behind").alias("worse by"),
        "predicted",
        "optimism",
        "outside",
    )


def _winner(name: str, contest: Contest) -> dict[str, Any]:
    """What became theta* of an objective, in words and numbers, beside the paper's theta."""
    winner, paper = contest.chosen(contest.winner), contest.chosen(QUADMIX_PAPER)
    unit = contest.objective.unit
    words = f"theta* is {winner.candidate.name!r}, predicted {winner.predicted:.4f} {unit}"
    if winner.optimism is not None:
        words += (
            f", measured {winner.measured} with {winner.measured.seeds} seeds; "
            f"{QUADMIX_PAPER} predicted {paper.predicted:.4f}, measured {paper.measured} with "
            f"{paper.measured.seeds}"
        )
    else:
        words += ", not measured, as it is the only candidate"
    found: dict[str, Any] = {f"theta_star_{name}": dg.MetadataValue.text(words)}
    if winner.optimism is not None:
        found |= {
            f"measured_{name}": winner.measured.value,
            f"optimism_{name}": winner.optimism,
        }
    return found
