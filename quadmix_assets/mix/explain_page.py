"""The explanation of a document in words and tables."""

from collections.abc import Mapping

import polars as pl

from quadmix_assets.corpus.find_document import QuarantinedRow
from quadmix_assets.mix.explanation import (
    ExplainedDocument,
    Explanation,
    InMix,
    Known,
    UnknownDocument,
)
from quadmix_assets.mix.rule import Curve
from quadmix_assets.report.blocks import Block

_MOST_SHARDS = 5


def explanation_blocks(explanation: Explanation) -> list[Block]:
    """The explanation in parts: the document, the mixes, and one mix in full.

    In full is the mix that was asked for, or the one that is in production.
    """
    if isinstance(explanation, UnknownDocument):
        return _unknown(explanation)
    known, mixes = explanation.known, explanation.in_mixes
    blocks = [_document(known)]
    if known.quarantined:
        blocks.append(_quarantine(known.quarantined, "rows with the same id in quarantine"))
    shown = shown_in_full(explanation)
    if known.problem:
        blocks.append(Block("not scored yet", (known.problem,)))
        if shown is None or not shown.is_version:
            return blocks
    if len(mixes) > 1:
        blocks.append(Block("in all mixes", table=_mixes_table(mixes)))
    if shown is None:
        return [*blocks, _scores(known.scores, None)]
    return [*blocks, _scores(known.scores, shown), *_decision(shown)]


def shown_in_full(explanation: ExplainedDocument) -> InMix | None:
    """The mix that the explanation shows in full."""
    mixes = explanation.in_mixes
    return mixes[0] if len(mixes) == 1 else next((m for m in mixes if m.is_production), None)


def curve_of(mix: InMix | None) -> Curve | None:
    """The sampling curve that decided; None where there is none."""
    return mix.why.curve if mix is not None and mix.why is not None else None


def one_line(mix: InMix) -> str:
    """Whether and how often a mix has the document, in a few words."""
    if mix.copies is None:
        return "cannot be decided"
    if mix.survivor is not None:
        return "left out as a near-duplicate"
    return _times(mix.copies) if mix.copies else "not in it"


def _times(copies: int | None) -> str:
    """A number of copies in words."""
    return "once" if copies == 1 else f"{copies or 0} times"


def _document(known: Known) -> Block:
    place = known.place
    facts = [
        f"shard {place.shard}, row {place.row + 1:,} of its {place.n_documents:,} documents",
        f"source {known.source or 'not given'}",
        f"{known.n_bytes:,} bytes"
        + (f", {known.n_tokens:,} tokens" if known.n_tokens is not None else ""),
    ]
    if known.domain is not None:
        facts.append(f"domain {known.domain} with confidence {known.confidence:.4g}")
    return Block(f"document {known.document_id}", tuple(facts), verbatim=known.excerpt)


def _scores(scores: Mapping[str, float], mix: InMix | None) -> Block:
    """Raw and normalized scores, and what each adds to the merged score."""
    sigma = (mix.sigma if mix is not None else None) or {}
    weights = (mix.weights if mix is not None else None) or {}
    rows = []
    if mix is not None and mix.scores is not None:
        scores = mix.scores
    for name, raw in scores.items():
        row: dict[str, object] = {"criterion": name, "score": raw}
        if sigma:
            row["normalized (smaller is better)"] = sigma.get(name)
        if weights:
            row["weight in the domain"] = weights.get(name)
            weighed = name in weights and name in sigma
            row["adds to the merged score"] = weights[name] * sigma[name] if weighed else None
        rows.append(row)
    return Block("scores (larger is better)", table=pl.DataFrame(rows, infer_schema_length=None))


def _mixes_table(mixes: tuple[InMix, ...]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "mix": f"{mix.mix} (production)" if mix.is_production else mix.mix,
                "method": mix.method,
                "copies": mix.copies,
                "S": mix.sampling_value,
                "rank": mix.rank,
                "in the mix as it is made": "not mixed yet"
                if mix.stored_copies is None
                else "no"
                if not mix.stored_copies
                else f"{mix.stored_copies}",
                "why": mix.problem
                or (
                    f"a near-duplicate of {mix.survivor}, which is kept"
                    if mix.survivor is not None
                    else mix.why.because
                    if mix.why is not None
                    else ""
                ),
            }
            for mix in mixes
        ],
        schema={
            "mix": pl.String,
            "method": pl.String,
            "copies": pl.Int64,
            "S": pl.Float64,
            "rank": pl.Float64,
            "in the mix as it is made": pl.String,
            "why": pl.String,
        },
    )


