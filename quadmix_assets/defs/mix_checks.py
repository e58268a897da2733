"""The checks of the manifest of a mix."""

import dagster as dg
import polars as pl

from quadmix_assets.defs.conditions import ON_CHANGES
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.metadata import clear_errors, markdown_table
from quadmix_assets.defs.mix_names import mix_key
from quadmix_assets.defs.partitions import shard_keys, shards_with
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.mix.changes import changes_since
from quadmix_assets.mix.completeness import incomplete_entries
from quadmix_assets.mix.manifest import read_manifest, stale_shards, usable_shards
from quadmix_assets.mix.summary import unmet_constraints
from quadmix_assets.mix.upstream import parents_of_rule
from quadmix_assets.outputs import (
    FINAL_MIX,
    MIX_MANIFEST,
    PROXY_METRICS,
    SCORE_NORMALIZERS,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets.report.markdown import inert
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import MissingOutputError

_MOST_PROBLEMS = 5


def manifest_checks(settings: Settings, mix: NamedMix) -> list[dg.AssetChecksDefinition]:
    """All checks of the manifest of a mix."""
    checks = [_is_current(settings, mix), _is_complete(mix), _is_of_one_piece(mix)]
    if mix.constrained_by(settings.search.constraints) is not None:
        checks.append(_meets_its_constraints(mix))
    return checks


def _is_current(settings: Settings, mix: NamedMix) -> dg.AssetChecksDefinition:
    looked_at = [
        mix_output(mix.name, SELECTION_RULE),
        *([SCORE_NORMALIZERS] if mix.normalized else []),
        *([PROXY_METRICS] if mix.uses_theta else []),
        *parents_of_rule(settings, mix),
    ]

    @dg.asset_check(
        asset=mix_key(mix, MIX_MANIFEST),
        additional_deps=[dg.AssetKey.from_user_string(name) for name in looked_at],
        automation_condition=ON_CHANGES,
        description="What is newer or gone since the mix was made: shards, scores, tables, "
        "proxies, settings.",
    )
    @faults_in_words
    def mix_is_current(
        context: dg.AssetCheckExecutionContext, project: ProjectResource
    ) -> dg.AssetCheckResult:
        settings, store = project.settings, project.store
        with clear_errors(MissingOutputError):
            manifest = read_manifest(store, mix.name)
            changes = changes_since(store, settings, manifest, shard_keys(context))
        table = pl.DataFrame(
            {
                "what": list(changes.by_kind),
                "names": [", ".join(names) for names in changes.by_kind.values()],
            },
            schema={"what": pl.String, "names": pl.String},
        )
        return dg.AssetCheckResult(
            passed=not changes.by_kind,
            severity=dg.AssetCheckSeverity.WARN,
            description="nothing has changed since the mix was made"
            if not changes.by_kind
            else f"since the mix was made, {inert(changes.in_words())}. "
            + _how_to_follow(settings, mix),
            metadata={"changes": markdown_table(table)},
        )

    return mix_is_current


def _how_to_follow(settings: Settings, mix: NamedMix) -> str:
    if settings.is_followed(mix):
        return (
            "To follow, materialise what is unsynced on the lineage page, from "
            f"{mix_output(mix.name, SELECTION_RULE)} on where the rule shall follow too"
        )
    return (
        "The mix is behind, because it is not followed: launch the job make_mixes with "
        f"mixes: [{mix.name}] (a new rule with it), or materialise the missing partitions of "
        f"{mix_output(mix.name, FINAL_MIX)} (the same rule)"
    )


def _is_complete(mix: NamedMix) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=mix_key(mix, MIX_MANIFEST),
        description="Whether every file of the manifest is as recorded"
        ", and the mix holds every usable shard. A mix that is not followed may lack new shards.",
    )
    @faults_in_words
    def manifest_is_complete(
        context: dg.AssetCheckExecutionContext, project: ProjectResource
    ) -> dg.AssetCheckResult:
        settings, store = project.settings, project.store
        manifest = read_manifest(store, mix.name)
        needed = usable_shards(store, shard_keys(context))
        if not settings.is_followed(settings.mix_named(mix.name)):
            needed = [shard for shard in needed if shard in manifest["shards"]]
        problems = incomplete_entries(store, manifest, needed)
        return dg.AssetCheckResult(
            passed=not problems,
            description=f"all {len(manifest['shards'])} shards and {len(manifest['tables'])} "
            "tables are there as recorded"
            if not problems
            else f"{len(problems)} entries are missing or differ: "
            + inert("; ".join(problems[:_MOST_PROBLEMS]))
            + ("; ..." if len(problems) > _MOST_PROBLEMS else ""),
            metadata={"problems": markdown_table(pl.DataFrame({"problem": problems}))},
        )

    return manifest_is_complete


def _is_of_one_piece(mix: NamedMix) -> dg.AssetChecksDefinition:
    documents = mix_output(mix.name, FINAL_MIX)

    @dg.asset_check(
        asset=mix_key(mix, MIX_MANIFEST),
        description="Whether all shards of the mix were made from the same, current inputs.",
    )
    @faults_in_words
    def mix_is_of_one_piece(
        context: dg.AssetCheckExecutionContext, project: ProjectResource
    ) -> dg.AssetCheckResult:
        settings, store = project.settings, project.store
        shards = shards_with(context, documents)
        stale = stale_shards(store, settings.mix_named(mix.name), shards)
        table = pl.DataFrame(
            {"shard": list(stale), "changed": [", ".join(names) for names in stale.values()]}
        )
        first = next(iter(stale), "")
        return dg.AssetCheckResult(
            passed=not stale,
            description=f"{len(shards)} shards were made from the same, current inputs"
            if not stale
            else inert(
                f"{len(stale)} of {len(shards)} shards of the mix were made from older inputs, the "
                f"first {first!r} ({', '.join(stale[first])}): materialise {documents} for them "
                f"(profile {settings.profile!r})"
            ),
            metadata={"stale_shards": markdown_table(table)},
        )

    return mix_is_of_one_piece


def _meets_its_constraints(mix: NamedMix) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=mix_key(mix, MIX_MANIFEST),
        description="Whether the mix as drawn meets its constraints, within 1 % for the random "
        "draw.",
    )
    @faults_in_words
    def mix_meets_its_constraints(project: ProjectResource) -> dg.AssetCheckResult:
        settings, store = project.settings, project.store
        asked = settings.mix_named(mix.name).constrained_by(settings.search.constraints)
        unmet = unmet_constraints(read_manifest(store, mix.name), asked) if asked else []
        return dg.AssetCheckResult(
            passed=not unmet,
            severity=dg.AssetCheckSeverity.WARN,
            description="the mix meets all constraints"
            if not unmet
            else "; ".join(unmet)
            + f". Materialise what {mix_output(mix.name, SELECTION_RULE)} is fitted on, and it, "
            "again if the pool has changed since",
        )

    return mix_meets_its_constraints
