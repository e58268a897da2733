"""The summary that a run prints: where its outputs are, and the mix in numbers."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from quadmix_assets.mix.manifest import MANIFEST_FILE, read_manifest
from quadmix_assets.mix.summary import domain_table
from quadmix_assets.outputs import (
    EXPORT,
    FINAL_MIX,
    MIX_MANIFEST,
    OPTIMUM_CHECK,
    PLOTS,
    RANDOM_COMPARISON,
)
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.search.candidates import QUADMIX_PAPER
from quadmix_assets.search.objective import objective_losses, objective_named
from quadmix_assets.search.optimum_check import (
    BEST_OF_FIRST_ROUND,
    THETA_STAR,
    UNIFORM,
    CheckResult,
    read_check,
)
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
    lines += ["", *_loss_lines(settings, store, manifest)]
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


def _loss_lines(settings: Settings, store: Store, manifest: dict[str, Any]) -> list[str]:
    metrics = read_evidence(store, settings).metrics
    objective = objective_named(settings.objectives, manifest["objective"])
    losses = objective_losses(metrics, objective)
    prediction = manifest["prediction"]
    lines = [
        f"objective {objective.name!r} in {prediction['unit']}:",
        _line(
            f"theta* ({prediction['candidate']}), predicted",
            prediction["predicted_for_other_seeds"],
        ),
        _line(f"best of {len(losses)} proxies of the swarm", losses.min()),
        _line("mean of the proxies of the swarm", losses.mean()),
    ]
    if store.table_path(OPTIMUM_CHECK).exists():
        lines += _check_lines(read_check(store, settings, objective.name))
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


def _check_lines(check: CheckResult) -> list[str]:
    """What optimum_check measured of theta* and of what it has to beat."""
    seeds = check.mean(THETA_STAR).seeds
    lines = [
        f"objective {check.objective.name!r}, proxies with {seeds} fresh seeds on documents that "
        "nothing was chosen by,",
        "all with as many expected tokens; mean with its 90 % interval, and what theta* gains:",
    ]
    wanted = {
        THETA_STAR: THETA_STAR,
        QUADMIX_PAPER: QUADMIX_PAPER,
        BEST_OF_FIRST_ROUND: BEST_OF_FIRST_ROUND,
        UNIFORM: "random documents",
    }
    if check.best_criterion is not None:
        wanted[check.best_criterion] = f"{check.best_criterion} (best single criterion)"
    for sample, shown in wanted.items():
        if sample in check.same_as_theta_star:
            lines.append(f"  {shown:44}the same as theta*")
        elif sample in check.on_proof:
            gain = "" if sample == THETA_STAR else f"  {check.gain_over(sample).gain}"
            lines.append(f"  {shown:44}{check.mean(sample)!s:28}{gain}".rstrip())
    return lines


def _line(what: str, loss: float) -> str:
    return f"  {what:50}{loss:>8.4f}"
