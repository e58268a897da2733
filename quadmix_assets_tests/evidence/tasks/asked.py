"""A small language model in a lake, and what it answers by plain code, without the harness."""

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM
from upath import UPath

from quadmix_assets.corpus.tokenizer import separator_id, train_tokenizer
from quadmix_assets.evidence.language_model import StoredModel
from quadmix_assets.evidence.model_folder import of_transformers, write_model_folder
from quadmix_assets.store import Store, atomic_folder
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.model import StackedLM

CONTEXT = 48
ARCHITECTURE = Architecture(
    "asked", n_layers=1, width=32, n_heads=2, mlp_width=32, context=CONTEXT,
    embedding_standard_deviation=1.0,
)  # fmt: skip
TEXTS = ["Question: which of these is a fruit?\nAnswer: a plum, and not a stone."] * 3
SEEDS = (11, 12)


def stored_models(folder: Path) -> tuple[Store, list[StoredModel]]:
    """Two untrained models, in a lake in `folder`."""
    store = Store(UPath(folder))
    tokenizer = train_tokenizer(TEXTS, vocab_size=300)
    stack = StackedLM(ARCHITECTURE, tokenizer.get_vocab_size(), SEEDS)
    models = []
    for k in range(len(SEEDS)):
        path = store.path("mixes/one/language_model", f"4096_{k}")
        with atomic_folder(path) as new:
            write_model_folder(new, of_transformers(stack, k), ARCHITECTURE, tokenizer, card="-")
        models.append(StoredModel("one", 4096, k, path, {}))
    return store, models


class Plain:
    """A stored model, asked by plain code."""

    def __init__(self, model: StoredModel) -> None:
        folder = Path(str(model.folder))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.model = AutoModelForCausalLM.from_pretrained(folder)
        self.separator = separator_id(self.tokenizer)

    @torch.no_grad()
    def logarithms(self, before: str, answer: str) -> np.ndarray:
        """Of the probability of each token of an answer, (n,)."""
        n_before = len(self.tokenizer.encode(before).ids)
        ids = [self.separator, *self.tokenizer.encode(before + answer).ids]
        n_answer = len(ids) - 1 - n_before
        ids = ids[-(CONTEXT + 1) :]
        logits = self.model(torch.tensor([ids[:-1]])).logits[0].log_softmax(-1)
        of_token = logits[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
        return of_token[-n_answer:].double().numpy()

    @torch.no_grad()
    def written(self, before: str, *, n_tokens: int, until: str) -> str:
        """What it writes, always the likeliest token, to the end of the document at most."""
        ids = [self.separator, *self.tokenizer.encode(before).ids][-(CONTEXT - n_tokens) :]
        n_before = len(ids)
        for _ in range(n_tokens):
            ids.append(int(self.model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] == self.separator:
                break
        text = self.tokenizer.decode(ids[n_before:])
        for stop in until:
            text = text.split(stop)[0]
        return text.strip()