def _decision(mix: InMix) -> list[Block]:
    """What one mix makes of the document, and what would change it."""
    title = f"mix {mix.mix} ({mix.method}{', in production' if mix.is_production else ''})"
    if mix.copies is None or mix.why is None:
        had = (f"the version has it {_times(mix.stored_copies)}",) if mix.stored_copies else ()
        return [Block(f"{title}: it cannot be decided", (*had, mix.problem, *mix.notes))]
    lines = []
    if mix.survivor is not None:
        lines.append(
            f"it is a near-duplicate of {mix.survivor}, which is kept in its place; without its "
            "near-duplicates:"
        )
    lines.append(mix.why.because)
    if mix.stands_for:
        more = mix.n_stands_for - len(mix.stands_for)
        lines.append(
            f"it is kept in place of its near-duplicates {', '.join(mix.stands_for)}"
            + (f" and {more} more" if more else "")
        )
    if mix.is_version:
        lines += mix.notes
        if mix.is_behind:
            lines.append(
                f"the version has it {_times(mix.stored_copies)}: scores, domain or what the rule "
                "is computed with have changed since"
            )
    elif mix.is_behind:
        lines.append(
            f"the mix as it is made now has it {_times(mix.stored_copies)}, by an earlier rule or "
            f"earlier scores: materialise mixes/{mix.mix}/final_mix of its shard"
        )
    elif mix.stored_copies is None:
        lines.append(f"its shard is not mixed yet: materialise mixes/{mix.mix}/final_mix")
    values: dict[str, float | str] = {"copies": float(mix.copies)}
    if mix.sampling_value is not None:
        values["S, the expected copies"] = mix.sampling_value
    if mix.merged_score is not None:
        values["merged score (smaller is better)"] = mix.merged_score
    if mix.rank is not None:
        values["rank within the domain"] = mix.rank
    # Those are in the table of scores.
    in_scores = {f"{part} {name}" for part in ("sigma", "alpha") for name in mix.weights or {}}
    values |= {name: v for name, v in mix.why.numbers.items() if name not in in_scores}
    numbers = pl.DataFrame(
        {
            "number": list(values),
            "value": [f"{v:.6g}" if isinstance(v, float | int) else v for v in values.values()],
        }
    )
    blocks = [Block(f"{title}: {one_line(mix)}", tuple(lines), numbers)]
    if mix.why.would_flip:
        blocks.append(Block("what would change it", mix.why.would_flip))
    return blocks


def _unknown(unknown: UnknownDocument) -> list[Block]:
    name = unknown.document_id
    if unknown.quarantined:
        return [
            _quarantine(unknown.quarantined, f"{name} is not in the pool: its row is in quarantine")
        ]
    blocks = [Block(f"{name} is no id of a document in the pool")]
    if unknown.in_version is not None:
        return [*blocks, _scores({}, unknown.in_version), *_decision(unknown.in_version)]
    if unknown.nearest:
        blocks.append(Block("the nearest ids", unknown.nearest))
    if unknown.set_aside:
        shown = list(unknown.set_aside.items())[:_MOST_SHARDS]
        lines = [f"{shard}: {reason.message}" for shard, reason in shown]
        if len(unknown.set_aside) > len(shown):
            lines.append(f"and {len(unknown.set_aside) - len(shown)} further shards")
        blocks.append(Block("it may be in a shard that is set aside", tuple(lines)))
    return blocks


def _quarantine(rows: tuple[QuarantinedRow, ...], title: str) -> Block:
    table = pl.DataFrame(
        [
            {
                "shard": row.shard,
                "row of the file": row.row,
                "reason": row.reason,
                "detail": row.detail,
                "excerpt": row.excerpt,
            }
            for row in rows
        ]
    )
    return Block(title, table=table)
