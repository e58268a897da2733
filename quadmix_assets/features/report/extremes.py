"""Tables of the best and worst documents of the pool by each criterion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise

import numpy as np
import polars as pl

from quadmix_assets.features.scored_documents import ScoredDocuments
from quadmix_assets.outputs import RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.store import Store

_CHANGED = "(no text: raw_shards has changed since this shard was scored)"
_SCHEMA = {
    "end": pl.String,
    "score": pl.Float64,
    "domain": pl.String,
    "id": pl.String,
    "shard": pl.String,
    "text": pl.String,
}


@dataclass(frozen=True)
class Extremes:
    """Rows of the n best and the n worst of D documents, best first, without duplicates.

    Attributes:
        top, bottom: (n,) rows; fewer where D < 2n.
    """

    top: np.ndarray
    bottom: np.ndarray


def extreme_rows(ids: pl.Series, scores: np.ndarray, n: int) -> Extremes:
    """The n best and n worst documents by a criterion, in O(D).

    Args:
        ids: (D,) document ids, no two the same.
        scores: (D,) raw scores, larger is better; ties are broken by id.
        n: documents of each end; fewer where D < 2n.
    """
    n_top = min(n, (len(ids) + 1) // 2)
    n_bottom = min(n, len(ids) - n_top)
    return Extremes(_best(ids, scores, n_top), _best(ids, -scores, n_bottom, last_id_first=True))


def _best(ids: pl.Series, scores: np.ndarray, n: int, *, last_id_first: bool = False) -> np.ndarray:
    if not n:
        return np.empty(0, dtype=np.int64)
    # Only documents that can be among the n are sorted: ids make a table of all documents large.
    candidates = np.flatnonzero(scores >= np.partition(scores, len(scores) - n)[len(scores) - n])
    frame = pl.DataFrame(
        {"row": candidates, "score": scores[candidates], "id": ids.gather(candidates)}
    )
    chosen = frame.top_k(n, by=["score", "id"], reverse=[False, not last_id_first])
    best_first = chosen.sort(["score", "id"], descending=[True, last_id_first])["row"].to_numpy()
    return best_first[::-1] if last_id_first else best_first


def extreme_documents(
    store: Store,
    shards: Sequence[str],
    pool: ScoredDocuments,
    criteria: Sequence[str],
    domain_names: Sequence[str],
    *,
    n: int = 10,
    excerpt: int = 160,
) -> dict[str, pl.DataFrame]:
    """The n best and n worst documents of the whole pool by each criterion, best first.

    Of raw_shards only the row groups that hold one of these documents are read, each once.

    Args:
        store: the lake.
        shards: those that `pool` was read from, in the same order.
        pool: D documents with scores (D, N).
        criteria: the N names.
        domain_names: the M names.
        n: documents of each end.
        excerpt: characters shown of a text; runs of whitespace become single spaces.

    Returns:
        Per criterion a table of the columns `end` ("top" or "bottom"), `score`, `domain`, `id`,
        `shard`, `text`. If raw_shards has changed since the shard was scored, `text` says so.

    Raises:
        MissingOutputError: raw_shards or scored_shards does not hold a shard.
    """
    extremes = {
        name: extreme_rows(pool.ids, pool.scores[:, number], n)
        for number, name in enumerate(criteria)
    }
    rows = sorted({int(row) for one in extremes.values() for row in (*one.top, *one.bottom)})
    found = _read_documents(store, shards, pool.ids, rows, excerpt)
    tables = {}
    for number, name in enumerate(criteria):
        one = extremes[name]
        chosen = [int(row) for row in (*one.top, *one.bottom)]
        tables[name] = pl.DataFrame(
            {
                "end": ["top"] * len(one.top) + ["bottom"] * len(one.bottom),
                "score": pool.scores[chosen, number],
                "domain": [domain_names[domain] for domain in pool.domains[chosen]],
                "id": [pool.ids[row] for row in chosen],
                "shard": [found[row][0] for row in chosen],
                "text": [found[row][1] for row in chosen],
            },
            schema=_SCHEMA,
        )
    return tables


def _read_documents(
    store: Store, shards: Sequence[str], ids: pl.Series, rows: Sequence[int], n_characters: int
) -> Mapping[int, tuple[str, str]]:
    """Row of the pool -> shard and excerpt of its text; `rows` are ascending."""
    n_rows_each = [store.n_rows(store.table_path(SCORED_SHARDS, shard)) for shard in shards]
    starts = np.array(list(accumulate(n_rows_each, initial=0)))
    found = {}
    for number, members in groupby(
        rows, lambda row: int(np.searchsorted(starts, row, side="right")) - 1
    ):
        shard, start = shards[number], int(starts[number])
        pool_rows = list(members)
        read = _read_rows(store, shard, [row - start for row in pool_rows])
        for row in pool_rows:
            raw_id, text = read.get(row - start, (None, ""))
            unchanged = raw_id == ids[row]
            found[row] = (shard, _excerpt(text, n_characters) if unchanged else _CHANGED)
    return found


def _read_rows(store: Store, shard: str, rows: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Row -> id and text, for ascending rows of a raw shard; rows beyond its end are left out."""
    found = {}
    with store.open_table(store.table_path(RAW_SHARDS, shard)) as parquet:
        footer = parquet.metadata
        n_rows_each = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
        for group, (start, end) in enumerate(pairwise(accumulate(n_rows_each, initial=0))):
            wanted = [row for row in rows if start <= row < end]
            if wanted:
                table = parquet.read_row_group(group, ["id", "text"])
                for row in wanted:
                    found[row] = tuple(table[name][row - start].as_py() for name in ("id", "text"))
    return found


def _excerpt(text: str, n_characters: int) -> str:
    # Cut before it is split, so that a document of megabytes is not split for one line. Eight times
    # the length is kept, because much of a text can be whitespace.
    line = " ".join(text[: 8 * n_characters].split())
    return line if len(line) <= n_characters else line[: n_characters - 1].rstrip() + "…"
