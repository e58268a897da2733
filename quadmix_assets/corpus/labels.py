"""Reads the labelled examples that a domain classifier learns from."""

import polars as pl
from upath import UPath

from quadmix_assets.corpus.normalize import normalize
from quadmix_assets.corpus.readers import MAX_TEXT_BYTES
from quadmix_assets.settings import LabelledExamples


def read_labels(path: UPath, examples: LabelledExamples) -> pl.DataFrame:
    """Labelled examples (text, domain) from a file of any format that shards can have.

    Raises:
        UnreadableShardError: the file cannot be read, or has no text column.
        ValueError: an example cannot be used, or has no label; the message names file and row.
    """
    frames = []
    for batch in normalize(
        path,
        shard_key="labels",
        text_column=examples.text_column,
        id_column=None,
        source_column=None,
        carried_columns={examples.domain_column: "string"},
        max_text_bytes=MAX_TEXT_BYTES,
    ):
        for bad in batch.quarantined.slice(0, 1).to_pylist():
            raise ValueError(
                f"{path}, row {bad['row']}: {bad['reason']} ({bad['detail']}); every labelled "
                "example is used: correct or remove the row"
            )
        frame = pl.from_arrow(batch.documents)
        assert isinstance(frame, pl.DataFrame)
        frames.append(frame.select("id", "text", domain=examples.domain_column))
    labelled = pl.concat(frames) if frames else pl.DataFrame(schema={"domain": pl.String})
    if labelled.is_empty():
        raise ValueError(
            f"{path}: holds no labelled example, expected at least one for each domain"
        )
    unlabelled = labelled.filter(pl.col("domain").is_null())
    if unlabelled.height:
        row = str(unlabelled["id"][0]).rpartition(":")[2]
        raise ValueError(
            f"{path}, row {row}: no label in the column {examples.domain_column!r} "
            f"({unlabelled.height} such rows): add the label or remove the row"
        )
    return labelled.select("text", "domain")
