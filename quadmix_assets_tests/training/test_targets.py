from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadmix_assets.corpus.target_tables import write_target_tokens
from quadmix_assets.corpus.tokenizer import encode, train_tokenizer
from quadmix_assets.settings import load_settings
from quadmix_assets.store import Store
from quadmix_assets.training.targets import pack_target, read_targets
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.training.stacks import SEPARATOR, some_documents


def test_every_token_is_predicted_once_and_padding_never() -> None:
    documents = some_documents()
    target = pack_target(documents, [0] * 40, context=8, separator_id=SEPARATOR)
    counted = target.targets[target.targets >= 0]
    np.testing.assert_array_equal(np.sort(counted), np.sort(np.concatenate(documents)))
    assert target.inputs.shape == target.targets.shape
    # A target's input is the token before it, or the separator.
    follows = target.targets[:, :-1]
    inner = (target.targets[:, 1:] >= 0) & (follows >= 0)
    np.testing.assert_array_equal(target.inputs[:, 1:][inner], follows[inner])


def test_whole_documents_are_taken_up_to_the_limit() -> None:
    documents = [np.full(n, 1) for n in (5, 4, 3, 2)]
    sizes = [50, 40, 30, 20]

    def taken(max_tokens: int | None) -> tuple[int, int, int]:
        target = pack_target(documents, sizes, context=4, separator_id=0, max_tokens=max_tokens)
        return target.n_documents, target.n_tokens, target.n_bytes

    assert taken(None) == (4, 14, 140)
    assert taken(14) == (4, 14, 140)
    assert taken(13) == (3, 12, 120)
    assert taken(9) == (2, 9, 90)
    assert taken(1) == (1, 5, 50)


def test_targets_without_tokens_or_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="holds no tokens"):
        pack_target([np.arange(0)], [0], context=4, separator_id=0)
    with pytest.raises(ValueError, match="1 documents but 2 byte counts"):
        pack_target([np.arange(3)], [1, 2], context=4, separator_id=0)


def test_stored_targets_are_read_up_to_the_limit_of_the_settings(tmp_path: Path) -> None:
    targets = [{"name": "planted"}, {"name": "other"}]
    profile = write_profile(tmp_path, targets=targets, proxies={"max_target_tokens": 50})
    settings = load_settings(profile)
    store = Store(settings.resolve(settings.lake))
    tokenizer = train_tokenizer(["river stone", "cloud ember"], vocab_size=280)
    texts = {"planted": ["river stone " * n for n in range(1, 9)], "other": ["cloud " * 40]}
    for name, of_target in texts.items():
        ids = [f"{name}-{n}" for n in range(len(of_target))]
        frame = pl.DataFrame({"id": ids, "text": of_target})
        write_target_tokens(store, name, frame, tokenizer, part="proof")
    windows = read_targets(store, settings, tokenizer, 16, part="proof")
    assert list(windows) == ["planted", "other"]
    for name, of_target in texts.items():
        lengths = np.array([len(tokens) for tokens in encode(tokenizer, of_target)])
        n = max(1, int((lengths.cumsum() <= 50).sum()))
        found = windows[name]
        assert (found.n_documents, found.n_tokens) == (n, lengths[:n].sum())
        assert found.n_bytes == sum(len(text) for text in of_target[:n])
    assert windows["planted"].n_documents < 8
