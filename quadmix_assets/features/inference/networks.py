"""Loads the weights of a checkpoint, from safetensors only and without running its code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from quadmix_assets.features.inference.checkpoint import CheckpointError, require_safetensors
from quadmix_assets.features.inference.runtime import Runtime


def load_network(
    auto_class: Any, folder: Path, runtime: Runtime, *, dtype: torch.dtype = torch.float32
) -> Any:
    """A network of the transformers library, in evaluation mode on the runtime's device.

    Args:
        auto_class: for example `transformers.AutoModelForCausalLM`.
        folder: of the checkpoint.
        runtime: names the device.
        dtype: of the weights.

    Raises:
        CheckpointError: there are no safetensors, the library cannot read them, or some weights of
            the network are not among them (they would be random, and so would the scores).
    """
    from transformers.utils import logging as transformers_logging

    require_safetensors(folder)
    # Progress bars of checkpoints would clutter the log of a run.
    transformers_logging.disable_progress_bar()
    try:
        network, report = auto_class.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{folder}: {auto_class.__name__} cannot load this checkpoint: {error}"
        ) from error
    require_all_weights(folder, report["missing_keys"])
    return network.eval().requires_grad_(False).to(runtime.device)


def require_all_weights(folder: Path, missing: Any) -> None:
    """Refuse a checkpoint that lacks weights of the network.

    Args:
        folder: of the checkpoint.
        missing: names of the weights that it lacks.

    Raises:
        CheckpointError: `missing` is not empty.
    """
    if missing:
        names = sorted(missing)
        raise CheckpointError(
            f"{folder}: the checkpoint does not hold {len(names)} of the network's weights "
            f"({', '.join(names[:4])}{', …' if len(names) > 4 else ''}): it is a model of another "
            "kind than the criterion or classifier expects: correct `model`"
        )
