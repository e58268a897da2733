"""Small checkpoints with the architectures, tokenizers and files of the published models.

Nothing is downloaded: weights are drawn from a seed, widely enough that different texts get
visibly different scores. The same call writes the same bytes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import torch
from pydantic import BaseModel
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    PreTrainedTokenizerBase,
)

from quadmix_assets.features.criteria.askllm import AskllmSettings
from quadmix_assets.features.criteria.dclm import DclmSettings
from quadmix_assets.features.criteria.fineweb_edu import FinewebEduSettings
from quadmix_assets.features.criteria.perplexity import PerplexitySettings
from quadmix_assets.features.domains.clusters import ClustersSettings
from quadmix_assets.features.domains.nvidia import NVIDIA_DOMAINS, NvidiaDomainsSettings
from quadmix_assets_tests.features import checkpoint_tokenizers as tokenizers
from quadmix_assets_tests.features.checkpoint_files import (
    STANDARD_DEVIATION,
    change_json,
    seeded,
    write_json,
)
from quadmix_assets_tests.features.checkpoint_language_models import save_llama, save_t5
from quadmix_assets_tests.features.texts import TOPICS, prose, spam


def _bert_config(tokenizer: PreTrainedTokenizerBase, **more: Any) -> BertConfig:
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=512,
        initializer_range=STANDARD_DEVIATION,
        **more,
    )


def _fineweb_edu() -> tuple[BertForSequenceClassification, PreTrainedTokenizerBase]:
    tokenizer = tokenizers.word_piece()
    config = _bert_config(tokenizer, num_labels=1, problem_type="regression")
    return BertForSequenceClassification(config), tokenizer


def save_fineweb_edu(folder: Path, seed: int = 0) -> None:
    """HuggingFaceFW/fineweb-edu-classifier: BERT with one regression output."""
    with seeded(seed):
        model, tokenizer = _fineweb_edu()
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_pickled(folder: Path, seed: int = 0) -> None:
    """The checkpoint of `save_fineweb_edu` with its weights in `pytorch_model.bin` alone."""
    with seeded(seed):
        model, tokenizer = _fineweb_edu()
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    tokenizer.save_pretrained(folder)


def save_nvidia(folder: Path, labels: Sequence[str], seed: int = 0) -> None:
    """nvidia/domain-classifier: DeBERTa-v3 as `model.*` and a linear head as `fc.*`.

    Output k stands for `labels[k]`, as `id2label` in the config says.
    """
    tokenizer = tokenizers.deberta_v3()
    values: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 512,
        "type_vocab_size": 0,
        "relative_attention": True,
        "max_relative_positions": -1,
        "position_buckets": 256,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "initializer_range": STANDARD_DEVIATION,
        "base_model": "microsoft/deberta-v3-base",
        "fc_dropout": 0.2,
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
    }
    config = DebertaV2Config(**values)
    with seeded(seed):
        head = torch.nn.Linear(config.hidden_size, len(labels))
        torch.nn.init.normal_(head.weight, std=STANDARD_DEVIATION)
        network = torch.nn.ModuleDict({"model": DebertaV2Model(config), "fc": head})
    tokenizer.save_pretrained(folder)
    config.to_json_file(folder / "config.json", use_diff=False)
    # The library splits it; published configs have it in one piece.
    change_json(folder / "config.json", pos_att_type="p2c|c2p")
    save_file(network.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})


def save_sentence_encoder(folder: Path, seed: int = 0) -> None:
    """sentence-transformers/all-MiniLM-L6-v2: BERT without head, mean pooling, unit length."""
    tokenizer = tokenizers.word_piece()
    with seeded(seed):
        BertModel(_bert_config(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    steps = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (path, kind) in enumerate(steps)
    ]
    write_json(folder / "modules.json", modules)
    write_json(
        folder / "sentence_bert_config.json", {"max_seq_length": 256, "do_lower_case": False}
    )
    pooling = {
        "word_embedding_dimension": 32,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    write_json(folder / "1_Pooling" / "config.json", pooling)


def save_dclm(folder: Path, file: str, seed: int = 0) -> None:
    """mlfoundations/fasttext-oh-eli5: prose is `hq`, keywords are `cc`."""
    rng = np.random.default_rng(seed)
    topics = list(TOPICS)
    lines = []
    for number in range(150):
        good = prose(rng, topic=topics[number % len(topics)]).replace("\n", " ")
        lines += [f"__label__hq {good}\n", f"__label__cc {spam(rng)}\n"]
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "train.txt"
    data.write_text("".join(lines))
    model = fasttext.train_supervised(
        input=str(data),
        dim=8,
        epoch=3,
        lr=0.1,
        wordNgrams=2,
        bucket=2_000,
        thread=1,
        seed=seed,
        verbose=0,
    )
    data.unlink()
    model.save_model(str(folder / file))


def save_all(root: Path) -> None:
    """Every checkpoint that the settings name by default, under its hub id."""
    dclm_file = DclmSettings.model_fields["file"].default
    save_fineweb_edu(root / _default_id(FinewebEduSettings))
    save_nvidia(root / _default_id(NvidiaDomainsSettings), NVIDIA_DOMAINS[::-1])
    save_t5(root / _default_id(AskllmSettings))
    save_llama(root / _default_id(PerplexitySettings))
    save_dclm(root / _default_id(DclmSettings), dclm_file)
    save_sentence_encoder(root / _default_id(ClustersSettings))


def _default_id(settings: type[BaseModel]) -> str:
    return str(settings.model_fields["model"].default)
