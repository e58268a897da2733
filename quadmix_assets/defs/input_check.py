"""Group `corpus`: whether the inputs are what the settings say, before any work."""

import dagster as dg

from quadmix_assets.commands.check import check
from quadmix_assets.corpus.inputs import discover_inputs
from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors
from quadmix_assets.defs.resources import OWNERS, PLANTED, ProjectResource, version_of
from quadmix_assets.outputs import INPUT_CHECK
from quadmix_assets.report.markdown import code_block
from quadmix_assets.settings import Settings, SettingsError
from quadmix_assets.store import Store


@dg.asset(
    group_name="corpus",
    kinds={"python"},
    owners=OWNERS,
    code_version=version_of(INPUT_CHECK, 1),
    automation_condition=PINNED,
)
@faults_in_words
def input_check(project: ProjectResource) -> dg.MaterializeResult:
    """Reads some rows of every input, and fails if they are not what the settings say.

    A wrong column, a missing target set or a checkpoint that is not there is found here, before any
    work, with all that is wrong in one message; `quadmix check` prints the same. Everything else
    comes after it, so that *Materialize all* on the lineage page covers every partition. Its
    content never changes: to look again makes nothing downstream unsynced.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    n_shards = _n_shards(settings, store)
    # Without shards there is nothing to be wrong yet.
    found = "no shards yet"
    if n_shards:
        with clear_errors(SettingsError):
            found = check(settings, store)
    return materialized(
        project,
        INPUT_CHECK,
        {"n_shards": n_shards, "found": dg.MetadataValue.md(code_block(found)), **cost.metadata()},
        version="as the settings say",
    )


def _n_shards(settings: Settings, store: Store) -> int:
    try:
        return len(discover_inputs(settings, store).shards)
    except FileNotFoundError:
        return 0


@dg.definitions
def inputs_of_files() -> dg.Definitions:
    """The asset, unless the profile's corpus is generated."""
    return dg.Definitions(assets=[] if PLANTED else [input_check])
