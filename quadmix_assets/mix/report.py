"""The summary that a run prints: where the outputs of a mix are, and the mix in numbers."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quadmix_assets.mix.loss_lines import loss_lines
from quadmix_assets.mix.manifest import manifest_path, read_manifest
from quadmix_assets.mix.summary import domain_table
from quadmix_assets.outputs import FINAL_MIX, MIX_EXPORT, PLOTS, mix_output
from quadmix_assets.settings import Settings, SettingsError
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


def summary_text(
    settings: Settings,
    store: Store,
    failed: Sequence[FailedCheck] = (),
    mix: str | None = None,
) -> str:
    """Where the outputs of a mix are, the mix in tables, and failed checks.

    Args:
        settings: of the profile.
        store: the lake.
        failed: the checks that failed when they were made last.
        mix: its name; None for the one in production.

    Raises:
        SettingsError: there is no mix of that name.
        MissingOutputError: it has no manifest yet.
    """
    production = settings.production_mix.name
    name = production if mix is None else mix
    if name not in settings.mix_names:
        raise SettingsError(
            f"there is no mix {name!r}; the mixes of {settings.profile!r} are: "
            f"{', '.join(settings.mix_names)}"
        )
    manifest = read_manifest(store, name)
    totals = manifest["totals"]
    role = ", in production" if name == production else ""
    lines = [
        "",
        f"mix         {name} (method {manifest['method']}{role})",
        f"documents   {store.root / mix_output(name, FINAL_MIX)}",
        f"manifest    {manifest_path(store, name)}",
        f"plots       {store.root / PLOTS}",
    ]
    if manifest["export"] != "none":
        lines.insert(3, f"export      {store.root / mix_output(name, MIX_EXPORT)}")
    lines += _accepted_lines(manifest)
    shares = (
        domain_table(manifest)
        .sort("share_out", descending=True)
        .select("domain", "share_in", "share_out")
        .rows()
    )
    width = max(22, *(len(domain) + 3 for domain, _, _ in shares))
    column = max(14, len(name) + 2)
    lines += [
        "",
        f"{'':{width}}{'pool':>14}{name:>{column}}",
        *(
            f"{what:{width}}{totals[f'n_{what}_in']:>14,}{totals[f'n_{what}_out']:>{column},}"
            for what in ("documents", "tokens")
        ),
        *(
            f"  {domain:{width - 2}}{before:>14.1%}{after:>{column}.1%}"
            for domain, before, after in shares
        ),
    ]
    lines += _duplicate_lines(manifest)
    lines += ["", *loss_lines(settings, store, manifest)]
    return "\n".join(lines) + "\n" + failed_checks_text(failed)


def _duplicate_lines(manifest: Mapping[str, Any]) -> list[str]:
    """The near-duplicates that were left out, where the mix drops them."""
    dropped = manifest["dropped_duplicates"]
    if not dropped["n_documents"]:
        return []
    return [
        "",
        f"left out as near-duplicates of better documents: {dropped['n_documents']:,} documents, "
        f"{dropped['n_tokens']:,} tokens",
    ]


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
