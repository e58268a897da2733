"""The embedded default corpus, with planted truth.

Generated text of nine domains whose latent quality is known for every document, and a target set
that is drawn from a known blend of three of them: a pool on which a method that chooses pretraining
data can be judged against the truth. Everything is deterministic and is written in seconds.
"""

from quadmix_assets.corpus.planted.corpus import (
    PlantedCorpus,
    shard_name,
    write_planted_corpus,
)
from quadmix_assets.corpus.planted.documents import (
    DOMAIN_SHARES,
    DOMAINS,
    TARGET_BLEND,
    Document,
    labelled_document,
    pool_document,
    target_document,
)

__all__ = [
    "DOMAINS",
    "DOMAIN_SHARES",
    "TARGET_BLEND",
    "Document",
    "PlantedCorpus",
    "labelled_document",
    "pool_document",
    "shard_name",
    "target_document",
    "write_planted_corpus",
]
