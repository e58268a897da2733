"""A criterion and a domain classifier are added by one module and one registry line each."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.corpus.tokenizer import train_tokenizer
from quadmix_assets.features.criteria.registry import CRITERIA
from quadmix_assets.features.domains.registry import DOMAIN_CLASSIFIERS
from quadmix_assets.features.learned.fit import fit_models, load_models
from quadmix_assets.features.score import label_shard, score_shard
from quadmix_assets.outputs import DOMAIN_LABELS, FITTED_MODELS, SCORED_SHARDS
from quadmix_assets.settings import SettingsError, load_settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.features import toy_criterion, toy_domains
from quadmix_assets_tests.lakes import put_raw

TEXTS = {"a": "Law is law", "b": "rhythm", "c": "sports and more", "d": "aeiou"}


@pytest.fixture(autouse=True)
def new_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry, kind, entry in (
        (CRITERIA, "vowel_share", toy_criterion.ENTRY),
        (DOMAIN_CLASSIFIERS, "first_word", toy_domains.ENTRY),
    ):
        monkeypatch.setitem(registry.entries, kind, entry)


def features(**change: Any) -> dict[str, Any]:
    return {
        "criteria": [{"kind": "vowel_share", **change}],
        "domains": {"kind": "first_word", "names": ["law", "sports"]},
    }


def test_new_kinds_score_and_label_a_shard(tmp_path: Path) -> None:
    settings = load_settings(write_profile(tmp_path, features=features(name="vowels")))
    store = Store(settings.resolve(settings.lake))
    put_raw(store, "s", [{"id": id_, "text": text} for id_, text in TEXTS.items()])
    fit_models(store, ["s"], settings)
    models = load_models(Path(str(store.root / FITTED_MODELS)), settings)
    pinned = {"fitted_models": "1"}
    encoder = TokenEncoder(train_tokenizer(["law"], vocab_size=300))
    score_shard(store, "s", models.criteria, encoder, pinned)
    label_shard(store, "s", models.domains, pinned)
    scored = store.read_table(store.table_path(SCORED_SHARDS, "s"))
    assert scored.columns == ["id", "n_tokens", "vowels"]
    assert scored["vowels"].to_list() == pytest.approx([3 / 10, 0, 4 / 15, 1])
    labels = store.read_table(store.table_path(DOMAIN_LABELS, "s"))
    assert labels.equals(
        pl.DataFrame(
            {
                "id": list(TEXTS),
                "domain": ["law", "unknown", "sports", "unknown"],
                "confidence": [1.0, 0.0, 1.0, 0.0],
            }
        )
    )


def test_wrong_key_of_a_new_kind_lists_its_keys(tmp_path: Path) -> None:
    message = (
        r"features\.criteria\[0\]\.vowel_share\.vowel: unknown key; did you mean 'vowels'\? "
        "allowed here: kind, name, vowels"
    )
    with pytest.raises(SettingsError, match=message):
        load_settings(write_profile(tmp_path, features=features(vowel="ae")))
