"""The overview of a project as Markdown."""

import math
from collections.abc import Sequence

import polars as pl

from quadmix_assets.report.markdown import plain_text, table
from quadmix_assets.report.next_steps import asset_link, check_link, next_steps
from quadmix_assets.report.overview import Overview, ThetaStar
from quadmix_assets.training.progress import duration

# Rows of lists that grow with the pool.
_LIMIT = 20


def overview_page(overview: Overview) -> str:
    """The page, with what to do first and without figures."""
    sections = [
        f"**Profile `{overview.profile}`**, input `{overview.raw}`, outputs `{overview.lake}`",
        _section("What to do next", _numbered(next_steps(overview))),
        _section("Pool and mix", _totals(overview)),
        _section("Domains before and after", _domains(overview)),
        _section("What was left out", _left_out(overview)),
        _section("Swarm and theta\\*", _search(overview)),
        _section("Failed checks", _checks(overview)),
        _section("Changed settings", _changes(overview)),
        _section("What is made", _made(overview)),
    ]
    return "\n\n".join(section for section in sections if section)


def _section(title: str, text: str) -> str:
    return f"### {title}\n\n{text}" if text else ""


def _numbered(steps: Sequence[str]) -> str:
    shown = [f"{number}. {step}" for number, step in enumerate(steps[:_LIMIT], start=1)]
    more = [f"\nand {len(steps) - _LIMIT} more"] if len(steps) > _LIMIT else []
    return "\n".join([*shown, *more])


def _totals(overview: Overview) -> str:
    pool, mix = overview.pool, overview.mix
    rows = [
        ("shards", f"{pool.n_read:,} of {pool.n_shards:,}", f"{mix.n_shards:,}" if mix else "–"),
        ("documents", f"{pool.n_documents:,}", f"{mix.n_documents:,}" if mix else "–"),
        ("documents with copies", "", f"{mix.n_copies:,}" if mix else "–"),
        (
            "tokens",
            f"{overview.n_tokens:,}" if overview.n_tokens else "not counted yet",
            f"{mix.n_tokens:,}" if mix else "–",
        ),
        ("size", f"{_mb(pool.n_bytes)} of text", f"{_mb(mix.n_bytes)} of files" if mix else "–"),
    ]
    text = table(pl.DataFrame(rows, schema=["count", "pool", "final mix"], orient="row"))
    if mix is None:
        return text
    kept = f", {mix.n_tokens / overview.n_tokens:.1%} of the pool's" if overview.n_tokens else ""
    manifest = "" if mix.has_manifest else "; its manifest has not been written yet"
    return (
        f"{text}\n\nThe mix has {mix.n_tokens:,} tokens{kept}; a document is taken at most "
        f"{mix.max_copies} times{manifest}."
    )


def _domains(overview: Overview) -> str:
    domains = overview.domains
    held = domains.filter((pl.col("n_tokens_pool") > 0) | (pl.col("n_tokens_mix") > 0))
    if held.is_empty():
        return ""
    mix_total = held["n_tokens_mix"].sum()
    ordered = held.sort("n_tokens_mix", "n_tokens_pool", descending=True, nulls_last=True)
    shown = ordered.select(
        pl.col("domain").map_elements(plain_text, return_dtype=pl.String),
        pl.Series("pool", [f"{n / overview.n_tokens:.1%}" for n in ordered["n_tokens_pool"]]),
        pl.Series(
            "final mix",
            [
                f"{n / mix_total:.1%}" if n is not None and mix_total else "–"
                for n in ordered["n_tokens_mix"]
            ],
        ),
        pl.Series(
            "tokens per token",
            [
                f"{after / before:.2f}" if after is not None and before else "–"
                for before, after in ordered.select("n_tokens_pool", "n_tokens_mix").rows()
            ],
        ),
    )
    empty = domains.height - held.height
    note = f"\n\nDomains without documents, left out: {empty}." if empty else ""
    return table(shown) + note


def _left_out(overview: Overview) -> str:
    pool, parts = overview.pool, []
    if pool.quarantined:
        n_rows = sum(pool.quarantined.values())
        parts.append(
            f"{n_rows:,} of {pool.n_rows:,} rows are in quarantine ({n_rows / pool.n_rows:.2%}), "
            "with shard, row and reason:\n\n"
            + table(
                pl.DataFrame(
                    {
                        "reason": [plain_text(reason) for reason in pool.quarantined],
                        "rows": [f"{n:,}" for n in pool.quarantined.values()],
                    }
                )
            )
        )
    if pool.set_aside:
        shown = pool.set_aside[:_LIMIT]
        more = len(pool.set_aside) - len(shown)
        parts.append(
            f"{len(pool.set_aside)} of {pool.n_shards} shards are set aside:\n\n"
            + table(
                pl.DataFrame(
                    {
                        "shard": [plain_text(one.shard) for one in shown],
                        "why": [one.kind for one in shown],
                        "what to do": [plain_text(one.message) for one in shown],
                    }
                )
            )
            + (f"\n\nand {more} more." if more else "")
        )
    if overview.unknown_share:
        parts.append(f"The domain of {overview.unknown_share:.1%} of the tokens is unknown.")
    return "\n\n".join(parts) or ("Nothing." if pool.n_read else "")


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
    text = (
        f"Objective `{theta.objective}`: theta\\* is predicted at {theta.predicted:.4f} ± "
        f"{theta.standard_deviation:.4f} {theta.unit}; the best proxy measured "
        f"{theta.best_proxy:.4f}, theta\\* is {'better' if better > 0 else 'no better'} by the "
        "prediction."
    )
    if theta.measured.is_empty():
        return text
    shown = theta.measured.with_columns(
        pl.col("sample").map_elements(plain_text, return_dtype=pl.String)
    )
    return f"{text} Measured with proxies, mean loss in nats per token:\n\n{table(shown)}"


def _checks(overview: Overview) -> str:
    if not overview.failed_checks:
        return ""
    return table(
        pl.DataFrame(
            {
                "asset": [asset_link(check.asset) for check in overview.failed_checks],
                "check": [check_link(check.asset, check.name) for check in overview.failed_checks],
                "severity": [check.severity for check in overview.failed_checks],
                "what it says": [plain_text(check.description) for check in overview.failed_checks],
            }
        )
    )


def _changes(overview: Overview) -> str:
    return "\n".join(
        f"- {asset_link(asset)}: " + ", ".join(f"`{change}`" for change in changes)
        for asset, changes in overview.changed_settings.items()
    )


def _made(overview: Overview) -> str:
    partitioned = [one for one in overview.made if one.is_partitioned]
    others = [one for one in overview.made if not one.is_partitioned]
    text = table(
        pl.DataFrame(
            {
                "asset": [asset_link(one.asset) for one in partitioned],
                "partitions": [f"{one.n_made:,} of {one.n_all:,}" for one in partitioned],
            }
        )
    )
    missing = [asset_link(one.asset) for one in others if not one.n_made]
    n_there = len(others) - len(missing)
    return (
        f"{text}\n\nAssets without partitions: {n_there} of {len(others)} are made"
        + (f"; missing: {', '.join(missing)}" if missing else "")
        + "."
    )


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:,.2f} GB"
