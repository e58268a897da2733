"""The difference of two mixes in words and tables, with the reasons for its examples."""

import polars as pl

from quadmix_assets.comparison.mix_diff import CHANGES, FEWER, GAINED, LOST, MORE, MixDiff
from quadmix_assets.mix.selections import MixRows
from quadmix_assets.mix.stored_rule import LoadedRule
from quadmix_assets.mix.version_rule import PoolDocument, find_in_pool, reason, rule_of_version
from quadmix_assets.report.blocks import Block
from quadmix_assets.store import MissingOutputError, Store

# Characters of a document's text in a table.
_EXCERPT = 40


def diff_blocks(store: Store, diff: MixDiff, before: MixRows, after: MixRows) -> list[Block]:
    """A difference in parts: in total, per domain, per criterion, and documents with reasons.

    Raises:
        DamagedOutputError: what was read is not what was written.
    """
    title = f"{diff.before} (before) and {diff.after} (after)"
    if diff.is_empty:
        return [Block(title, ("Both have the same documents, each as often.",), _totals(diff))]
    rule = _rule_or_problem(after)
    blocks = [
        Block(title, (rule,) if isinstance(rule, str) else (), _totals(diff)),
        Block("domains: % of tokens with copies, and documents of each change", (), _domains(diff)),
        Block("criteria: mean scores, weighted by tokens with copies", (), _criteria(diff)),
    ]
    headings = {
        (GAINED,): f"gained: in {after}, not in {before}",
        (LOST,): f"lost: in {before}, not in {after}",
        (MORE, FEWER): "other copies: in both, not as often",
    }
    for kinds, heading in headings.items():
        examples = diff.examples.filter(pl.col("change").is_in(kinds))
        n_all = diff.totals.filter(pl.col("change").is_in(kinds))["n_documents"].sum()
        if examples.height:
            title = f"{heading} ({examples.height} of {n_all:,} documents)"
            blocks.append(Block(title, (), _examples(store, examples, after, rule)))
    return blocks


def _totals(diff: MixDiff) -> pl.DataFrame:
    return diff.totals.select(
        "change",
        pl.col("n_documents").alias("documents"),
        pl.col("n_tokens_before").alias("tokens before"),
        pl.col("n_tokens_after").alias("after"),
    )


def _domains(diff: MixDiff) -> pl.DataFrame:
    return diff.domains.select(
        "domain",
        (100 * pl.col("share_before")).round(1).alias("% before"),
        (100 * pl.col("share_after")).round(1).alias("after"),
        *CHANGES,
    )


def _criteria(diff: MixDiff) -> pl.DataFrame:
    return diff.criteria.select("criterion", "before", "after", GAINED, LOST)


def _rule_or_problem(rows: MixRows) -> LoadedRule | str:
    try:
        return rule_of_version(rows)
    except MissingOutputError as error:
        return str(error)


def _examples(
    store: Store, examples: pl.DataFrame, after: MixRows, rule: LoadedRule | str
) -> pl.DataFrame:
    """Documents with the reason for their copies in the second mix, and the start of their texts.

    Args:
        store: the lake.
        examples: of `MixDiff`.
        after: the second mix.
        rule: of it; words if it cannot be read.
    """
    found = [find_in_pool(store, name) for name in examples["id"]]
    reasons = [
        _reason(rule, after, document, copies)
        for document, copies in zip(found, examples["copies_after"], strict=True)
    ]
    return examples.select(
        "id",
        "domain",
        pl.col("n_tokens").alias("tokens"),
        pl.format("{} → {}", "copies_before", "copies_after").alias("copies"),
        pl.Series(f"why, by the rule of {after.mix}", reasons, dtype=pl.String),
        pl.Series("text", [_excerpt(document) for document in found], dtype=pl.String),
    )


def _reason(
    rule: LoadedRule | str, after: MixRows, document: PoolDocument | None, copies: int
) -> str:
    if document is None:
        return "not in the pool now, or not scored"
    if isinstance(rule, str):
        return "its rule cannot be read"
    return reason(rule, after.domains, document, copies)


def _excerpt(document: PoolDocument | None) -> str:
    words = "" if document is None else " ".join(document.excerpt.split())
    return words if len(words) <= _EXCERPT else f"{words[: _EXCERPT - 1]}…"
