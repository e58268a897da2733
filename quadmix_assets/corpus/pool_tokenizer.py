"""Makes the tokenizer of the settings: loads a named one, or trains one on a sample of the pool."""

import logging
from collections.abc import Sequence

from tokenizers import Tokenizer

from quadmix_assets.corpus.raw_shard import read_summary
from quadmix_assets.corpus.text_sample import sample_texts
from quadmix_assets.corpus.tokenizer import load_tokenizer, train_tokenizer
from quadmix_assets.settings import Settings
from quadmix_assets.settings.locations import without_credentials
from quadmix_assets.store import Store

_LOGGER = logging.getLogger(__name__)


def named_tokenizer(settings: Settings, source: str) -> Tokenizer:
    """The tokenizer `source`: a path relative to the profile's root, or an id of the hub.

    Raises:
        FileNotFoundError: there is no such file or folder, and no revision is given.
        ValueError: the file is no tokenizer, or the hub has none under this id and revision.
    """
    local = settings.resolve(source)
    found = local if local.exists() else without_credentials(source)
    return load_tokenizer(found, revision=settings.tokenizer.revision)


def train_on_pool(store: Store, settings: Settings, shards: Sequence[str]) -> Tokenizer:
    """A tokenizer trained on about `tokenizer.sample_bytes` of the shards' text.

    Raises:
        MissingOutputError: a shard has not been materialised in raw_shards.
    """
    n_bytes = sum(read_summary(store, key).n_bytes for key in shards)
    share = min(1.0, settings.tokenizer.sample_bytes / max(n_bytes, 1))
    _LOGGER.info("training on %.1f%% of %s MB of text", 100 * share, f"{n_bytes / 1e6:,.0f}")
    batches = sample_texts(store, shards, share, purpose="tokenizer", seed=settings.seed)
    texts = (text for batch in batches for text in batch["text"])
    return train_tokenizer(texts, vocab_size=settings.tokenizer.vocab_size)
