"""`quadmix plan`: prints what each stage of a profile will cost, before anything runs."""

import math
import os
import textwrap
from collections.abc import Sequence

from quadmix_assets.corpus.check.inputs import look_at_inputs
from quadmix_assets.faults import fault_text, is_fault
from quadmix_assets.plan.costs import Cost, costs
from quadmix_assets.plan.devices import NAMED_DEVICES, THIS_MACHINE, Device
from quadmix_assets.plan.inputs import InputSize
from quadmix_assets.plan.this_machine import ThisMachine
from quadmix_assets.settings import Settings
from quadmix_assets.starter.sizes import BYTES_PER_TOKEN
from quadmix_assets.starter.text import shown_count
from quadmix_assets.store import Store

_HEAD = ("stage", "what", "models", "tokens", "FLOPs", "hours", "on disk")
_TOKENS_PER_DOCUMENT = 500
_WIDTH = 100
_NOTE = (
    "Hours are those of one device for all trainings, with the measuring of target sets; those "
    "with a * are of this machine's {n_cores} cores, whatever the device. Starts, compilation and "
    "searches are not counted: minutes. Tokens of the pool are bytes / {bytes_per_token} until "
    "they are counted, and the size of a mix that theta decides is a guess until theta* is found."
)


def plan_text(
    settings: Settings, store: Store, device: str, *, pool_tokens: int | None = None
) -> str:
    """A table of stages with their cost, for the terminal.

    Args:
        settings: of the profile.
        store: the lake.
        device: THIS_MACHINE, or one of NAMED_DEVICES.
        pool_tokens: size of the pool, instead of looking at its shards.
    """
    n_cores = os.cpu_count() or 1
    inputs, problem = _inputs(settings, store, pool_tokens)
    chosen: Device = ThisMachine.of(settings) if device == THIS_MACHINE else NAMED_DEVICES[device]
    found = costs(settings, inputs, chosen, n_cores=n_cores)
    pool = (
        f"{shown_count(inputs.n_documents or 0)} documents, {shown_count(inputs.n_tokens)} tokens, "
        f"{inputs.known_from}"
        if inputs.n_tokens is not None
        else f"not known ({inputs.known_from}): say --pool-tokens"
    )
    notes = [_NOTE.format(n_cores=n_cores, bytes_per_token=BYTES_PER_TOKEN)]
    if unknown := [cost.what for cost in found if cost.is_unknown]:
        notes.append(f"Not counted, as the network's size is not known: {', '.join(unknown)}.")
    notes += [problem] if problem else []
    lines = [
        f"profile  {settings.profile}",
        f"pool     {pool}",
        f"device   {chosen.name}, {chosen.described}",
        "",
        *_table(found),
        "",
        *(line for note in notes for line in textwrap.wrap(note, _WIDTH)),
    ]
    return "\n".join(lines) + "\n"


def _inputs(
    settings: Settings, store: Store, pool_tokens: int | None
) -> tuple[InputSize, str | None]:
    """What is known of the inputs, and what is in the way of knowing more."""
    if pool_tokens is not None:
        return InputSize.stated(pool_tokens, _TOKENS_PER_DOCUMENT), None
    if settings.corpus.source == "planted":
        return InputSize.of_planted(settings), None
    try:
        report = look_at_inputs(settings, store)
    except Exception as error:
        if not is_fault(error):
            raise
        return InputSize(None, None, fault_text(error)), None
    if not report.shards.n_rows:
        return InputSize(None, None, "no shard can be read"), None
    problems = report.findings.problems
    problem = f"`quadmix check` names {len(problems)} problems of the inputs." if problems else None
    return InputSize.of_report(report), problem


def _table(found: Sequence[Cost]) -> list[str]:
    rows = [_HEAD, *(_row(cost) for cost in found), _total(found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    rule = _line(tuple("-" * width for width in widths), widths)
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


def _row(cost: Cost) -> tuple[str, ...]:
    hours = "" if cost.hours is None else _hours(cost.hours) + ("*" if cost.on_cores else "")
    return (
        cost.stage,
        cost.what,
        f"{cost.n_models:,}" if cost.n_models else "",
        shown_count(cost.n_tokens) if cost.n_tokens else "",
        f"{cost.flops:.1e}" if cost.flops else "",
        hours,
        _bytes(cost.n_bytes) if cost.n_bytes else "",
    )


def _total(found: Sequence[Cost]) -> tuple[str, ...]:
    flops = sum(cost.flops or 0 for cost in found)
    hours = sum(cost.hours or 0 for cost in found)
    n_models, n_bytes = (sum(getattr(c, name) for c in found) for name in ("n_models", "n_bytes"))
    return ("all", "", f"{n_models:,}", "", f"{flops:.1e}", _hours(hours), _bytes(n_bytes))


def _line(cells: tuple[str, ...], widths: Sequence[int]) -> str:
    aligned = (
        cell.rjust(width) if place > 1 else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(aligned).rstrip()


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.1f}" if hours >= 10 else f"{hours:.2f}"


def _bytes(n_bytes: float) -> str:
    units = ("B", "kB", "MB", "GB", "TB", "PB")
    place = min(int(math.log(max(n_bytes, 1), 1_000)), len(units) - 1)
    return f"{n_bytes / 1_000**place:.{0 if place < 2 else 1}f} {units[place]}"
