import json
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from quadmix_assets.corpus.awkward_texts import awkward_texts
from quadmix_assets.corpus.byte_pairs import (
    _GPT2,
    _KNOWN_SPLITS,
    UnsupportedTokenizerError,
    byte_pairs_of,
)
from quadmix_assets.corpus.tokenizer import train_tokenizer

ENGLISH = (
    "The quick brown fox jumps over the lazy dog, and doesn't mind; the dogs' owner said: 1,234!"
)
TEXTS = [ENGLISH, ENGLISH.lower(), ENGLISH.upper(), *awkward_texts()[:24]]


def pre_tokenizer_of(pattern: str) -> pre_tokenizers.PreTokenizer:
    if pattern == _GPT2:
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def trained(pattern: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer_of(pattern)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 2, trainer)
    tokenizer.encode_special_tokens = True
    return tokenizer


PATTERNS = (_GPT2, *_KNOWN_SPLITS)
TRAINED = {pattern: trained(pattern) for pattern in PATTERNS}
FOUND = {pattern: byte_pairs_of(tokenizer) for pattern, tokenizer in TRAINED.items()}

# Whatever makes words end, joined at random, beside any characters at all.
PARTS = st.sampled_from(
    [
        *("the", "dog", " ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "'", "1", "23", ".", "!?", "é"),
        *("\u0301", "漢字", "\u00a0", "\x00", "<|endoftext|>", "👍🏽", "ſ", "x" * 600, " " * 300),
    ]
)
ANY_TEXT = st.one_of(st.text(), st.lists(PARTS | st.text(max_size=3), max_size=30).map("".join))


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=ANY_TEXT)
@settings(deadline=None, max_examples=150)
def test_tokens_of_any_text_are_those_of_tokenizers(pattern: str, text: str) -> None:
    expected = TRAINED[pattern].encode(text, add_special_tokens=False).ids
    assert FOUND[pattern].encode(text).tolist() == expected
    assert FOUND[pattern].count(text) == len(expected)


@pytest.mark.parametrize("kind", [r"\p{L}", r"\p{N}", r"\s", "(?i:s|t|re|ve|m|ll|d)", r"[\r\n]"])
def test_both_engines_know_the_same_characters(kind: str) -> None:
    """Their tables of Unicode might be of different versions."""
    text = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    ranks = {bytes([byte]): byte for byte in range(256)}
    engine = tiktoken.Encoding("kind", pat_str=kind, mergeable_ranks=ranks, special_tokens={})
    split = pre_tokenizers.Split(Regex(kind), "removed", invert=True)
    expected = "".join(word for word, _ in split.pre_tokenize_str(text))
    assert bytes(engine.encode_ordinary(text)).decode() == expected


@given(
    merges=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=12), data=st.data()
)
@settings(deadline=None, max_examples=300)
def test_any_merges_that_are_accepted_give_the_same_tokens(
    merges: list[tuple[int, int]], data: st.DataObject
) -> None:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["a", "b", "c"]
    pairs: dict[tuple[str, str], None] = {}
    for first, second in merges:
        pair = tokens[first % len(tokens)], tokens[second % len(tokens)]
        pairs[pair] = None
        if "".join(pair) not in tokens:
            tokens.append("".join(pair))
    order = data.draw(st.permutations(list(pairs)))
    vocabulary = {token: n for n, token in enumerate(dict.fromkeys([*alphabet, *tokens]))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=order))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    try:
        # By the order of the merges alone, without the texts that are tried as well.
        with mock.patch("quadmix_assets.corpus.byte_pairs.awkward_texts", return_value=[]):
            found = byte_pairs_of(tokenizer)
    except UnsupportedTokenizerError:
        return
    for text in data.draw(st.lists(st.text("abc", max_size=40), max_size=10)):
        assert found.encode(text).tolist() == tokenizer.encode(text).ids


