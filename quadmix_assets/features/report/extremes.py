"""Tables of the best and worst documents of the pool by each criterion."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.outputs import RAW_SHARDS, SCORE_REPORT
from quadmix_assets.store import DamagedOutputError, MissingOutputError, Store, all_described

N_EXTREMES = 10
"""Documents of each end that are shown."""

# The texts that are shown, so that shards whose documents stay among them are not read again.
_EXCERPTS = "excerpts.parquet"
_CHANGED = "(no text: raw_shards has changed since this shard was scored)"
_SCHEMA = {
    "end": pl.String,
    "score": pl.Float64,
    "domain": pl.String,
    "id": pl.String,
    "shard": pl.String,
    "text": pl.String,
}


def best_rows(ids: pl.Series, scores: np.ndarray, n: int) -> np.ndarray:
    """The rows of the n best documents by a criterion, best first, in O(D); fewer where D < n.

    Args:
        ids: (D,) document ids, no two the same.
        scores: (D,) raw scores, larger is better; of equal ones the smaller id is better.
        n: how many.
    """
    return _first(ids, -scores, n, last_id_first=False)


def worst_rows(ids: pl.Series, scores: np.ndarray, n: int) -> np.ndarray:
    """As `best_rows`, the n worst, worst first: the other end of the same order."""
    return _first(ids, scores, n, last_id_first=True)


def _first(ids: pl.Series, values: np.ndarray, n: int, *, last_id_first: bool) -> np.ndarray:
    n = min(n, len(ids))
    if not n:
        return np.empty(0, dtype=np.int64)
    # Only documents that can be among the n are sorted: ids make a table of all documents large.
    candidates = np.flatnonzero(values <= np.partition(values, n - 1)[n - 1])
    frame = pl.DataFrame(
        {"row": candidates, "value": values[candidates], "id": ids.gather(candidates)}
    )
    return frame.sort(["value", "id"], descending=[False, last_id_first])["row"].head(n).to_numpy()


def extreme_documents(
    store: Store,
    extremes: pl.DataFrame,
    n_documents: int,
    criteria: Sequence[str],
    domain_names: Sequence[str],
    *,
    n: int = N_EXTREMES,
    excerpt: int = 160,
) -> dict[str, pl.DataFrame]:
    """The n best and n worst documents of the whole pool by each criterion, best first.

    No document stands twice: of fewer than 2 n the better half are the best. Texts that were shown
    before are kept beside the report. Of raw_shards only the row groups that hold another document
    are read, each once.

    Args:
        store: the lake.
        extremes: of the pool's summary (`PoolSummary.extremes`).
        n_documents: of the pool.
        criteria: the N names.
        domain_names: the M names.
        n: documents of each end, N_EXTREMES at most.
        excerpt: characters shown of a text; runs of whitespace become single spaces.

    Returns:
        Per criterion a table of the columns `end` ("top" or "bottom"), `score`, `domain`, `id`,
        `shard`, `text`. If raw_shards has changed since the shard was scored, `text` says so.

    Raises:
        MissingOutputError: raw_shards does not hold a shard of one of the documents.
    """
    n_top = min(n, (n_documents + 1) // 2)
    n_bottom = min(n, n_documents - n_top)
    best, worst = extremes.filter("is_best"), extremes.filter(~pl.col("is_best"))
    chosen = {}
    for name in criteria:
        top = best.filter(pl.col("criterion") == name).head(n_top)
        bottom = worst.filter(pl.col("criterion") == name).head(n_bottom).reverse()
        ends = ((top, "top"), (bottom, "bottom"))
        chosen[name] = pl.concat(each.with_columns(end=pl.lit(end)) for each, end in ends)
    wanted = pl.concat(chosen.values()).select("shard", "row", "id").unique().sort("shard", "row")
    texts = _excerpts(store, wanted, excerpt)
    names = pl.Series(domain_names, dtype=pl.String)
    return {
        name: rows.join(texts, on=["shard", "row"], how="left", maintain_order="left")
        .with_columns(domain=names.gather(rows["domain"]))
        .select(list(_SCHEMA))
        for name, rows in chosen.items()
    }


def _excerpts(store: Store, wanted: pl.DataFrame, n_characters: int) -> pl.DataFrame:
    """Columns shard, row, text of documents (columns shard, row, id), sorted by shard and row."""
    path = store.path(SCORE_REPORT, _EXCERPTS)
    seals = all_described(store, RAW_SHARDS, wanted["shard"].unique().sort())
    sealed = wanted.with_columns(
        seal=pl.Series([seals[shard].seal for shard in wanted["shard"]], dtype=pl.String),
        n_characters=pl.lit(n_characters, dtype=pl.Int64),
    )
    key = ["shard", "row", "id", "seal", "n_characters"]
    kept = _kept_excerpts(store, path)
    known = sealed.join(kept, on=key, how="inner")
    parts = [known]
    for (shard,), rows in sealed.join(kept, on=key, how="anti").group_by(
        "shard", maintain_order=True
    ):
        read = _read_rows(store, str(shard), rows["row"].to_list())
        found = [read.get(row, (None, "")) for row in rows["row"]]
        texts = [
            _excerpt(text, n_characters) if raw_id == id_ else _CHANGED
            for id_, (raw_id, text) in zip(rows["id"], found, strict=True)
        ]
        parts.append(rows.with_columns(text=pl.Series(texts, dtype=pl.String)))
    all_texts = pl.concat(parts).select(list(kept.columns)).sort("shard", "row")
    if len(parts) > 1 or all_texts.height != kept.height:
        store.write_table(path, all_texts)
    return all_texts.select("shard", "row", "text")


def _kept_excerpts(store: Store, path: UPath) -> pl.DataFrame:
    schema = {
        "shard": pl.String,
        "row": pl.Int64,
        "id": pl.String,
        "seal": pl.String,
        "n_characters": pl.Int64,
        "text": pl.String,
    }
    try:
        return store.read_table(path).select(list(schema))
    except (MissingOutputError, DamagedOutputError):
        return pl.DataFrame(schema=schema)


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
