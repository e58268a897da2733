"""`benchmark_results` of a mix: what its models reach, and whether that can be trusted."""

from collections.abc import Sequence

import dagster as dg
import polars as pl

from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.corpus import target_sets
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, readable_table
from quadmix_assets.defs.mix_names import group_of, mix_key
from quadmix_assets.defs.needs import TRAINS_LANGUAGE_MODEL
from quadmix_assets.defs.resources import HELD_OUT, OWNERS, ProjectResource, version_of
from quadmix_assets.defs.retries import RETRY_ONCE
from quadmix_assets.defs.target_overlap import target_overlap
from quadmix_assets.evidence.plots import plot_losses_on_sets
from quadmix_assets.evidence.result_tables import losses_table, overlap_table, tasks_table
from quadmix_assets.evidence.results import HELD_OUT as HELD_OUT_KIND
from quadmix_assets.evidence.results import TASK, overlap_path, read_results, results_path
from quadmix_assets.outputs import (
    BENCHMARK_RESULTS,
    LANGUAGE_MODEL,
    MIX_MANIFEST,
    TARGET_OVERLAP,
    mix_output,
)
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import MissingOutputError


def benchmark_results(settings: Settings, mix: NamedMix) -> dg.AssetsDefinition:
    """The asset `mixes/<name>/benchmark_results`."""
    asset = mix_output(mix.name, BENCHMARK_RESULTS)
    has_tasks = bool(settings.evidence.tasks)

    @dg.asset(
        key=mix_key(mix, BENCHMARK_RESULTS),
        group_name=group_of(mix),
        kinds={"pytorch", "parquet"},
        owners=OWNERS,
        code_version=version_of(asset, 1),
        deps=[
            mix_key(mix, LANGUAGE_MODEL),
            mix_key(mix, MIX_MANIFEST),
            target_sets,
            *HELD_OUT,
            target_overlap,
        ],
        automation_condition=PINNED,
        pool="training",
        op_tags=TRAINS_LANGUAGE_MODEL,
        retry_policy=RETRY_ONCE,
        description=f"What the language models of the mix `{mix.name}` reach: losses on the part "
        "`proof` of the target sets, on held-out sets, and the benchmark tasks, as in the paper's "
        "Table 1.\n\n"
        "Beside them stands a trigram model of the mix, a second opinion that costs seconds. Every "
        "number has a standard error over documents or questions. Nothing is trained here: when "
        "sets or tasks change, this asset alone is made again.",
    )
    @faults_in_words
    def results(project: ProjectResource) -> dg.MaterializeResult:
        from quadmix_assets.evidence.benchmark import measure_mix

        cost = Cost()
        store = project.store
        with clear_errors(MissingOutputError, ValueError, FileNotFoundError):
            found = measure_mix(store, project.settings, mix.name)
        overlap = store.read_table(overlap_path(store, mix.name))
        plot = plot_losses_on_sets(found, mix=mix.name)
        return materialized(
            project,
            asset,
            {
                "dagster/uri": str(results_path(store, mix.name)),
                "dagster/row_count": found.height,
                "losses": readable_table(losses_table(found)),
                **({"tasks": readable_table(tasks_table(found))} if has_tasks else {}),
                "overlap": readable_table(overlap_table(overlap)),
                "losses_on_sets": figure(store, asset, "losses_on_sets", plot),
                **cost.metadata(),
            },
        )

    return results


def result_checks(settings: Settings, mix: NamedMix) -> list[dg.AssetChecksDefinition]:
    """The checks of the results of a mix: of held-out sets and of tasks, where there are any."""
    return [
        *([_held_out_sets_are_held_out(mix)] if settings.held_out_sets else []),
        *([_above_chance(mix)] if settings.evidence.tasks else []),
    ]


def _held_out_sets_are_held_out(mix: NamedMix) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=mix_key(mix, BENCHMARK_RESULTS),
        description="Whether the mix holds next to nothing of the held-out sets: few of their "
        "documents share a run of 13 words with one of its documents.",
    )
    @faults_in_words
    def held_out_sets_are_held_out(project: ProjectResource) -> dg.AssetCheckResult:
        store, limit = project.store, project.settings.corpus.max_target_overlap
        with clear_errors(MissingOutputError):
            overlap = store.read_table(overlap_path(store, mix.name))
        table = overlap.filter(pl.col("kind") == HELD_OUT_KIND).with_columns(
            (pl.col("n_in_mix") / pl.col("n_documents")).alias("share_in_mix")
        )
        unknown = table.filter(pl.col("n_in_mix").is_null())["set"].to_list()
        over = table.filter(pl.col("share_in_mix") > limit)
        return dg.AssetCheckResult(
            passed=over.is_empty() and not unknown,
            severity=dg.AssetCheckSeverity.WARN,
            description=_overlap_in_words(unknown, over, limit),
            metadata={"held_out_sets": readable_table(table.drop("mix", "kind"))},
        )

    return held_out_sets_are_held_out


def _overlap_in_words(unknown: Sequence[str], over: pl.DataFrame, limit: float) -> str:
    if unknown:
        return (
            f"not all shards of the mix have been compared with {', '.join(unknown)}: materialise "
            f"{TARGET_OVERLAP} of the shards that are missing or unsynced, then this asset"
        )
    if over.is_empty():
        return (
            f"at most {limit:.2%} of the documents of every held-out set share a run of 13 words "
            "with the mix"
        )
    shares = ", ".join(
        f"{row['set']} ({row['n_in_mix']} of {row['n_documents']} documents)"
        for row in over.iter_rows(named=True)
    )
    return (
        f"the mix holds parts of {shares}; the limit is {limit:.2%} (corpus.max_target_overlap). "
        f"The losses on them are lower than on unseen text: the table {TARGET_OVERLAP} names the "
        "documents of the pool to remove"
    )


def _above_chance(mix: NamedMix) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=mix_key(mix, BENCHMARK_RESULTS),
        description="Whether the models answer any benchmark task better than by guessing; at "
        "chance level accuracies tell nothing about mixes.",
    )
    @faults_in_words
    def above_chance(project: ProjectResource) -> dg.AssetCheckResult:
        store = project.store
        with clear_errors(MissingOutputError):
            table = tasks_table(read_results(store, mix.name).filter(pl.col("kind") == TASK))
        told = table.filter(pl.col("says") != "") if table.height else table
        guessed, names = [], []
        for (task,), found in told.group_by("task", maintain_order=True) if told.height else ():
            names.append(str(task))
            if (found["says"] == "at chance level").all():
                guessed.append(str(task))
        words = f"at chance level in {', '.join(guessed)}" if guessed else "above chance in all"
        everything = bool(names) and len(guessed) == len(names)
        return dg.AssetCheckResult(
            passed=not everything,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{words} ({len(names)} tasks)"
            + (
                ": compare mixes by the probability of the right choice and by losses, or train "
                "larger models, or longer (evidence.model.architecture, evidence.budgets)"
                if everything
                else ""
            ),
            metadata={"tasks": readable_table(table)} if table.height else {},
        )

    return above_chance
