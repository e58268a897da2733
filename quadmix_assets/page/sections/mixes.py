"""What the mixes are made of: domains, sampling curves, mean scores, overlaps."""

from quadmix_assets.mix.selections import MixRows
from quadmix_assets.outputs import MIX_COMPARISON, MIX_MANIFEST, SELECTION_RULE, mix_output
from quadmix_assets.page.markup import heading
from quadmix_assets.page.stored_figures import figures_html
from quadmix_assets.store import Store


def mixes_html(store: Store, production: MixRows | None) -> str:
    """The figures of the mix in production, and of all mixes side by side."""
    own = "" if production is None else _production(store, production.mix)
    together = figures_html(
        store,
        [
            (MIX_COMPARISON, "domain_shares", "Shares of the domains, of the pool and every mix"),
            (MIX_COMPARISON, "mean_scores", "How far each mix's mean scores are from the pool's"),
            (MIX_COMPARISON, "overlaps", "What mixes have in common"),
        ],
    )
    return own + (heading(3, "All mixes side by side") + together if together else "")


def _production(store: Store, name: str) -> str:
    figures = figures_html(
        store,
        [
            (
                mix_output(name, MIX_MANIFEST),
                "domain_shares",
                f"Shares of the domains in the pool and in {name}",
            ),
            (
                mix_output(name, SELECTION_RULE),
                "sampling_curves",
                f"How often {name} takes a document by its rank within its domain",
            ),
        ],
    )
    return heading(3, f"The mix in production: {name}") + figures if figures else ""
