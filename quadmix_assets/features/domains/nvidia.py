"""NVIDIA's domain classifier: DeBERTa-v3-base with a linear head on the first token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from quadmix_assets.features.domains.base import DomainClassifier
from quadmix_assets.features.inference.checkpoint import CheckpointError, require_safetensors
from quadmix_assets.features.learned.published import Published
from quadmix_assets.settings.base import Name, PositiveInt
from quadmix_assets.settings.domains import DomainsSettings

if TYPE_CHECKING:
    import torch

    from quadmix_assets.features.inference.framed import FramedEncoder

NVIDIA_DOMAINS = (
    "Adult",
    "Arts_and_Entertainment",
    "Autos_and_Vehicles",
    "Beauty_and_Fitness",
    "Books_and_Literature",
    "Business_and_Industrial",
    "Computers_and_Electronics",
    "Finance",
    "Food_and_Drink",
    "Games",
    "Health",
    "Hobbies_and_Leisure",
    "Home_and_Garden",
    "Internet_and_Telecom",
    "Jobs_and_Education",
    "Law_and_Government",
    "News",
    "Online_Communities",
    "People_and_Society",
    "Pets_and_Animals",
    "Real_Estate",
    "Science",
    "Sensitive_Subjects",
    "Shopping",
    "Sports",
    "Travel_and_Transportation",
)

# The architecture of DeBERTa-v3-base, for keys that the config.json of a checkpoint lacks.
_DEBERTA_V3_BASE: dict[str, Any] = {
    "vocab_size": 128_100,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3_072,
    "max_position_embeddings": 512,
    "type_vocab_size": 0,
    "layer_norm_eps": 1e-7,
    "relative_attention": True,
    "max_relative_positions": -1,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
}


class NvidiaDomainsSettings(DomainsSettings):
    """NVIDIA's domain classifier: DeBERTa-v3 with a linear head over 26 domains."""

    kind: Literal["nvidia"]
    names: tuple[Name, ...] = Field(
        default=NVIDIA_DOMAINS,
        description="the domains of the checkpoint, in any order: all of them, and no others",
    )
    model: str = Field(
        default="nvidia/domain-classifier", description="hub id or folder of the checkpoint"
    )
    revision: str = Field(
        default="main",
        description="commit, branch or tag of a model of the hub; a branch is resolved to a commit "
        "once, by fitted_models",
    )
    max_tokens: PositiveInt = Field(
        default=512,
        description="tokens read of a document, special tokens included; 512 is the model's "
        "context",
    )

    def implementation(self) -> type[NvidiaDomains]:
        """See `DomainsSettings`."""
        return NvidiaDomains

    @property
    def runs_network(self) -> bool:
        """True: it runs a transformer."""
        return True


class NvidiaDomains(Published[NvidiaDomainsSettings], DomainClassifier[NvidiaDomainsSettings]):
    """The most probable domain; the confidence is its probability (softmax over the domains).

    The domain of each output is read from the checkpoint's config.json (id2label).
    """

    code_version = "1"

    def fit(self, texts: Sequence[str], labels: Sequence[str], *, seed: int) -> None:
        """Check that the checkpoint is there and has the settings' domains; nothing is learned.

        Raises:
            CheckpointError: it is missing, or its domains differ from the settings'.
        """
        require_safetensors(self.folder)
        _ = self._labels

    @cached_property
    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads((self.folder / "config.json").read_bytes())
        return config

    @cached_property
    def _labels(self) -> list[str]:
        """The domain of each output.

        Raises:
            CheckpointError: config.json names no domains, or others than the settings.
        """
        path = self.folder / "config.json"
        numbered = self._config.get("id2label")
        if not numbered:
            raise CheckpointError(f"{path}: expected id2label, the domain of each output")
        labels = [name for _, name in sorted(numbered.items(), key=lambda pair: int(pair[0]))]
        if set(labels) != set(self.settings.names):
            raise CheckpointError(
                f"{path}: its domains differ from features.domains.names. Only in the checkpoint: "
                f"{sorted(set(labels) - set(self.settings.names))}; only in the settings: "
                f"{sorted(set(self.settings.names) - set(labels))}. Name exactly its domains"
            )
        return labels

    @cached_property
    def _encode(self) -> FramedEncoder:
        from quadmix_assets.features.inference.framed import FramedEncoder

        return FramedEncoder(
            "domain classifier",
            self.folder,
            self._network(),
            self.runtime,
            self.settings.max_tokens,
        )

    def _network(self) -> Any:
        import torch
        from safetensors.torch import load_file
        from transformers import DebertaV2Config, DebertaV2Model

        from quadmix_assets.features.inference.networks import require_all_weights

        config = DebertaV2Config(**(_DEBERTA_V3_BASE | self._config))
        encoder = DebertaV2Model(config)
        head = torch.nn.Linear(config.hidden_size, len(self._labels))
        network = torch.nn.ModuleDict({"model": encoder, "fc": head})
        weights: dict[str, torch.Tensor] = {}
        for file in sorted(self.folder.glob("*.safetensors")):
            weights |= load_file(file)
        missing, _ = network.load_state_dict(weights, strict=False)
        require_all_weights(self.folder, missing)
        network.float().eval().requires_grad_(False).to(self.runtime.device)

        def probabilities(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            states = network["model"](input_ids=ids, attention_mask=mask).last_hidden_state
            return torch.softmax(network["fc"](states[:, 0]).float(), dim=1)

        return probabilities

    def classify(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Domain and confidence of each document."""
        if documents.is_empty():
            return pl.DataFrame(schema={"domain": pl.String, "confidence": pl.Float64})
        probabilities = self._encode(documents["text"])
        best = probabilities.argmax(axis=1)
        return pl.DataFrame(
            {
                "domain": [self._labels[number] for number in best],
                "confidence": probabilities[np.arange(len(best)), best],
            }
        )
