import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertTokenizer,
    DebertaV2Config,
    DebertaV2Model,
    DebertaV2Tokenizer,
    T5Tokenizer,
)

from quadmix_assets.features.domains.nvidia import NVIDIA_DOMAINS
from quadmix_assets_tests.features import checkpoints
from quadmix_assets_tests.features.texts import AWKWARD, TOPICS, prose, spam

_RNG = np.random.default_rng(0)
TEXTS = [prose(_RNG, 4, topic) for topic in TOPICS for _ in range(3)] + [
    spam(_RNG, 40) for _ in range(3)
]
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        # No Exception: the hub's client would take that for a network that is down.
        pytest.exit(f"a checkpoint asked the network: {arguments}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    checkpoints.save_all(folder)
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _padded(tokenizer: Any, texts: list[str]) -> Any:
    return tokenizer(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")


def _single(tokenizer: Any, text: str) -> bool:
    return len(tokenizer.encode(text, add_special_tokens=False)) == 1


def _all_differ(rows: torch.Tensor) -> bool:
    return len(np.unique(rows.numpy().round(4), axis=0)) == len(rows)


@torch.no_grad()
def test_fineweb_edu_scores_texts_differently(root: Path) -> None:
    folder = root / "HuggingFaceFW/fineweb-edu-classifier"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert type(model).__name__ == "BertForSequenceClassification"
    assert (model.config.num_labels, model.config.problem_type) == (1, "regression")
    scores = model(**_padded(tokenizer, TEXTS)).logits
    assert scores.shape == (len(TEXTS), 1)
    assert _all_differ(scores)
    assert float(scores.max() - scores.min()) > 0.3


def test_word_pieces_are_lower_case_between_cls_and_sep(root: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(root / "HuggingFaceFW/fineweb-edu-classifier")
    assert isinstance(tokenizer, BertTokenizer)
    tokens = tokenizer.tokenize("The RIVER, watering écoles", add_special_tokens=True)
    assert tokens[:4] == ["[CLS]", "the", "river", ","]
    assert tokens[-1] == "[SEP]"
    assert any(token.startswith("##") for token in tokens)
    assert "[UNK]" not in tokens


def _nvidia(folder: Path) -> Callable[[list[str]], torch.Tensor]:
    """Logits by a plain encoder and a matrix product."""
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    encoder = DebertaV2Model(DebertaV2Config(**config)).eval()
    names = [name for name in weights if name.startswith("model.")]
    encoder.load_state_dict({name.removeprefix("model."): weights[name] for name in names})
    assert set(weights) - set(names) == {"fc.weight", "fc.bias"}
    tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def logits(texts: list[str]) -> torch.Tensor:
        inputs = _padded(tokenizer, texts)
        states = encoder(inputs["input_ids"], inputs["attention_mask"]).last_hidden_state
        return states[:, 0] @ weights["fc.weight"].T + weights["fc.bias"]

    return logits


def test_nvidia_tells_texts_apart(root: Path) -> None:
    logits = _nvidia(root / "nvidia/domain-classifier")(TEXTS)
    assert logits.shape == (len(TEXTS), 26)
    assert _all_differ(logits)
    assert len(set(logits.argmax(1).tolist())) >= 3


def test_nvidia_names_its_outputs_in_the_order_asked_for(root: Path, tmp_path: Path) -> None:
    config = json.loads((root / "nvidia/domain-classifier/config.json").read_text())
    labels = [config["id2label"][str(number)] for number in range(26)]
    assert sorted(labels) == sorted(NVIDIA_DOMAINS)
    assert all(label != name for label, name in zip(labels, NVIDIA_DOMAINS, strict=True))
    assert config["pos_att_type"] == "p2c|c2p"
    assert config["base_model"] == "microsoft/deberta-v3-base"
    checkpoints.save_nvidia(tmp_path, ["b", "c", "a"])
    other = json.loads((tmp_path / "config.json").read_text())
    assert other["id2label"] == {"0": "b", "1": "c", "2": "a"}
    assert other["label2id"] == {"b": 0, "c": 1, "a": 2}
    assert _nvidia(tmp_path)(TEXTS).shape == (len(TEXTS), 3)


def test_the_tokenizer_of_nvidia_is_debertas(root: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(root / "nvidia/domain-classifier")
    assert isinstance(tokenizer, DebertaV2Tokenizer)
    tokens = tokenizer.tokenize("The river\nbegins 中", add_special_tokens=True)
    assert tokens[:4] == ["[CLS]", "▁The", "▁river", "▁begins"]
    assert tokens[-1] == "[SEP]"
    assert tokenizer.unk_token_id in tokenizer.encode("中")


@torch.no_grad()
def test_t5_answers_differently_to_different_texts(root: Path) -> None:
    folder = root / "google/flan-t5-xl"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    assert model.config.feed_forward_proj == "gated-gelu"
    assert not torch.equal(model.lm_head.weight, model.shared.weight)
    torch.testing.assert_close(
        model.lm_head.weight, load_file(folder / "model.safetensors")["lm_head.weight"]
    )
    start = torch.full((len(TEXTS), 1), model.config.decoder_start_token_id)
    logits = model(**_padded(tokenizer, TEXTS), decoder_input_ids=start).logits[:, 0]
    assert logits.shape == (len(TEXTS), len(tokenizer))
    yes, no = (tokenizer.convert_tokens_to_ids(answer) for answer in ("▁yes", "▁no"))
    p_yes = torch.sigmoid(logits[:, yes] - logits[:, no])
    assert _all_differ(p_yes[:, None])
    assert float(p_yes.max() - p_yes.min()) > 0.1


def test_t5_ends_texts_and_has_answers_of_one_token(root: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(root / "google/flan-t5-xl")
    assert isinstance(tokenizer, T5Tokenizer)
    tokens = tokenizer.tokenize("The river\n\n begins", add_special_tokens=True)
    assert tokens == ["▁The", "▁river", "▁begins", "</s>"]
    for answer in ("yes", "no", "Yes", "No"):
        assert tokenizer.tokenize(answer) == [f"▁{answer}"]


@torch.no_grad()
def test_llama_gives_texts_different_losses(root: Path) -> None:
    folder = root / "openai-community/gpt2"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    assert model.config.model_type == "llama"
    assert model.config.max_position_embeddings == 2_048
    losses = []
    for text in TEXTS:
        ids = tokenizer(text, return_tensors="pt").input_ids
        output = model(ids, labels=ids)
        assert output.logits.shape == (1, ids.shape[1], len(tokenizer))
        losses.append(float(output.loss))
    assert _all_differ(torch.tensor(losses)[:, None])
    assert max(losses) - min(losses) > 0.1


def test_llama_begins_texts_and_keeps_every_byte(root: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(root / "openai-community/gpt2")
    for text in ["The  river\n begins.", *AWKWARD.values()]:
        ids = tokenizer.encode(text)
        assert tokenizer.convert_ids_to_tokens(ids[0]) == "<|begin_of_text|>"
        assert tokenizer.eos_token_id not in ids
        assert tokenizer.decode(ids[1:], clean_up_tokenization_spaces=False) == text
    assert tokenizer.eos_token == "<|end_of_text|>"
    assert tokenizer.chat_template is None


@pytest.mark.parametrize("split", [False, True])
def test_llama_splits_the_answers_if_asked_to(split: bool, tmp_path: Path) -> None:
    checkpoints.save_llama(tmp_path, split_answers=split)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    for answer in ("yes", "Yes", "no", "No"):
        assert _single(tokenizer, answer) is not split
        assert _single(tokenizer, f" {answer}") is not split


def test_llama_has_the_chat_template_given(tmp_path: Path) -> None:
    checkpoints.save_llama(tmp_path, chat_template=TEMPLATE)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    chat = [{"role": "user", "content": "hello"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == "<user>hello"


@torch.no_grad()
def test_the_sentence_encoder_pools_means(root: Path) -> None:
    folder = root / "sentence-transformers/all-MiniLM-L6-v2"
    modules = json.loads((folder / "modules.json").read_text())
    assert [module["path"] for module in modules] == ["", "1_Pooling", "2_Normalize"]
    pooling = json.loads((folder / "1_Pooling/config.json").read_text())
    assert [key for key, value in pooling.items() if value is True] == ["pooling_mode_mean_tokens"]
    model = AutoModel.from_pretrained(folder).eval()
    inputs = _padded(AutoTokenizer.from_pretrained(folder), TEXTS)
    mask = inputs["attention_mask"][:, :, None]
    means = (model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1)
    assert means.shape == (len(TEXTS), pooling["word_embedding_dimension"])
    assert _all_differ(means)


def test_dclm_prefers_prose(root: Path) -> None:
    folder = root / "mlfoundations/fasttext-oh-eli5"
    (path,) = folder.iterdir()
    assert path.name == "openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin"
    model = fasttext.load_model(str(path))
    assert set(model.get_labels()) == {"__label__hq", "__label__cc"}
    assert model.f.getArgs().wordNgrams == 2
    labels, _ = model.predict([text.replace("\n", " ") for text in TEXTS])
    assert [label for (label,) in labels] == 9 * ["__label__hq"] + 3 * ["__label__cc"]


def test_pickled_weights_are_those_of_fineweb_edu(root: Path, tmp_path: Path) -> None:
    checkpoints.save_pickled(tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))
    pickled = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    weights = load_file(root / "HuggingFaceFW/fineweb-edu-classifier/model.safetensors")
    assert all(torch.equal(pickled[name], weight) for name, weight in weights.items())
    assert len(AutoTokenizer.from_pretrained(tmp_path)) == len(
        AutoTokenizer.from_pretrained(root / "HuggingFaceFW/fineweb-edu-classifier")
    )


def test_the_same_seed_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    checkpoints.save_all(tmp_path)
    assert _files(tmp_path) == _files(root)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    "save", [checkpoints.save_fineweb_edu, checkpoints.save_t5, checkpoints.save_llama]
)
def test_another_seed_gives_other_weights(
    save: Callable[[Path, int], None], tmp_path: Path
) -> None:
    for seed in (1, 2):
        save(tmp_path / str(seed), seed)
    one, two = _files(tmp_path / "1"), _files(tmp_path / "2")
    assert {name for name in one if one[name] != two[name]} == {"model.safetensors"}
