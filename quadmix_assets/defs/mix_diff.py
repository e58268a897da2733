"""The job that compares two mixes document by document."""

import dagster as dg
from pydantic import Field

from quadmix_assets.comparison.mix_diff import diff_mixes
from quadmix_assets.comparison.mix_diff_page import diff_blocks
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.metadata import clear_errors
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.mix.selections import read_named
from quadmix_assets.report.blocks import blocks_markdown, blocks_text
from quadmix_assets.store import MissingOutputError


class TwoMixes(dg.Config):
    """What the launchpad asks for."""

    before: str = Field(
        default="", description="a mix, or a kept version of one: `name` or `name@version`"
    )
    after: str = Field(default="", description="the one that it is compared with, in the same way")


@dg.op(description="Says which documents two mixes have different, and why.")
@faults_in_words
def compare_documents_of_mixes(
    context: dg.OpExecutionContext, config: TwoMixes, project: ProjectResource
) -> None:
    """Show the difference of two mixes as the metadata of the step's output."""
    if not config.before or not config.after:
        raise dg.Failure(
            "two mixes are needed: write their names into the launchpad, as before and after of "
            "the op compare_documents_of_mixes",
            allow_retries=False,
        )
    store = project.store
    with clear_errors(MissingOutputError):
        before, after = read_named(store, config.before), read_named(store, config.after)
        diff = diff_mixes(before, after)
    blocks = diff_blocks(store, diff, before, after)
    context.log.info(blocks_text(blocks))
    counts = dict(diff.totals.select("change", "n_documents").iter_rows())
    context.add_output_metadata(
        {
            "difference": dg.MetadataValue.md(blocks_markdown(blocks)),
            "before": diff.before,
            "after": diff.after,
            **{f"n_{change.replace(' ', '_')}": int(n) for change, n in counts.items()},
        }
    )


@dg.job(
    config={"ops": {"compare_documents_of_mixes": {"config": {"before": "", "after": ""}}}},
    description="Compares two mixes, or two kept versions of one, document by document: what the "
    "second one has gained, lost and has in other copies, per domain and criterion, with examples "
    "and why each mix has them or not. Write their names into the launchpad (`name` or "
    "`name@version`; `mix_manifest` lists the versions); the answer is in the metadata of the "
    "step's output, and in the log.",
)
def compare_two_mixes() -> None:
    """What two mixes have different, and why."""
    compare_documents_of_mixes()
