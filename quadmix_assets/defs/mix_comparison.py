"""Group `comparison`: all finished mixes side by side."""

from collections.abc import Sequence

import dagster as dg
import polars as pl

from quadmix_assets.comparison.comparison_words import with_method
from quadmix_assets.comparison.mix_plots import (
    plot_criteria_of_mixes,
    plot_domains_of_mixes,
    plot_overlaps_of_mixes,
)
from quadmix_assets.comparison.mix_tables import (
    MixComparison,
    compare_mixes,
    finished_mixes,
    write_comparison,
)
from quadmix_assets.defs.conditions import with_any_of
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.features import scored_shards
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, figure, readable_table
from quadmix_assets.defs.mix_names import mix_key
from quadmix_assets.defs.resources import DUPLICATES, OWNERS, SETTINGS, ProjectResource, version_of
from quadmix_assets.defs.target_overlap import target_overlap
from quadmix_assets.outputs import MIX_COMPARISON, MIX_MANIFEST
from quadmix_assets.report.markdown import whole
from quadmix_assets.store import MissingOutputError

_SIZES = ("n_documents", "n_tokens", "epochs", "tokens_per_document")
_DETAILS = ("version", "n_copies", "max_copies", "n_duplicates", "n_target_documents")
_MANIFESTS = [mix_key(mix, MIX_MANIFEST) for mix in SETTINGS.mixes]

WITH_A_MIX = with_any_of(_MANIFESTS, "a mix changed")


@dg.asset(
    group_name="comparison",
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version=version_of(MIX_COMPARISON, 1),
    deps=[*_MANIFESTS, scored_shards, target_overlap, *DUPLICATES],
    automation_condition=WITH_A_MIX,
)
@faults_in_words
def mix_comparison(project: ProjectResource) -> dg.MaterializeResult:
    """All finished mixes side by side: size, domains, mean scores, and what they have in common.

    A mix is finished when its `mix_manifest` is made; it is compared as that manifest describes it.
    Tokens count copies, except for overlaps, in which every document counts once. The job
    `compare_two_mixes` says which documents two of them have different, and why.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(MissingOutputError, ValueError):
        made = compare_mixes(store, settings, finished_mixes(store, settings))
    folder = write_comparison(store, made)
    missing = [name for name in settings.mix_names if name not in made.mixes["mix"]]
    plots = {
        "domain_shares": plot_domains_of_mixes(made.domains),
        "mean_scores": plot_criteria_of_mixes(made.criteria),
        "overlaps": plot_overlaps_of_mixes(made.overlaps),
    }
    return materialized(
        project,
        MIX_COMPARISON,
        {
            "dagster/uri": str(folder),
            "n_mixes": made.mixes.height,
            **({"not_finished": ", ".join(missing)} if missing else {}),
            # In two tables, as one would be wider than the page.
            "mixes": readable_table(_readable(made, _SIZES)),
            "details": readable_table(_readable(made, _DETAILS)),
            **{name: figure(store, MIX_COMPARISON, name, plot) for name, plot in plots.items()},
            **cost.metadata(n_documents=int(made.mixes["n_documents"].sum())),
        },
    )


def _readable(made: MixComparison, names: Sequence[str]) -> pl.DataFrame:
    """Some columns of the table of mixes, with whole numbers in groups of three digits."""
    counts = [name for name in names if made.mixes.schema[name] == pl.Int64]
    return (
        made.mixes.with_columns(with_method().alias("mix"), *(whole(name) for name in counts))
        .select("mix", *names)
        .rename({name: name.removeprefix("n_") for name in names})
    )
