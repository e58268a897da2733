"""The sections of a project's overview, as Markdown and as tables.

Dagster's UI shows Markdown of less than 1,000 characters at once, and longer one behind a click. So
there are many short sections, and what grows with the pool is a table.
"""

import math
from collections.abc import Sequence

import polars as pl

from quadmix_assets.outputs import (
    BENCHMARK_RESULTS,
    COMPARISON_TABLE,
    LANGUAGE_MODEL,
    MIX_MANIFEST,
    REPORT,
    mix_of,
    mix_output,
)
from quadmix_assets.report.markdown import table
from quadmix_assets.report.next_steps import asset_link, next_steps
from quadmix_assets.report.overview import Overview, ThetaStar
from quadmix_assets.training.progress import duration

SHOWN_AT_ONCE = 1_000
# Rows of tables that grow with the pool.
_LIMIT = 20
_STEPS = 3
_BAR = 20


def overview_sections(overview: Overview) -> dict[str, str | pl.DataFrame]:
    """The sections by title, Markdown or tables of plain text; those without content left out."""
    sections: dict[str, str | pl.DataFrame] = {
        "profile": f"**{overview.profile}**, input `{overview.raw}`, outputs `{overview.lake}`",
        "what to do next": _numbered(next_steps(overview)),
        "pool and mix": _totals(overview),
        "mixes": _mixes(overview),
        "evidence": _evidence(overview),
        "domains before and after": _domains(overview),
        "left out": _left_out(overview),
        "quarantine": _quarantine(overview),
        "shards set aside": _set_aside(overview),
        "swarm and theta*": _search(overview),
        "theta* measured": _measured(overview),
        "failed checks": _checks(overview),
        "changed settings": _changes(overview),
        "partitions": _partitions(overview),
        "not made": _not_made(overview),
    }
    return {title: content for title, content in sections.items() if len(content)}


def _numbered(steps: Sequence[str]) -> str:
    """As many of the steps as are shown at once, at least one."""
    n_shown = min(len(steps), _STEPS)
    while n_shown > 1 and sum(map(len, steps[:n_shown])) > SHOWN_AT_ONCE - 50:
        n_shown -= 1
    shown = [f"{number}. {step}" for number, step in enumerate(steps[:n_shown], start=1)]
    more = [f"\nand {len(steps) - n_shown} more"] if len(steps) > n_shown else []
    return "\n".join([*shown, *more])


def _totals(overview: Overview) -> str:
    pool, mix = overview.pool, overview.production
    rows = [
        ("shards", f"{pool.n_read:,} of {pool.n_shards:,}", f"{mix.n_shards:,}"),
        ("documents", f"{pool.n_documents:,}", f"{mix.n_documents:,}"),
        ("documents with copies", "", f"{mix.n_copies:,}"),
        (
            "tokens",
            f"{overview.n_tokens:,}" if overview.n_tokens else "not counted yet",
            f"{mix.n_tokens:,}",
        ),
        ("size", f"{_mb(pool.n_bytes)} of text", f"{_mb(mix.n_bytes)} of tables"),
    ]
    if not mix.is_made:
        rows = [(count, before, "–") for count, before, _ in rows]
    text = table(pl.DataFrame(rows, schema=["count", "pool", f"mix {mix.name}"], orient="row"))
    if not mix.is_made:
        return text
    kept = f", {mix.n_tokens / overview.n_tokens:.1%} of the pool's" if overview.n_tokens else ""
    manifest = "" if mix.has_manifest else "; its manifest has not been written yet"
    return (
        f"{text}\n\nThe mix in production, {asset_link(mix_output(mix.name, MIX_MANIFEST))}, has "
        f"{mix.n_tokens:,} tokens{kept}; a document is taken at most {mix.max_copies} "
        f"times{manifest}."
    )


def _mixes(overview: Overview) -> pl.DataFrame:
    """All mixes of the settings, also those that have not been made, in few columns."""
    return pl.DataFrame(
        [
            {
                "mix": mix.name if mix.name == mix.method else f"{mix.name} ({mix.method})",
                "documents": f"{mix.n_documents:,}" if mix.is_made else "–",
                "tokens": f"{mix.n_tokens:,}" if mix.is_made else "–",
                "epochs": _epochs(mix.epochs),
                "state": mix.in_words,
            }
            for mix in overview.mixes
        ]
    )


def _evidence(overview: Overview) -> str:
    """How many mixes have models and results, and where they are compared and reported."""
    made = {one.asset: one.n_made > 0 for one in overview.made}
    parts = []
    if COMPARISON_TABLE in made:
        n_trained, n_measured = (
            sum(made[asset] for asset in made if (mix_of(asset) or ("", ""))[1] == what)
            for what in (LANGUAGE_MODEL, BENCHMARK_RESULTS)
        )
        compared = "compares them" if made[COMPARISON_TABLE] else "will compare them"
        parts.append(
            f"Language models are trained on {n_trained} and measured for {n_measured} of "
            f"{len(overview.mixes)} mixes; {asset_link(COMPARISON_TABLE)} {compared}."
        )
    if made.get(REPORT):
        parts.append(
            f"Tables, figures and caveats on one page: {asset_link(REPORT)}, which `quadmix "
            f"--profile {overview.profile} report` opens."
        )
    return "\n\n".join(parts)


