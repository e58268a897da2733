"""`quadmix explain`: says where a document is, and why it is or is not in each mix."""

import sys
from pathlib import Path

from quadmix_assets.mix.explain import explain
from quadmix_assets.mix.explain_page import curve_of, explanation_blocks, shown_in_full
from quadmix_assets.mix.explanation import ExplainedDocument
from quadmix_assets.report.blocks import blocks_text
from quadmix_assets.settings import Settings, SettingsError
from quadmix_assets.store import Store


def explain_to_terminal(
    store: Store, settings: Settings, document_id: str, mix: str | None, plot: Path | None
) -> int:
    """Print the explanation of a document, and write its place on the sampling curve as PNG.

    Args:
        store: the lake.
        settings: of the profile.
        document_id: of the document.
        mix: the mix to explain, or `name@version` of a kept version; None: all in a table, and the
            one in production in full.
        plot: the file of the plot; None: no plot is drawn.

    Returns:
        The exit status: 0, or 1 if no document of the pool has the id.

    Raises:
        SettingsError: there is no such mix, or what the lake holds does not fit together.
        MissingOutputError: there is no such kept version.
    """
    try:
        explanation = explain(store, settings, document_id, mix)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    sys.stdout.write(blocks_text(explanation_blocks(explanation)))
    if not isinstance(explanation, ExplainedDocument):
        return 1
    shown = shown_in_full(explanation)
    curve = curve_of(shown)
    if plot is not None and shown is not None and curve is not None:
        # Imported late: most answers need no plot, and matplotlib takes longer than the answer.
        from quadmix_assets.mix.explain_plot import plot_place

        plot_place(shown, curve).savefig(str(plot), format="png", dpi=120)
        sys.stdout.write(f"\nplot: {plot}\n")
    elif plot is not None:
        sys.stderr.write("there is no sampling curve to plot\n")
    return 0
