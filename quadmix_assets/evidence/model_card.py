"""The model card of a language model: what it was trained on, and how."""

from collections.abc import Mapping
from typing import Any

import yaml

from quadmix_assets.mix.selections import MixRows
from quadmix_assets.settings import TrainingSettings

_HEADER = {"library_name": "transformers", "pipeline_tag": "text-generation", "tags": ["quadmix"]}


def model_card(rows: MixRows, row: Mapping[str, Any], recipe: TrainingSettings) -> str:
    """Markdown with the header that hubs read.

    Args:
        rows: the mix that it was trained on.
        row: of the model in the table of models.
        recipe: that it was trained by.
    """
    totals = rows.manifest["totals"]
    options = "\n".join(
        f"| {key} | {value} |" for key, value in recipe.model_dump(mode="json").items()
    )
    return f"""---
{yaml.safe_dump(_HEADER, sort_keys=False)}---

# {rows.mix}, {row["budget"]:,} tokens, seed {row["seed"]}

A small language model that shows what the mix `{rows.mix}` is worth. It is trained to be compared
with models of other mixes, not to be used.

| trained on | |
|---|---|
| mix | {rows.mix} |
| method | {rows.manifest["method"]} |
| version of its manifest | {rows.version} |
| documents of the mix | {totals["n_documents_out"]:,} |
| tokens of the mix, copies included | {totals["n_tokens_out"]:,} |
| tokens of the training | {row["n_tokens"]:,} |
| epochs of the documents that it was given, each counted once | {row["epochs"]:.3f} |

| model | |
|---|---|
| parameters | {row["n_parameters"]:,} |
| seed | {row["seed"]} |
| engine | {row["engine"]} |
| training loss at the end, nats per token | {row["train_loss_nats"]:.4f} |

| recipe | |
|---|---|
{options}
"""
