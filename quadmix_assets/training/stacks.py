"""A stack: the proxies that one process trains as one batched model, and their results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from upath import UPath

from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.targets import TargetWindows
from quadmix_assets.training.trainer import ProxyTraining


@dataclass(frozen=True)
class Sample:
    """What one proxy is trained on: documents of a token file, with copies.

    Attributes:
        sample_id: the theta_id, or the number of whatever else chose the sample.
        documents: (n,) their indices in the token file.
        copies: (n,) how often each is taken.
        seed: of initialisation and order.
    """

    sample_id: int
    documents: np.ndarray
    copies: np.ndarray
    seed: int


@dataclass(frozen=True)
class StackJob:
    """What all stacks of a batch share; it is sent to other processes, so it holds no open file.

    Attributes:
        token_folder: local folder of the token file.
        architecture, recipe, vocab_size, separator_id: what is trained, and how.
        targets: what it is evaluated on.
        device: a name that torch knows.
        compiled: "auto", "on" or "off".
        n_threads: CPU threads of a process.
        inputs_version: identifies token file and targets; results and checkpoints of another
            version are not used.
        unfinished_folder: where stacks keep results and checkpoints until the batch is written;
            None keeps nothing.
        checkpoint_seconds: time between two checkpoints of a stack.
        tensorboard_folder: local folder of TensorBoard files; None writes none.
    """

    token_folder: Path
    architecture: Architecture
    recipe: TrainingSettings
    vocab_size: int
    separator_id: int
    targets: Mapping[str, TargetWindows]
    device: str = "auto"
    compiled: str = "off"
    n_threads: int = 1
    inputs_version: str = ""
    unfinished_folder: UPath | None = None
    checkpoint_seconds: float = 60.0
    tensorboard_folder: Path | None = None


@dataclass(frozen=True)
class ProxyResult:
    """One proxy: its training, and per target set (loss in nats, bits per byte).

    A failed proxy has no losses but None: NaN would count as a number.
    """

    sample_id: int
    training: ProxyTraining
    n_tokens_sample: int
    losses: dict[str, tuple[float | None, float | None]]

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ProxyResult":
        """The inverse of `to_json`."""
        training = dict(values["training"])
        training["train_loss"] = tuple(tuple(point) for point in training["train_loss"])
        losses = {target: (loss[0], loss[1]) for target, loss in values["losses"].items()}
        return cls(
            values["sample_id"], ProxyTraining(**training), values["n_tokens_sample"], losses
        )


# The samples of a stack's proxies, each with the id hashes (n,) of its documents.
Stack = Sequence[tuple[Sample, np.ndarray]]


def stack_key(job: StackJob, stack: Stack) -> str:
    """A hash of everything that decides the results of a stack."""
    digest = xxhash.xxh3_128()
    for sample, hashes in stack:
        digest.update(f"{sample.sample_id},{sample.seed},{len(sample.documents)};".encode())
        for array in (sample.documents, sample.copies, hashes):
            digest.update(np.asarray(array, np.uint64).tobytes())
    settings = (job.architecture, job.recipe, job.vocab_size, job.separator_id, job.inputs_version)
    targets = {name: (t.n_tokens, t.inputs.shape) for name, t in sorted(job.targets.items())}
    digest.update(repr((settings, targets, torch.__version__)).encode())
    return digest.hexdigest()
