"""Which tokenizer a project gets."""

from pathlib import Path

import pytest
from upath import UPath

from quadmix_assets.corpus.pool_tokenizer import named_tokenizer, train_on_pool
from quadmix_assets.corpus.tokenizer import count_tokens
from quadmix_assets.settings import load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.lakes import put_raw


def test_trained_on_a_sample_of_the_pool_and_named_afterwards(tmp_path: Path) -> None:
    store = Store(UPath(tmp_path / "lake"))
    rows = [{"id": str(n), "text": f"frequent words and the number {n}"} for n in range(200)]
    for key in ("a", "b"):
        put_raw(store, key, [{**row, "id": f"{key}{row['id']}"} for row in rows])
    settings = load_settings(write_profile(tmp_path, tokenizer={"vocab_size": 300}))
    trained = train_on_pool(store, settings, ["a", "b"])
    assert trained.get_vocab_size() == 300
    assert train_on_pool(store, settings, ["b", "a"]).to_str() == trained.to_str()
    assert count_tokens(trained, ["frequent"])[0] < len("frequent")

    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "tokenizer.json").write_text(trained.to_str())
    named = named_tokenizer(settings, "kept")
    assert named.to_str() == trained.to_str()
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.source: gone is not there"):
        named_tokenizer(settings, "gone")
