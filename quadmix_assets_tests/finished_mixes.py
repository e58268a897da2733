"""Finished mixes of small lakes, written row by row: documents and manifest without the graph."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from quadmix_assets.mix.manifest import MANIFEST_FILE
from quadmix_assets.mix.versions import keep_version
from quadmix_assets.outputs import FINAL_MIX, MIX_MANIFEST, mix_output
from quadmix_assets.store import Store, atomic_folder

DOMAINS = ("law", "cooking", "unknown")
SCORES = ("worth", "depth")


class Row(NamedTuple):
    """A document of a mix."""

    id: str
    domain: str
    n_tokens: int
    worth: float
    depth: float
    copies: int


def rows_of(shard: str, rng: np.random.Generator, n: int = 40) -> list[Row]:
    """Documents of a shard, of which a third is not taken and left out."""
    return [
        Row(
            f"{shard}-{number}",
            str(rng.choice(DOMAINS)),
            int(rng.integers(1, 500)),
            float(rng.normal()),
            float(rng.normal(5.0, 3.0)),
            copies,
        )
        for number in range(n)
        if (copies := int(rng.integers(0, 3)))
    ]


def put_documents(store: Store, mix: str, shard: str, rows: Sequence[Row]) -> None:
    """Write what a mix takes of a shard."""
    table = pl.DataFrame(
        {
            **{name: [getattr(row, name) for row in rows] for name in Row._fields},
            "merged_score": [None] * len(rows),
            "rank": [None] * len(rows),
            "sampling_value": [float(row.copies) for row in rows],
        },
        schema={
            "id": pl.String,
            "domain": pl.String,
            "n_tokens": pl.Int64,
            **dict.fromkeys((*SCORES, "merged_score", "rank", "sampling_value"), pl.Float64),
            "copies": pl.Int32,
        },
    )
    store.write_table(store.table_path(mix_output(mix, FINAL_MIX), shard), table)


def put_manifest(
    store: Store, mix: str, shards: Mapping[str, Sequence[Row]], **further: Any
) -> None:
    """Write the manifest of a mix of these shards."""
    rows = [row for each in shards.values() for row in each]
    documents = mix_output(mix, FINAL_MIX)
    manifest = {
        "mix": mix,
        "method": "quadmix",
        "domains": list(DOMAINS),
        "n_tokens_in_per_domain": [20_000, 10_000, 0],
        "totals": {
            "n_documents_in": 100,
            "n_tokens_in": 30_000,
            "n_documents_out": len(rows),
            "n_copies_out": sum(row.copies for row in rows),
            "n_tokens_out": sum(row.copies * row.n_tokens for row in rows),
        },
        "shards": {
            shard: {"checksum": store.seal(store.table_path(documents, shard))} for shard in shards
        },
        "tables": {},
        **further,
    }
    with atomic_folder(store.root / mix_output(mix, MIX_MANIFEST)) as folder:
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest, sort_keys=True))


def put_mix(store: Store, mix: str, shards: Mapping[str, Sequence[Row]], **further: Any) -> str:
    """Finish a mix of these documents, and return the version that it is kept as."""
    for shard, rows in shards.items():
        put_documents(store, mix, shard, rows)
    put_manifest(store, mix, shards, **further)
    return keep_version(store, mix)
