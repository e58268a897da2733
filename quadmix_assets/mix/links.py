"""Which run made each entry of the manifest, with links into Dagster's UI.

It lies beside the manifest, because times and runs differ between mixes that are equal byte for
byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import polars as pl
from upath import UPath

from quadmix_assets.mix.upstream import upstream_of
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    FITTED_MODELS,
    MIX_LINKS,
    MIX_MANIFEST,
    OPTIMUM_CHECK,
    RAW_SHARDS,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    SELECTION_RULE,
    TOKENIZER,
    mix_output,
)
from quadmix_assets.report.markdown import plain_text
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import Store

LINKS_FILE = "links.json"
_MOST_ROWS = 60
# Columns of `table_of_links` whose cells are Markdown.
LINKED_COLUMNS = ("asset", "partition", "run")


@dataclass(frozen=True)
class Link:
    """One materialisation that a mix was made from.

    Attributes:
        asset: its name.
        partition: None for assets without partitions.
        event: number of the materialisation in the instance's log.
        run_id: of the run that made it; empty for an event that was reported without a run.
        time: when it was recorded, ISO 8601 in UTC.
        version: of its content, the data version that Dagster shows; empty in links that were
            written before they had one.
    """

    asset: str
    partition: str | None
    event: int
    run_id: str
    time: str
    version: str

    @property
    def asset_url(self) -> str:
        """The asset, or its partition, in the UI; relative to the UI's root."""
        page = _page_of(self.asset)
        if self.partition is None:
            return page
        return f"{page}?view=partitions&partition={_quoted(self.partition)}"

    @property
    def run_url(self) -> str:
        """The run in the UI; empty without a run."""
        return f"/runs/{self.run_id}" if self.run_id else ""


# Of every asset of a pool the partitions are the same.
@lru_cache(maxsize=16_384)
def _quoted(partition: str) -> str:
    return quote(partition, safe="")


@lru_cache
def _page_of(asset: str) -> str:
    return f"/assets/{quote(asset)}"


def linked_assets(settings: Settings, mix: NamedMix) -> list[str]:
    """The assets whose materialisations the manifest of a mix names, in the order of data flow."""
    upstream = upstream_of(settings, mix)
    return [
        TOKENIZER,
        FITTED_MODELS,
        *upstream,
        *([SCORE_NORMALIZERS] if mix.normalized else []),
        *([OPTIMUM_CHECK] if mix.uses_theta else []),
        mix_output(mix.name, SELECTION_RULE),
        RAW_SHARDS,
        SCORED_SHARDS,
        DOMAIN_LABELS,
        mix_output(mix.name, FINAL_MIX),
    ]


def links_path(store: Store, mix: str) -> UPath:
    """The path of the file of links of a mix."""
    return store.path(mix_output(mix, MIX_LINKS), LINKS_FILE)


def write_links(store: Store, mix: str, manifest_fingerprint: str, links: Sequence[Link]) -> UPath:
    """Write the links of the manifest of a mix; returns the path of the file."""
    entries = [
        {**vars(link), "asset_url": link.asset_url, "run_url": link.run_url} for link in links
    ]
    path = links_path(store, mix)
    store.write_json(
        path, {MIX_MANIFEST: manifest_fingerprint, "entries": entries}, lines_of="entries"
    )
    return path


def read_links(store: Store, mix: str) -> dict[tuple[str, str | None], Link]:
    """The links of a mix that were written last, by asset and partition; {} if there are none."""
    path = links_path(store, mix)
    entries: Sequence[Mapping[str, Any]] = store.read_json(path)["entries"] if path.exists() else ()
    return {
        (entry["asset"], entry["partition"]): Link(
            entry["asset"],
            entry["partition"],
            entry["event"],
            entry["run_id"],
            entry["time"],
            entry.get("version", ""),
        )
        for entry in entries
    }


def _named_link(link: Link) -> str:
    if link.partition is None:
        return ""
    return f"[{plain_text(link.partition)}]({link.asset_url})"


def table_of_links(links: Sequence[Link]) -> pl.DataFrame:
    """The links as a table of Markdown links: columns asset, partition, run, time.

    Of the partitions of a large pool only the newest are in the table.
    """
    whole = [link for link in links if link.partition is None]
    parts = [link for link in links if link.partition is not None]
    newest = sorted(parts, key=lambda link: -link.event)[: max(_MOST_ROWS - len(whole), 0)]
    shown = set(whole) | set(newest)
    rows = [
        {
            "asset": f"[{link.asset}](/assets/{quote(link.asset)})",
            "partition": _named_link(link),
            "run": f"[{link.run_id[:8]}]({link.run_url})" if link.run_id else "none",
            "time": link.time,
        }
        for link in links
        if link in shown
    ]
    return pl.DataFrame(
        rows, schema=dict.fromkeys(("asset", "partition", "run", "time"), pl.String)
    )
