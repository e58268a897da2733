"""From the input to the mix: how much there is after each step, and what criteria prefer."""

import polars as pl

from quadmix_assets.mix.selections import MixRows
from quadmix_assets.outputs import PROXY_POOL, SCORE_REPORT
from quadmix_assets.page.markup import table
from quadmix_assets.page.stored_figures import figures_html
from quadmix_assets.store import MissingOutputError, Store

_FIGURES = (
    (
        "domain_shares_before_and_after",
        "Domains of the pool, and of the best documents by each criterion (compare the paper's "
        "Figure 1): a criterion alone changes the shares of domains, whether that is wanted or not",
    ),
    ("rank_correlation", "Rank correlation of the criteria: low ones measure different things"),
    ("domain_by_criterion", "Mean normalized score of each domain by each criterion"),
)


def pool_html(store: Store, production: MixRows | None) -> str:
    """What is left after each step, and the figures of the score report."""
    figures = figures_html(store, [(SCORE_REPORT, name, caption) for name, caption in _FIGURES])
    if production is None:
        return figures
    return table(_steps(store, production), "Documents and tokens by step") + figures


def _steps(store: Store, production: MixRows) -> pl.DataFrame:
    manifest = production.manifest
    totals, shards = manifest["totals"], manifest["shards"].values()
    n_quarantined = sum(sum(entry["quarantined"].values()) for entry in shards)
    n_documents, n_tokens = totals["n_documents_in"], totals["n_tokens_in"]
    rows: list[tuple[str, int, int | None]] = [
        ("rows of the input", n_documents + n_quarantined, None),
        ("rows that cannot be used, in quarantine", n_quarantined, None),
        ("documents of the pool, scored and labelled", n_documents, n_tokens),
    ]
    try:
        sample = store.read_table(store.path(PROXY_POOL, "documents.parquet"), ["n_tokens"])
        rows.append(
            (
                "proxy pool, the sample that proxies read",
                sample.height,
                int(sample["n_tokens"].sum()),
            )
        )
    except MissingOutputError:
        pass  # Of mixes whose methods know no theta, nobody needs it.
    dropped = manifest["dropped_duplicates"]
    if dropped["n_documents"]:
        rows.append(("left out as near-duplicates", dropped["n_documents"], dropped["n_tokens"]))
    rows += [
        (f"documents that {production.mix} takes", totals["n_documents_out"], None),
        ("the same, copies included", totals["n_copies_out"], totals["n_tokens_out"]),
    ]
    schema = {"step": pl.String, "n_documents": pl.Int64, "n_tokens": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
