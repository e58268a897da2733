"""The kept versions of a mix as a table for reading."""

from collections.abc import Sequence

import polars as pl

from quadmix_assets.mix.versions import Header, Version

_MEGABYTE = 1e6
_NAMES = ("mix", "version", "kept at (UTC)", "method", "documents", "tokens", "shards", "is")


def version_table(versions: Sequence[Version]) -> pl.DataFrame:
    """One row per version, in their order: what it holds, and what removing it would free."""
    rows = [{**_row(each), "own MB": f"{each.n_bytes_own / _MEGABYTE:,.2f}"} for each in versions]
    names = (*_NAMES[:-1], "own MB", _NAMES[-1])
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


def narrow_version_table(versions: Sequence[Header]) -> pl.DataFrame:
    """The versions of one mix in a table that fits a page of the UI."""
    return pl.DataFrame(
        [_row(each) for each in versions], schema=dict.fromkeys(_NAMES, pl.String)
    ).select("version", "kept at (UTC)", "tokens", "is")


def _row(version: Header) -> dict[str, str]:
    return {
        "mix": version.mix,
        "version": version.version,
        "kept at (UTC)": f"{version.kept_at:%Y-%m-%d %H:%M:%S}",
        "method": version.method,
        "documents": f"{version.totals['n_documents_out']:,}",
        "tokens": f"{version.totals['n_tokens_out']:,}",
        "shards": f"{version.n_shards:,}",
        "is": "the mix now" if version.is_present else "",
    }
