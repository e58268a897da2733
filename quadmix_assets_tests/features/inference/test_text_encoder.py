from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadmix_assets.features.inference.text_encoder import TextEncoder
from quadmix_assets.features.inference.token_cache import TokenCache
from quadmix_assets_tests.features.texts import AWKWARD

MODELS = (
    "HuggingFaceFW/fineweb-edu-classifier",
    "nvidia/domain-classifier",
    "google/flan-t5-xl",
    "openai-community/gpt2",
)
LONG = {
    "words": "several common words of prose " * 400,
    "one word": "a" * 20_000,
    "no blank, line ends": "abcdefgh\n" * 3_000,
    "blanks": " " * 20_000 + "end",
    "other script": "語" * 9_000,
    "word, then prose": "x" * 5_000 + " and then some prose" * 300,
}


@pytest.fixture(scope="module", params=MODELS)
def encoder(request: pytest.FixtureRequest, checkpoints: Path) -> TextEncoder:
    return TextEncoder.load(checkpoints / request.param)


def whole(encoder: TextEncoder, text: str) -> list[int]:
    return list(encoder.tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("max_tokens", [1, 7, 60])
def test_first_tokens_are_those_of_the_whole_text(encoder: TextEncoder, max_tokens: int) -> None:
    texts = [*AWKWARD.values(), *LONG.values()]
    for text, ids in zip(texts, encoder.first_tokens(texts, max_tokens), strict=True):
        assert ids.tolist() == whole(encoder, text)[:max_tokens], text[:60]


@given(
    text=st.text(st.sampled_from("ab .,\n#é語\t"), max_size=300).map(lambda text: text * 9),
    max_tokens=st.integers(1, 12),
)
def test_first_tokens_of_any_text(checkpoints: Path, text: str, max_tokens: int) -> None:
    encoder = _encoders.setdefault("bpe", TextEncoder.load(checkpoints / MODELS[3]))
    assert encoder.first_tokens([text], max_tokens)[0].tolist() == whole(encoder, text)[:max_tokens]


_encoders: dict[str, TextEncoder] = {}


def test_frame_is_what_the_library_puts_around_a_text(checkpoints: Path) -> None:
    from transformers import AutoTokenizer

    for model in MODELS:
        encoder = TextEncoder.load(checkpoints / model)
        expected = AutoTokenizer.from_pretrained(checkpoints / model)("some words").input_ids
        framed = [*encoder.prefix, *whole(encoder, "some words"), *encoder.suffix]
        assert framed == expected, model


def test_literal_encoder_reads_special_tokens_as_text(checkpoints: Path) -> None:
    folder = checkpoints / "google/flan-t5-xl"
    (end,) = TextEncoder.load(folder).suffix
    assert end in TextEncoder.load(folder).first_tokens(["a</s>b"], 20)[0]
    literal = TextEncoder.load(folder, literal=True)
    assert end not in literal.first_tokens(["a</s>b"], 20)[0]
    assert end in literal.ids("a</s>b", special=True)
    assert end not in literal.first_tokens(["a</s>b"], 20)[0], "the encoder's own way is back"


def test_folder_without_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"(?s)no tokenizer could be loaded.*tokenizer\.json"):
        TextEncoder.load(tmp_path)


class Counting(TextEncoder):
    """Counts the texts that it reads."""

    n_texts = 0

    def first_tokens(self, texts, max_tokens):  # type: ignore[no-untyped-def]
        self.n_texts += len(texts)
        return super().first_tokens(texts, max_tokens)


def test_models_with_one_tokenizer_read_a_text_once(checkpoints: Path) -> None:
    folder = checkpoints / MODELS[3]
    first, second = (Counting(TextEncoder.load(folder).tokenizer) for _ in range(2))
    cache = TokenCache()
    cache.share(first, 5)
    cache.share(second, 9)
    texts = ["some words and more of them, and then some", "short"]
    short = cache.first_tokens(first, pl.Series(texts), 5)
    long = cache.first_tokens(second, pl.Series(texts), 9)
    assert first.n_texts + second.n_texts == 2
    for text, few, many in zip(texts, short, long, strict=True):
        assert few.tolist() == whole(first, text)[:5]
        assert many.tolist() == whole(first, text)[:9]
    cache.first_tokens(first, pl.Series(["other", "words"]), 5)
    assert first.n_texts + second.n_texts == 4


def test_encoders_that_read_differently_share_nothing(checkpoints: Path) -> None:
    folder = checkpoints / MODELS[2]
    plain, literal = TextEncoder.load(folder), TextEncoder.load(folder, literal=True)
    cache = TokenCache()
    texts = pl.Series(["a</s>b"])
    one = cache.first_tokens(plain, texts, 20)[0]
    other = cache.first_tokens(literal, texts, 20)[0]
    assert not np.array_equal(one, other)


def test_a_longer_wish_after_the_first_use_is_heard(checkpoints: Path) -> None:
    encoder = TextEncoder.load(checkpoints / MODELS[3])
    cache = TokenCache()
    texts = pl.Series(["some words and more of them, and then some"])
    cache.first_tokens(encoder, texts, 3)
    assert len(cache.first_tokens(encoder, texts, 8)[0]) == 8
