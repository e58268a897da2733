"""The job that explains a document."""

import dagster as dg
from pydantic import Field

from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.metadata import clear_errors, figure
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.mix.explain import explain
from quadmix_assets.mix.explain_page import (
    curve_of,
    explanation_blocks,
    one_line,
    shown_in_full,
)
from quadmix_assets.mix.explain_plot import plot_place
from quadmix_assets.mix.explanation import ExplainedDocument
from quadmix_assets.report.blocks import blocks_markdown, blocks_text
from quadmix_assets.store import MissingOutputError

_PLOTS = "explain_document"


class DocumentConfig(dg.Config):
    """What the launchpad asks for."""

    document_id: str = Field(default="", description="the id of the document")
    mix: str | None = Field(
        default=None,
        description="the mix to explain in full, or a kept version of one (`name@version`); null: "
        "all in a table, the one in production in full",
    )


@dg.op(description="Finds a document, and says why each mix takes it as often as it does.")
@faults_in_words
def explain_one_document(
    context: dg.OpExecutionContext, config: DocumentConfig, project: ProjectResource
) -> None:
    """Show the explanation of a document as the metadata of the step's output."""
    settings, store = project.settings, project.store
    if not config.document_id:
        raise dg.Failure(
            "no document is named: write its id into the launchpad, as document_id of the op "
            "explain_one_document",
            allow_retries=False,
        )
    with clear_errors(MissingOutputError, ValueError):
        explanation = explain(store, settings, config.document_id, config.mix)
    blocks = explanation_blocks(explanation)
    context.log.info(blocks_text(blocks))
    metadata: dict[str, dg.MetadataValue | str | int] = {
        "explanation": dg.MetadataValue.md(blocks_markdown(blocks))
    }
    if isinstance(explanation, ExplainedDocument):
        place, shown = explanation.known.place, shown_in_full(explanation)
        metadata |= {"shard": place.shard, "row": place.row + 1}
        metadata |= {f"mix_{mix.mix}": one_line(mix) for mix in explanation.in_mixes}
        curve = curve_of(shown)
        if shown is not None and curve is not None:
            metadata["place"] = figure(store, _PLOTS, "place", plot_place(shown, curve))
    context.add_output_metadata(metadata)


@dg.job(
    config={"ops": {"explain_one_document": {"config": {"document_id": ""}}}},
    description="Explains a document: where it is, its scores and domain, and why each mix takes "
    "it as often as it does or leaves it out, with what would change that. Write its id into the "
    "launchpad; the answer is in the metadata of the step's output, and in the log.",
)
def explain_document() -> None:
    """Where a document is, and why it is or is not in the mixes."""
    explain_one_document()