def _epochs(epochs: float | None) -> str:
    return "–" if epochs is None else f"{epochs:.2f}"


def _domains(overview: Overview) -> pl.DataFrame:
    domains = overview.domains
    held = domains.filter((pl.col("n_tokens_pool") > 0) | (pl.col("n_tokens_mix") > 0))
    totals = {name: int(held[f"n_tokens_{name}"].sum()) for name in ("pool", "mix")}
    rows = [
        {
            "domain": domain,
            "pool": _share(before, totals["pool"]),
            f"mix {overview.production.name}": _share(after, totals["mix"]),
            "epochs": _epochs(after / before if after is not None and before else None),
        }
        for domain, before, after in held.sort(
            "n_tokens_mix", "n_tokens_pool", descending=True, nulls_last=True
        ).rows()
    ]
    return pl.DataFrame(rows)


def _share(amount: int | None, total: int) -> str:
    """A share as a bar and in per cent."""
    if amount is None or not total:
        return "–"
    return f"{'█' * round(_BAR * amount / total)} {amount / total:.1%}".strip()


def _left_out(overview: Overview) -> str:
    pool, lines = overview.pool, []
    if pool.quarantined:
        n_rows = sum(pool.quarantined.values())
        share = n_rows / max(pool.n_rows, 1)
        lines.append(f"{n_rows:,} of {pool.n_rows:,} rows are in quarantine ({share:.2%})")
    if pool.set_aside:
        lines.append(f"{len(pool.set_aside)} of {pool.n_shards} shards are set aside")
    if overview.unknown_share:
        lines.append(f"the domain of {overview.unknown_share:.1%} of the tokens is unknown")
    if not lines:
        return "nothing" if pool.n_read else ""
    return "\n".join(f"- {line}" for line in lines)


def _quarantine(overview: Overview) -> pl.DataFrame:
    quarantined = overview.pool.quarantined
    return pl.DataFrame({"reason": list(quarantined), "rows": list(quarantined.values())})


def _set_aside(overview: Overview) -> pl.DataFrame:
    rows = [
        {"shard": one.shard, "why": one.kind, "what to do": one.message}
        for one in overview.pool.set_aside[:_LIMIT]
    ]
    more = len(overview.pool.set_aside) - len(rows)
    if more:
        rows.append({"shard": f"and {more} more", "why": "", "what to do": ""})
    return pl.DataFrame(rows)


def _search(overview: Overview) -> str:
    parts = []
    swarm, theta = overview.swarm, overview.theta_star
    if swarm is not None:
        failed = f" ({swarm.n_failed} failed)" if swarm.n_failed else ""
        left = "" if swarm.n_done == swarm.n_batches else ", time left unknown"
        if swarm.n_done < swarm.n_batches and math.isfinite(swarm.eta_seconds):
            left = f", {duration(swarm.eta_seconds)} left"
        parts.append(
            f"{swarm.n_proxies:,} proxies{failed}: {swarm.n_done} of {swarm.n_batches} batches are "
            f"trained{left}."
        )
    if theta is not None:
        parts.append(_theta(theta))
    return "\n\n".join(parts)


def _theta(theta: ThetaStar) -> str:
    better = theta.best_proxy - theta.predicted
    return (
        f"Objective `{theta.objective}`: theta\\* is predicted at {theta.predicted:.4f} ± "
        f"{theta.standard_deviation:.4f} {theta.unit}; the best proxy measured "
        f"{theta.best_proxy:.4f}, theta\\* is {'better' if better > 0 else 'no better'} by the "
        "prediction."
    )


def _measured(overview: Overview) -> pl.DataFrame:
    """Mean losses of proxies, in nats per token."""
    if overview.theta_star is None:
        return pl.DataFrame()
    return overview.theta_star.measured.with_columns(pl.col("loss_nats").round(4))


def _checks(overview: Overview) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "check": f"{check.severity} {check.asset} {check.name}"
                + (", accepted" if check.name in overview.accepted else ""),
                "what it says": check.description,
            }
            for check in overview.failed_checks
        ]
    )


def _changes(overview: Overview) -> str:
    return "\n".join(
        f"- {asset_link(asset)}: " + ", ".join(f"`{change}`" for change in changes)
        for asset, changes in overview.changed_settings.items()
    )


def _partitions(overview: Overview) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"asset": one.asset, "made": one.n_made, "of": one.n_all}
            for one in overview.made
            if one.is_partitioned
        ]
    )


def _not_made(overview: Overview) -> str:
    missing = [one.asset for one in overview.made if not one.is_partitioned and not one.n_made]
    return ", ".join(map(asset_link, missing))


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:,.2f} GB"
