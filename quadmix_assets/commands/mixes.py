"""`quadmix mixes`: prints all mixes of the profile, with their sizes and what they lack."""

from pathlib import PurePath

from quadmix_assets.mix.versions import list_versions
from quadmix_assets.outputs import RAW_SHARDS
from quadmix_assets.report.mixes import MixState, read_mixes, read_pool
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, output_names

_HEAD = ("mix", "method", "documents", "tokens", "epochs", "versions", "state")
_NUMBERS = range(2, 6)


def mixes_text(settings: Settings, store: Store) -> str:
    """A table with one line per mix of the settings, in their order.

    Raises:
        DamagedOutputError: a table of a mix or of the pool is not what was written.
    """
    shards = [PurePath(name).stem for name in output_names(store.root / RAW_SHARDS)]
    states = read_mixes(store, settings, read_pool(store, shards))
    rows = [_HEAD, *(_row(store, state) for state in states)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, _line(tuple("-" * width for width in widths), widths))
    return "\n".join(lines) + "\n"


def _row(store: Store, state: MixState) -> tuple[str, ...]:
    versions = str(len(list_versions(store, state.name)))
    if not state.is_made:
        return (state.name, state.method, "", "", "", versions, state.in_words)
    return (
        state.name,
        state.method,
        f"{state.n_documents:,}",
        f"{state.n_tokens:,}",
        "" if state.epochs is None else f"{state.epochs:.2f}",
        versions,
        state.in_words,
    )


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    aligned = (
        cell.rjust(width) if place in _NUMBERS else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(aligned).rstrip()