def test_merges_in_another_order_than_tiktoken_s_are_refused() -> None:
    # tokenizers merges a and bc only if these two are listed; tiktoken whatever makes abc.
    refused = {
        "do not lead to its token 'abc'": [("b", "c"), ("a", "b"), ("ab", "c")],
        "several places make 'abc'": [("a", "b"), ("ab", "c"), ("b", "c"), ("a", "bc")],
        "do not lead to its token 'abcd'": [("ab", "cd"), ("a", "b"), ("c", "d")],
    }
    for reason, merges in refused.items():
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokens = dict.fromkeys([*alphabet, *("".join(pair) for pair in merges)])
        vocabulary = {token: n for n, token in enumerate(tokens)}
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        with pytest.raises(UnsupportedTokenizerError, match=reason):
            byte_pairs_of(tokenizer)


def test_all_splits_of_a_token_may_be_merges() -> None:
    """As in tokenizers that were converted from tiktoken's."""
    definition = json.loads(TRAINED[_GPT2].to_str())
    model = definition["model"]
    model["merges"] = [
        [token[:at], token[at:]]
        for token in ("".join(pair) for pair in model["merges"])
        for at in range(1, len(token))
        if token[:at] in model["vocab"] and token[at:] in model["vocab"]
    ]
    model["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    tokenizer.encode_special_tokens = True
    found = byte_pairs_of(tokenizer)
    for text in TEXTS:
        assert found.encode(text).tolist() == tokenizer.encode(text).ids
        assert found.encode(text).tolist() == FOUND[_GPT2].encode(text).tolist()


def changed(change: Callable[[dict[str, Any]], object]) -> Tokenizer:
    definition = json.loads(train_tokenizer(TEXTS, vocab_size=400).to_str())
    change(definition)
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    tokenizer.encode_special_tokens = True
    return tokenizer


def without_a_byte(definition: dict[str, Any]) -> None:
    model = definition["model"]
    del model["vocab"]["þ"]
    model["vocab"]["unknown"] = 5_000
    model["unk_token"] = "unknown"
    model["merges"] = [pair for pair in model["merges"] if "þ" not in "".join(pair)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(normalizer={"type": "NFC"}), "it has normalizer"),
        (lambda d: d["model"].update(dropout=0.5), "has dropout"),
        (lambda d: d["model"].update(end_of_word_suffix="</w>"), "has end_of_word_suffix"),
        (lambda d: d["pre_tokenizer"].update(add_prefix_space=True), "another way"),
        (lambda d: d.update(pre_tokenizer=None), r"another way \(none\)"),
        (lambda d: d.update(pre_tokenizer={"type": "Whitespace"}), r"another way \(Whitespace\)"),
        (without_a_byte, "no token for 1 of the 256 bytes"),
        (lambda d: d["model"]["merges"].reverse(), "its merges do not lead to its token"),
        (
            lambda d: d["model"].update(
                ignore_merges=True, vocab={**d["model"]["vocab"], "unmerged": 4_000}
            ),
            "takes 'unmerged' for a token",
        ),
    ],
)
def test_what_tiktoken_does_not_do_is_refused(
    change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    with pytest.raises(UnsupportedTokenizerError, match=reason):
        byte_pairs_of(changed(change))


def test_other_models_and_tokens_in_texts_are_refused() -> None:
    with pytest.raises(UnsupportedTokenizerError, match="its model is Unigram, not BPE"):
        byte_pairs_of(Tokenizer(models.Unigram([("a", 0.0)], unk_id=0)))
    tokenizer = train_tokenizer(TEXTS, vocab_size=400)
    tokenizer.add_tokens([AddedToken("thedog")])
    with pytest.raises(UnsupportedTokenizerError, match="looks for 'thedog' in texts"):
        byte_pairs_of(tokenizer)
    tokenizer = train_tokenizer(TEXTS, vocab_size=400)
    tokenizer.encode_special_tokens = False
    with pytest.raises(UnsupportedTokenizerError, match=r"looks for '<\|endoftext\|>' in texts"):
        byte_pairs_of(tokenizer)


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        FOUND[_GPT2].count("a\ud800b")
