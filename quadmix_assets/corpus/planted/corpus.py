"""Write the planted corpus: a pool in shards, labelled examples, and a target set."""

from dataclasses import dataclass

import pyarrow as pa
from upath import UPath

from quadmix_assets.corpus.planted.documents import (
    DOMAINS,
    documents,
    labelled_document,
    pool_document,
    target_document,
)
from quadmix_assets.corpus.planted.shards import write_jsonl, write_parquet

SHARD_SUFFIXES = (".parquet", ".jsonl.gz", ".jsonl.zst")
"""Suffixes of the shards, which alternate."""
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("planted_domain", pa.string()),
        ("planted_quality", pa.float64()),
    ]
)


@dataclass(frozen=True)
class PlantedCorpus:
    """The paths and sizes of a planted corpus."""

    raw: UPath
    """folder of the pool's shards: id, text, planted_domain, planted_quality"""
    labels: UPath
    """JSON lines of id, text, domain: labelled examples for the domain classifier"""
    target: UPath
    """JSON lines of id, text: the target set"""
    n_documents: int
    n_shards: int


def shard_name(shard: int) -> str:
    """File name of shard number `shard`."""
    return f"shard-{shard:05d}{SHARD_SUFFIXES[shard % len(SHARD_SUFFIXES)]}"


def write_planted_corpus(
    folder: UPath,
    *,
    n_documents: int = 20_000,
    n_shards: int = 8,
    n_labelled_per_domain: int = 120,
    n_target: int = 1200,
    seed: int = 0,
) -> PlantedCorpus:
    """Write raw/shard-*, labels.jsonl and target.jsonl under `folder`; existing ones are replaced.

    Every document is a pure function of `seed`, its stream and its number, and documents are
    independent of each other. So shards hold consecutive documents, `n_shards` only regroups them,
    and when `n_documents` and `n_shards` are raised in proportion, shards are added while the
    existing ones keep their bytes.

    Raises:
        ValueError: there are fewer documents than shards, or no shard.
    """
    if not 1 <= n_shards <= n_documents:
        raise ValueError(
            f"n_shards is {n_shards} and n_documents is {n_documents}: expected "
            "1 <= n_shards <= n_documents, so that no shard is empty"
        )
    corpus = PlantedCorpus(
        raw=folder / "raw",
        labels=folder / "labels.jsonl",
        target=folder / "target.jsonl",
        n_documents=n_documents,
        n_shards=n_shards,
    )
    for shard in range(n_shards):
        first, end = (n_documents * bound // n_shards for bound in (shard, shard + 1))
        rows = (
            {
                "id": document.id,
                "text": document.text,
                "planted_domain": document.domain,
                "planted_quality": document.quality,
            }
            for document in documents(pool_document, first, end, seed=seed)
        )
        path = corpus.raw / shard_name(shard)
        if path.suffix == ".parquet":
            write_parquet(path, rows, SCHEMA)
        else:
            write_jsonl(path, rows)
    n_labelled = n_labelled_per_domain * len(DOMAINS)
    write_jsonl(
        corpus.labels,
        (
            {"id": document.id, "text": document.text, "domain": document.domain}
            for document in documents(labelled_document, 0, n_labelled, seed=seed)
        ),
    )
    write_jsonl(
        corpus.target,
        (
            {"id": document.id, "text": document.text}
            for document in documents(target_document, 0, n_target, seed=seed)
        ),
    )
    return corpus
