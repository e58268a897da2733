"""The summary that a run prints: where its outputs are, and the mix in numbers."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quadmix_assets.mix.loss_lines import loss_lines
from quadmix_assets.mix.manifest import MANIFEST_FILE, read_manifest
from quadmix_assets.mix.summary import domain_table
from quadmix_assets.outputs import EXPORT, FINAL_MIX, MIX_MANIFEST, PLOTS
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store


@dataclass(frozen=True)
class FailedCheck:
    """A check of the asset graph that failed when it was made last.

    Attributes:
        asset: that it belongs to.
        name: of the check.
        severity: ERROR or WARN.
        description: what was found, and what to do.
    """

    asset: str
    name: str
    severity: str
    description: str


def failed_checks_text(failed: Sequence[FailedCheck]) -> str:
    """Every failed check with its words, errors first; empty without any."""
    if not failed:
        return ""
    order = sorted(failed, key=lambda check: (check.severity != "ERROR", check.asset, check.name))
    lines = ["", f"{len(failed)} check{'s' if len(failed) > 1 else ''} failed:"]
    for check in order:
        words = check.description or "no description"
        lines.append(f"  {check.severity:5}  {check.asset}: {check.name}")
        lines += textwrap.wrap(
            words,
            100,
            initial_indent=" " * 9,
            subsequent_indent=" " * 9,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines) + "\n"


def summary_text(settings: Settings, store: Store, failed: Sequence[FailedCheck] = ()) -> str:
    """Where the final mix, the manifest and the plots are, the mix in tables, and failed checks.

    Args:
        settings: of the profile.
        store: the lake.
        failed: the checks that failed when they were made last.

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
    lines += _accepted_lines(manifest)
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
    lines += ["", *loss_lines(settings, store, manifest)]
    return "\n".join(lines) + "\n" + failed_checks_text(failed)


def _accepted_lines(manifest: Mapping[str, Any]) -> list[str]:
    """The guards that failed and that mix.accept names: what the mix is in spite of."""
    guards = manifest["guards"]
    if not guards["accepted"]:
        return []
    words = {guard["name"]: guard["words"] for guard in guards["failed"]}
    lines = ["", f"accepted: {', '.join(guards['accepted'])}. The mix is a guess, because"]
    for name in guards["accepted"]:
        lines += textwrap.wrap(
            words[name], 100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
    return lines
