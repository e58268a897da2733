"""`mix_manifest` of a mix: what it was made from."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from quadmix_assets.defs.conditions import GATHER
from quadmix_assets.defs.discovery import INPUT_LISTING
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import (
    Cost,
    clear_errors,
    figure,
    markdown_table,
    readable_table,
)
from quadmix_assets.defs.mix_links import MANIFEST_TAG, gather_links, tag_runs
from quadmix_assets.defs.mix_names import group_of, mix_key
from quadmix_assets.defs.optimum_check import optimum_check
from quadmix_assets.defs.partitions import shards_with
from quadmix_assets.defs.resources import OWNERS, ProjectResource, version_of
from quadmix_assets.mix.lineage import LINEAGE_COLUMNS, lineage_table
from quadmix_assets.mix.links import (
    LINKED_COLUMNS,
    Link,
    linked_assets,
    links_path,
    read_links,
    table_of_links,
    write_links,
)
from quadmix_assets.mix.manifest import build_manifest, write_manifest
from quadmix_assets.mix.plots import plot_domain_shares
from quadmix_assets.mix.prune_versions import prune_versions
from quadmix_assets.mix.summary import domain_table
from quadmix_assets.mix.version_table import narrow_version_table
from quadmix_assets.mix.versions import keep_version, list_headers
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    MIX_LINKS,
    MIX_MANIFEST,
    PROXY_METRICS,
    RAW_SHARDS,
    SCORED_SHARDS,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets.settings import NamedMix
from quadmix_assets.store import MissingOutputError, Store


def mix_manifest(mix: NamedMix) -> dg.AssetsDefinition:
    """The asset `mixes/<name>/mix_manifest`."""
    asset, documents = mix_output(mix.name, MIX_MANIFEST), mix_output(mix.name, FINAL_MIX)

    @dg.asset(
        key=mix_key(mix, MIX_MANIFEST),
        group_name=group_of(mix),
        kinds={"json"},
        owners=OWNERS,
        code_version=version_of(asset, 3),
        deps=[
            mix_key(mix, FINAL_MIX),
            INPUT_LISTING,
            *([optimum_check] if mix.uses_theta else []),
        ],
        automation_condition=GATHER,
        description=f"Everything that the mix `{mix.name}` was made from in one JSON, from "
        "settings to each shard's checksum.\n\n"
        "Keep it with the model that is trained on the mix. "
        f"`{mix_output(mix.name, MIX_LINKS)}/links.json` leads from each entry to the asset, "
        "partition and run that made it. Shares before and after are those of the paper's "
        "Figure 4. Its checks name what is newer than the mix or gone since: materialise the "
        "partitions that they name. Every manifest is kept as a version of the mix, with its "
        "documents: `quadmix versions` lists them.",
    )
    @faults_in_words
    def manifest(
        context: dg.AssetExecutionContext, project: ProjectResource
    ) -> dg.MaterializeResult:
        cost = Cost()
        settings, store = project.settings, project.store
        shards = shards_with(context, documents)
        with clear_errors(MissingOutputError):
            made = build_manifest(store, shards, settings, mix.name)
            path = write_manifest(store, settings, made)
            version = keep_version(store, mix.name)
        removed = prune_versions(store, mix.name, settings.mix.keep_versions)
        for name, n_bytes in removed.items():
            context.log.info(
                f"removed the version {mix.name}@{name}, {n_bytes / 1e6:,.2f} MB: "
                f"mix.keep_versions is {settings.mix.keep_versions}"
            )
        assets = linked_assets(settings, settings.mix_named(mix.name))
        links = _linked(context, store, made, assets)
        table = domain_table(made)
        return materialized(
            project,
            asset,
            {
                "dagster/uri": str(path),
                "n_shards": len(shards),
                **made["totals"],
                "version": version,
                "versions": readable_table(narrow_version_table(list_headers(store, mix.name))),
                "method": made["method"],
                "objective": made["objective"] or "none",
                "accepted_guards": ", ".join(made["guards"]["accepted"]) or "none",
                "n_dropped_duplicates": made["dropped_duplicates"]["n_documents"],
                "git_commit": _commit(made),
                "settings_hash": made["settings_hash"],
                "lineage": markdown_table(lineage_table(links), LINEAGE_COLUMNS),
                "links": markdown_table(table_of_links(links), LINKED_COLUMNS),
                "links_file": str(links_path(store, mix.name)),
                "domains": markdown_table(table),
                "domain_shares": figure(
                    store,
                    asset,
                    "domain_shares",
                    plot_domain_shares(
                        table["domain"].to_list(),
                        table["share_in"].to_numpy(),
                        table["share_out"].to_numpy(),
                        mix=mix.name,
                    ),
                ),
                **cost.metadata(),
            },
        )

    return manifest


def _linked(
    context: dg.AssetExecutionContext,
    store: Store,
    manifest: Mapping[str, Any],
    assets: list[str],
) -> list[Link]:
    """The links of a manifest, which are written, and lead back from their runs."""
    mix, shards = manifest["mix"], manifest["shards"]
    per_shard = (RAW_SHARDS, SCORED_SHARDS, DOMAIN_LABELS, mix_output(mix, FINAL_MIX))
    partitions = {
        **dict.fromkeys(per_shard, shards),
        PROXY_METRICS: manifest["made_from"].get(PROXY_METRICS, {}),
    }
    known = read_links(store, mix)
    versions = {
        **{asset: made for asset, made in manifest["made_from"].items() if isinstance(made, str)},
        **{asset: made for asset, made in manifest["fingerprints"].items() if asset in assets},
        mix_output(mix, SELECTION_RULE): manifest["fingerprints"][SELECTION_RULE],
    }
    links = gather_links(context.instance, assets, partitions, known, versions)
    fingerprint = store.fingerprint(store.root / mix_output(mix, MIX_MANIFEST))
    write_links(store, mix, fingerprint, links)
    tag_runs(context.instance, links, known, fingerprint)
    if context.instance.has_run(context.run.run_id):
        context.instance.add_run_tags(context.run.run_id, {MANIFEST_TAG: fingerprint})
    return links


def _commit(manifest: Mapping[str, Any]) -> str:
    git = manifest["git"]
    if git is None:
        return "not a checkout"
    return f"{git['commit']}{' with changes that are not committed' if git['dirty'] else ''}"
