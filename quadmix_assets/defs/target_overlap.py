"""Group `corpus`: whether the pool contains text on which losses are measured."""

import dagster as dg
import polars as pl

from quadmix_assets.corpus.overlap import SCHEMA, TargetRuns, n_too_short
from quadmix_assets.defs.conditions import ON_CHANGES, SHARD
from quadmix_assets.defs.corpus import target_sets
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialize_shards
from quadmix_assets.defs.metadata import Cost, clear_errors, markdown_table, place_metadata
from quadmix_assets.defs.partitions import SHARDS, shards_with
from quadmix_assets.defs.raw_shards import raw_shards
from quadmix_assets.defs.resources import (
    HELD_OUT,
    OWNERS,
    SHARDS_PER_RUN,
    ProjectResource,
    version_of,
)
from quadmix_assets.evidence.overlap import searched_texts, searched_versions
from quadmix_assets.outputs import RAW_SHARDS, TARGET_OVERLAP
from quadmix_assets.store import BATCH_ROWS, MissingOutputError

_EXAMPLES = 20


@dg.asset(
    group_name="corpus",
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(TARGET_OVERLAP, 1),
    partitions_def=SHARDS,
    deps=[raw_shards, target_sets, *HELD_OUT],
    backfill_policy=dg.BackfillPolicy.multi_run(SHARDS_PER_RUN),
    automation_condition=SHARD,
)
@faults_in_words
def target_overlap(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> dg.MaterializeResult:
    """Documents of the pool that share runs of 13 words with an evaluated part of a target set.

    A pool that holds the text of a target set makes its loss meaningless: the best theta (Algorithm
    1) would be the one that selects that text. If `targets_are_not_in_the_pool` fails, remove the
    documents listed here from the pool, or from the target set. Held-out sets are looked for too,
    where the settings name any.
    """
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError):
        runs = TargetRuns.of(searched_texts(store, settings))
        versions = searched_versions(store, settings)

    def work(key: str) -> dict[str, object]:
        cost = Cost()
        raw = store.table_path(RAW_SHARDS, key)
        found = [
            runs.found_in(batch["id"], batch["text"])
            for batch in store.iter_table(raw, ["id", "text"], BATCH_ROWS)
        ]
        table = pl.concat([pl.DataFrame(schema=SCHEMA), *found])
        path = store.table_path(TARGET_OVERLAP, key)
        store.write_table(path, table, {"inputs": versions})
        return {
            **place_metadata(path, table.height),
            "n_pool_documents": table["id"].n_unique(),
            "n_target_documents": table.select("target", "target_id").n_unique(),
            **cost.metadata(n_documents=store.n_rows(raw), n_bytes=store.summary(raw)["n_bytes"]),
        }

    return materialize_shards(
        context, project, TARGET_OVERLAP, work, expected_errors=(MissingOutputError,)
    )


@dg.asset_check(asset=target_overlap, automation_condition=ON_CHANGES)
@faults_in_words
def targets_are_not_in_the_pool(
    context: dg.AssetCheckExecutionContext, project: ProjectResource
) -> dg.AssetCheckResult:
    """Whether few documents of every target set share a run of 13 words with the pool.

    A pool that contains the text of a target set makes its loss meaningless: the best theta would
    be the one that selects that text.
    """
    settings, store = project.settings, project.store
    shards = shards_with(context, TARGET_OVERLAP)
    found = pl.concat(store.read_table(store.table_path(TARGET_OVERLAP, key)) for key in shards)
    texts = searched_texts(store, settings)
    targets = {name: texts[name] for name in settings.target_names}
    table = pl.DataFrame(
        [
            {
                "target": name,
                "documents": frame.height,
                "in_the_pool": found.filter(pl.col("target") == name)["target_id"].n_unique(),
                "too_short_to_tell": n_too_short(frame["text"]),
            }
            for name, frame in targets.items()
        ]
    ).with_columns((pl.col("in_the_pool") / pl.col("documents")).alias("share"))
    limit = settings.corpus.max_target_overlap
    over = table.filter(pl.col("share") > limit)
    worst = table.sort("share", descending=True).row(0, named=True)
    return dg.AssetCheckResult(
        passed=over.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{worst['in_the_pool']} of {worst['documents']} documents of the target set "
        f"{worst['target']!r} share a run of 13 words with the pool ({worst['share']:.2%}; limit "
        f"{limit:.2%})"
        + (
            ""
            if over.is_empty()
            else f"; too many in {', '.join(over['target'])}: remove these documents from the pool "
            "or from the target set (the table target_overlap lists them)"
        ),
        metadata={
            "targets": markdown_table(table),
            "examples": markdown_table(
                found.sort("n_runs", descending=True)
                .unique("target_id", maintain_order=True)
                .head(_EXAMPLES)
            ),
        },
    )
