"""The check of a mix that takes only the best of near-duplicates."""

import dagster as dg

from quadmix_assets.defs.conditions import ON_CHANGES
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.metadata import clear_errors, markdown_table
from quadmix_assets.defs.mix_names import mix_key
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.features.near_duplicates.pool import read_near_duplicates
from quadmix_assets.mix.duplicates import unknown_duplicates
from quadmix_assets.mix.stored_rule import read_dropped
from quadmix_assets.outputs import NEAR_DUPLICATES, SELECTION_RULE, mix_output
from quadmix_assets.settings import NamedMix
from quadmix_assets.store import MissingOutputError


def duplicate_checks(mix: NamedMix) -> list[dg.AssetChecksDefinition]:
    """The check of the rule of a mix, if it drops near-duplicates."""
    return [_knows_the_duplicates(mix)] if mix.drop_duplicates else []


def _knows_the_duplicates(mix: NamedMix) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=mix_key(mix, SELECTION_RULE),
        additional_deps=[dg.AssetKey(NEAR_DUPLICATES)],
        automation_condition=ON_CHANGES,
        description="Whether the pinned rule knows the present near-duplicates: documents that "
        "came later are mixed although they repeat others, until the rule is made again.",
    )
    @faults_in_words
    def rule_knows_the_duplicates(project: ProjectResource) -> dg.AssetCheckResult:
        store = project.store
        with clear_errors(MissingOutputError):
            found = unknown_duplicates(read_near_duplicates(store), read_dropped(store, mix.name))
        return dg.AssetCheckResult(
            passed=found.is_empty,
            severity=dg.AssetCheckSeverity.WARN,
            description="every cluster of near-duplicates has one document that may be taken"
            if found.is_empty
            else f"{found.n_repeated} documents repeat others and may be taken all the same, "
            f"{found.n_orphans} are left out for documents that are no longer their "
            f"near-duplicates: materialise {mix_output(mix.name, SELECTION_RULE)} again, after "
            "which the mix of all shards is made again",
            metadata={
                "n_repeated": found.n_repeated,
                "n_orphans": found.n_orphans,
                "repeated": markdown_table(found.examples),
            },
        )

    return rule_knows_the_duplicates
