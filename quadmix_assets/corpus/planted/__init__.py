"""The generated corpus of the demo, with a known ground truth.

Text of nine domains, with a known latent quality of every document, and a target set that is drawn
from a known blend of three domains: a pool on which data selection can be compared with the ground
truth. Generation is deterministic and takes seconds.
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
