"""`final_mix` of a mix: the rule applied to each shard."""

import dagster as dg

from quadmix_assets.defs.conditions import SHARD
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.features import domain_labels, score_normalizers, scored_shards
from quadmix_assets.defs.materialized import materialize_shards
from quadmix_assets.defs.metadata import Cost, clear_errors, columns_metadata
from quadmix_assets.defs.mix_names import group_of, mix_key
from quadmix_assets.defs.partitions import SHARDS
from quadmix_assets.defs.raw_shards import raw_shards
from quadmix_assets.defs.resources import OWNERS, SHARDS_PER_RUN, ProjectResource, version_of
from quadmix_assets.mix.export import export_shard, n_shards_at_once
from quadmix_assets.mix.final_mix import column_lineage, columns_of, mix_shard
from quadmix_assets.mix.lineage import column_tree
from quadmix_assets.mix.stored_rule import read_rule
from quadmix_assets.outputs import FINAL_MIX, MIX_EXPORT, RAW_SHARDS, SELECTION_RULE, mix_output
from quadmix_assets.report.markdown import code_block
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import MissingOutputError, Store


def final_mix(settings: Settings, mix: NamedMix) -> dg.AssetsDefinition:
    """The asset `mixes/<name>/final_mix`."""
    asset, exports = mix_output(mix.name, FINAL_MIX), mix_output(mix.name, MIX_EXPORT)
    export, lake = settings.export_of(mix), Store(settings.resolve(settings.lake))

    @dg.asset(
        key=mix_key(mix, FINAL_MIX),
        group_name=group_of(mix),
        kinds={"polars", "parquet"},
        owners=OWNERS,
        code_version=version_of(asset, 1),
        partitions_def=SHARDS,
        deps=[
            scored_shards,
            domain_labels,
            mix_key(mix, SELECTION_RULE),
            *([score_normalizers] if mix.normalized else []),
            *([raw_shards] if export != "none" else []),
        ],
        backfill_policy=dg.BackfillPolicy.multi_run(SHARDS_PER_RUN),
        automation_condition=SHARD if settings.is_followed(mix) else None,
        # Here and not with every shard, so that events stay small.
        metadata={
            **columns_metadata(asset, columns_of(settings), column_lineage(mix, settings)),
            "dagster/uri": str(lake.root / asset),
            **({"export": str(lake.root / exports)} if export != "none" else {}),
            # Dagster's UI keeps column lineage and shows none of it.
            "copies_back_to_the_text": dg.MetadataValue.md(code_block(column_tree(mix, settings))),
        },
        description=f"The documents of a shard that the mix `{mix.name}` takes, with copies.\n\n"
        "Beside them raw scores, domain, and the numbers that decided. No text: "
        + (
            f"the export for trainers beside it, `mixes/{mix.name}/export/`, holds each text once "
            "per copy. "
            if export != "none"
            else "join `raw_shards` by id, or set `export` of the mix. "
        )
        + (
            "New and changed shards are mixed as they come."
            if settings.is_followed(mix)
            else "The mix is not followed: new shards are mixed when somebody asks (job "
            "`make_mixes`); the check `mix_is_current` says when it is behind."
        ),
    )
    @faults_in_words
    def documents(
        context: dg.AssetExecutionContext, project: ProjectResource
    ) -> dg.MaterializeResult:
        settings, store = project.settings, project.store
        export = settings.export_of(settings.mix_named(mix.name))
        with clear_errors(MissingOutputError):
            loaded = read_rule(store, settings, mix.name)

        def work(key: str) -> dict[str, object]:
            cost = Cost()
            summary = mix_shard(store, key, settings, mix.name, loaded)
            if export != "none":
                export_shard(store, key, mix.name, export)
            # A value of its own takes as many bytes of the event as all of these in one.
            counts = {name: value for name, value in summary.items() if isinstance(value, int)}
            counts["n_dropped_duplicates"] = summary["dropped_duplicates"]["n_documents"]
            n_bytes = store.summary(store.table_path(RAW_SHARDS, key))["n_bytes"]
            return {
                "dagster/row_count": summary["n_documents_out"],
                "token_share_kept": summary["n_tokens_out"] / max(summary["n_tokens_in"], 1),
                "counts": dg.MetadataValue.json({**counts, **cost.metadata(n_bytes=n_bytes)}),
            }

        return materialize_shards(
            context,
            project,
            asset,
            work,
            # The columns are in the definition; rows would be half as much again as the event.
            is_described=False,
            expected_errors=(MissingOutputError, ValueError),
            n_threads=n_shards_at_once(),
        )

    return documents
