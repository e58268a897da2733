"""The summary that a run prints: where its outputs are, and the mix in numbers."""

from typing import Any

import polars as pl

from quadmix_assets.mix.manifest import MANIFEST_FILE, read_manifest
from quadmix_assets.mix.summary import domain_table
from quadmix_assets.outputs import (
    EXPORT,
    FINAL_MIX,
    MIX_MANIFEST,
    PLOTS,
    RANDOM_COMPARISON,
)
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.search.objective import objective_losses, objective_named
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store


def summary_text(settings: Settings, store: Store) -> str:
    """Where the final mix, the manifest and the plots are, and the mix in tables.

    Raises:
        MissingOutputError: there is no manifest yet.
    """
    manifest = read_manifest(store)
    totals = manifest["totals"]
    lines = [
        "",
        f"final mix   {store.root / FINAL_MIX}",
        f"manifest    {store.path(MIX_MANIFEST, MANIFEST_FILE)}",
        f"plots       {store.root / PLOTS}",
    ]
    if settings.mix.export.format != "none":
        lines.insert(2, f"export      {store.root / EXPORT}")
    shares = (
        domain_table(manifest)
        .sort("share_out", descending=True)
        .select("domain", "share_in", "share_out")
        .rows()
    )
    width = max(22, *(len(domain) + 3 for domain, _, _ in shares))
    lines += [
        "",
        f"{'':{width}}{'pool':>14}{'final mix':>14}",
        f"{'documents':{width}}{totals['n_documents_in']:>14,}{totals['n_documents_out']:>14,}",
        f"{'tokens':{width}}{totals['n_tokens_in']:>14,}{totals['n_tokens_out']:>14,}",
        *(f"  {name:{width - 2}}{before:>14.1%}{after:>14.1%}" for name, before, after in shares),
    ]
    lines += ["", *_loss_lines(settings, store, manifest)]
    return "\n".join(lines) + "\n"


def _loss_lines(settings: Settings, store: Store, manifest: dict[str, Any]) -> list[str]:
    metrics = read_evidence(store, settings).metrics
    objective = objective_named(settings.objectives, settings.mix_objective)
    losses = objective_losses(metrics, objective)
    prediction = manifest["prediction"]
    lines = [
        f"objective {settings.mix_objective!r} in {prediction['unit']}:",
        _line("theta*, predicted", prediction["predicted"]),
        _line(f"best of {len(losses)} proxies, measured", losses.min()),
        _line("mean of the proxies, measured", losses.mean()),
    ]
    path = store.table_path(RANDOM_COMPARISON)
    if path.exists():
        lines += ["the same model trained on the same number of tokens, loss in nats per token:"]
        rows = (
            store.read_table(path)
            .filter(pl.col("status") == "trained")
            .group_by("mix", "target")
            .agg(pl.col("loss_nats").mean(), pl.col("seed").n_unique().alias("n_seeds"))
        )
        for mix, target, loss, n_seeds in rows.sort("target", "mix").rows():
            lines.append(_line(f"{mix}, {target} loss, mean of {n_seeds} seeds", loss))
    return lines


def _line(what: str, loss: float) -> str:
    return f"  {what:50}{loss:>8.4f}"
