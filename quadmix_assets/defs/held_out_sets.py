"""Group `evidence`: the sets of texts that only finished models are measured on."""

import dagster as dg

from quadmix_assets.corpus.tokenizer import project_tokenizer
from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.corpus import target_sets, tokenizer
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, readable_table
from quadmix_assets.defs.resources import HELD_OUT, OWNERS, ProjectResource, version_of
from quadmix_assets.evidence.held_out import drop_other_sets, write_held_out_tables
from quadmix_assets.outputs import HELD_OUT_SETS
from quadmix_assets.store import MissingOutputError


@dg.asset(
    group_name="evidence",
    kinds={"parquet"},
    owners=OWNERS,
    code_version=version_of(HELD_OUT_SETS, 1),
    deps=[tokenizer, target_sets],
    automation_condition=PINNED,
)
@faults_in_words
def held_out_sets(project: ProjectResource) -> dg.MaterializeResult:
    """Texts that no criterion, no objective and no search has seen: only finished models are.

    A mix that is chosen by its losses on target sets is good at those, and held-out sets show what
    that is worth elsewhere. A set of which more than 5 % of the documents stand in a target set,
    word by word or nearly so, is refused; fewer are left out. `quadmix check` also compares the
    files. Nothing may be tuned on these losses: they would be target sets then.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError, FileNotFoundError):
        table = write_held_out_tables(store, settings, project_tokenizer(store))
    drop_other_sets(store, settings)
    n_documents = int(table["n_documents"].sum())
    return materialized(
        project,
        HELD_OUT_SETS,
        {
            "sets": readable_table(table),
            "dagster/row_count": n_documents,
            "dagster/uri": str(store.root / HELD_OUT_SETS),
            "n_tokens": int(table["n_tokens"].sum()),
            "n_left_out": int(table["n_left_out"].sum()),
            **cost.metadata(n_documents=n_documents),
        },
    )


@dg.definitions
def held_out() -> dg.Definitions:
    """The asset, where the settings name held-out sets."""
    return dg.Definitions(assets=[held_out_sets] if HELD_OUT else [])
