"""What the writers of small checkpoints share: seeded weights, JSON files."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

# Of the weights: so wide that different texts get visibly different scores.
STANDARD_DEVIATION = 0.5


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw weights from `seed`, without progress bars; torch's own generator stays as it was."""
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        if bars:
            logging.enable_progress_bar()


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def change_json(path: Path, **changes: Any) -> None:
    """Set some keys of the object in a JSON file."""
    write_json(path, json.loads(path.read_text()) | changes)
