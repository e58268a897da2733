"""Checks the input shards, by some rows of a bounded number of them."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence

from quadmix_assets.corpus.check.columns import ColumnLook, looks_of
from quadmix_assets.corpus.check.report import Findings, ShardsReport
from quadmix_assets.corpus.discovery import Discovery, InputShard
from quadmix_assets.corpus.inputs import discover_inputs, raw_folder
from quadmix_assets.corpus.readers import (
    FileSample,
    UnreadableShardError,
    no_such_column,
    read_sample,
)
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

N_SHARDS = 32
"""Maximum number of inspected shards, spread evenly over the pool."""
N_ROWS = 200
"""Number of inspected rows per shard."""
# A column that none of the inspected shards has counts as absent only after this many other shards,
# and this many rows of a few shards, have been read: in JSON lines, a rare key may come late.
_MORE_SHARDS = 200
_MORE_ROWS, _N_READ_ON = 10_000, 8
_N_SHOWN = 3


def look_at_shards(settings: Settings, store: Store, findings: Findings) -> ShardsReport:
    """Compare the first rows of some shards with what the settings expect of them.

    What is wrong with every inspected shard is a problem. A single shard that cannot be read or
    lacks a column is a warning: it is set aside alone, or its documents lack the value.
    """
    try:
        discovery = discover_inputs(settings, store)
    except (OSError, ValueError) as error:
        findings.problems.append(f"corpus.raw: {error}")
        return ShardsReport(Discovery([], []))
    report = ShardsReport(discovery)
    if not discovery.shards:
        ignored = f" (files that match no pattern: {discovery.ignored[:5]})"
        findings.problems.append(
            f"corpus.raw: no file in {raw_folder(settings, store)} matches corpus.patterns"
            + (ignored if discovery.ignored else "")
        )
        return report
    chosen, others = spread(discovery.shards)
    unreadable: list[str] = []
    samples = list(_samples(chosen, unreadable))
    usable, unusable = _with_text(samples, settings.corpus.text_column)
    if not usable:
        # None of the chosen shards can be used, but others may.
        more = list(_samples(others[:_MORE_SHARDS], unreadable))
        found, lacking = _with_text(more, settings.corpus.text_column)
        usable, unusable = usable + found, unusable + lacking
    if not usable:
        first = (unusable + unreadable)[0]
        findings.problems.append(f"corpus.raw: no shard can be used, the first because: {first}")
        return report
    _warn_of_shards(findings, "cannot be read", unreadable)
    _warn_of_shards(findings, "cannot be used", unusable)
    _count(report, usable, settings.corpus.text_column)
    _look_at_columns(settings, report, usable, others, findings)
    _warn_of_rows(settings, usable, findings)
    return report


def spread(shards: Sequence[InputShard]) -> tuple[list[InputShard], list[InputShard]]:
    """The shards to inspect, evenly spaced in the order of their keys, and the other shards."""
    if len(shards) <= N_SHARDS:
        return list(shards), []
    numbers = {round(i * (len(shards) - 1) / (N_SHARDS - 1)) for i in range(N_SHARDS)}
    chosen = [shards[number] for number in sorted(numbers)]
    return chosen, [shard for number, shard in enumerate(shards) if number not in numbers]


def _samples(shards: Sequence[InputShard], unreadable: list[str]) -> Iterator[FileSample]:
    for shard in shards:
        try:
            yield read_sample(shard.path, n_rows=N_ROWS)
        except (UnreadableShardError, OSError) as error:
            unreadable.append(str(error))


def _with_text(
    samples: Sequence[FileSample], text_column: str
) -> tuple[list[FileSample], list[str]]:
    """Samples whose rows have texts, or that have no rows, and messages about the other samples."""
    usable, unusable = [], []
    for sample in samples:
        if not sample.rows:
            usable.append(sample)
        elif not sample.has(text_column):
            what = no_such_column(text_column, sample.columns)
            unusable.append(
                f"{sample.path}: {what} Set corpus.text_column to the one that holds the text."
            )
        elif any(isinstance(value, str | bytes) for _, value in sample.values(text_column)):
            usable.append(sample)
        else:
            row, value = next(sample.values(text_column))
            unusable.append(
                f"{sample.path}, row {row}: the column {text_column!r} holds {value!r:.60}, "
                "expected a text. Set corpus.text_column to a column of strings."
            )
    return usable, unusable


def _warn_of_shards(findings: Findings, what: str, messages: Sequence[str]) -> None:
    if messages:
        shown = "".join(f"\n    {message}" for message in messages[:_N_SHOWN])
        more = len(messages) - _N_SHOWN
        findings.warnings.append(
            f"{len(messages)} of the inspected shards {what}; each of them is set aside "
            f"alone:{shown}" + (f"\n    and {more} more" if more > 0 else "")
        )


def _count(report: ShardsReport, samples: Sequence[FileSample], text_column: str) -> None:
    report.n_read = len(samples)
    report.n_rows_read = sum(len(sample.rows) + sample.n_broken for sample in samples)
    scale = len(report.discovery.shards) / max(len(samples), 1)
    report.n_rows = round(scale * sum(sample.n_rows for sample in samples))
    n_bytes = 0.0
    for sample in samples:
        values = [value for _, value in sample.values(text_column)]
        sizes = [len(_encoded(value)) for value in values if isinstance(value, str | bytes)]
        n_bytes += sum(sizes) / max(len(sample.rows) + sample.n_broken, 1) * sample.n_rows
    report.n_text_bytes = round(scale * n_bytes)


def _encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode(errors="replace")


def _look_at_columns(
    settings: Settings,
    report: ShardsReport,
    samples: Sequence[FileSample],
    others: Sequence[InputShard],
    findings: Findings,
) -> None:
    looks = looks_of(settings)
    for sample in samples:
        for look in looks:
            look.take(sample)
    with_rows = [sample for sample in samples if sample.rows]
    if with_rows:
        _look_further([look for look in looks if look.is_absent], samples, others)
    columns = list(dict.fromkeys(name for sample in with_rows for name in sample.columns))
    for look in looks:
        if with_rows:
            look.conclude(with_rows[0], columns, len(with_rows), findings)
        report.columns.append(look.use)
        report.domains.update(look.domains)


def _look_further(
    absent: Sequence[ColumnLook], samples: Sequence[FileSample], others: Sequence[InputShard]
) -> None:
    """Search for columns that no shard seems to have in further shards, then in further rows."""
    partly_read = [sample.path for sample in samples if not sample.is_whole]
    places = [
        *((shard.path, N_ROWS) for shard in others[:_MORE_SHARDS]),
        *((path, _MORE_ROWS) for path in partly_read[:_N_READ_ON]),
    ]
    for path, n_rows in places:
        absent = [look for look in absent if look.is_absent]
        if not absent:
            return
        with contextlib.suppress(UnreadableShardError, OSError):
            sample = read_sample(path, n_rows=n_rows)
            for look in absent:
                look.take(sample)


def _warn_of_rows(settings: Settings, samples: Sequence[FileSample], findings: Findings) -> None:
    """Warn if too many rows would go to quarantine, and if ids repeat."""
    corpus = settings.corpus
    n_rows, n_bad = 0, 0
    ids: Counter[str] = Counter()
    for sample in samples:
        n_rows += len(sample.rows) + sample.n_broken
        n_bad += sample.n_broken + len(sample.rows)
        n_bad -= sum(_shows(value) for _, value in sample.values(corpus.text_column))
        if corpus.id_column is not None:
            ids.update(str(v) for _, v in sample.values(corpus.id_column) if v is not None)
    if not n_rows:
        findings.warnings.append("corpus.raw: the inspected shards hold no row")
    elif n_bad / n_rows > corpus.max_quarantine_share:
        findings.warnings.append(
            f"{n_bad} of {n_rows} inspected rows hold no text ({n_bad / n_rows:.1%}, more than "
            f"corpus.max_quarantine_share, {corpus.max_quarantine_share:.1%}): they go to "
            "raw_shards_quarantine"
        )
    twice = [(id_, n) for id_, n in ids.most_common(_N_SHOWN) if n > 1]
    if twice:
        shown = ", ".join(f"{id_!r} ({n} times)" for id_, n in twice)
        findings.warnings.append(
            f"corpus.id_column: ids occur more than once in the inspected rows: {shown}. Ids "
            "must be unique in the pool: repeated rows of a file go to quarantine, and a file with "
            "ids of another is set aside. Remove the duplicates, or set corpus.id_column to null "
            "to have ids made from shard and row"
        )


def _shows(text: object) -> bool:
    return isinstance(text, str | bytes) and bool(text.strip())
