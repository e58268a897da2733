"""The inputs and results of a stack: the proxies one process trains as one batched model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from upath import UPath

from quadmix_assets.device import choose_compiled, choose_device
from quadmix_assets.hashing import Digest
from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.reads import Reads
from quadmix_assets.training.records import Measured, ProxyTraining
from quadmix_assets.training.targets import TargetWindows
from quadmix_assets.training.token_source import TokenSource
from quadmix_assets.training.window_stream import WindowStream

if TYPE_CHECKING:
    from quadmix_assets.training.checkpoint import Checkpoint
    from quadmix_assets.training.loop import StackProgress, TrainedStack


@dataclass(frozen=True)
class Sample:
    """What one proxy is trained on: documents of a token file, with copies.

    Attributes:
        sample_id: the theta_id, or the number of whatever else chose the sample.
        documents: (n,) their indices in the token file.
        copies: (n,) how often each is taken.
        seed: of the initial weights.
        order_seed: of what it reads, and in which order.
    """

    sample_id: int
    documents: np.ndarray
    copies: np.ndarray
    seed: int
    order_seed: int


@dataclass(frozen=True)
class KeepWeights:
    """Where the weights of stacks are kept.

    Attributes:
        folder: of their files.
        version: of all that their training depends on.
    """

    folder: UPath
    version: str


@dataclass(frozen=True)
class StackJob:
    """The inputs that all stacks of a batch share; it can be pickled for worker processes.

    Attributes:
        token_folder: local folder of the token file.
        architecture, recipe, vocab_size, separator_id: what is trained, and how.
        targets: the target sets it is evaluated on, by name.
        piece_share, max_pieces: what of a sample is read, see `WindowStream`.
        device: a device name of torch, or "auto".
        compiled: "auto", "on" or "off": whether torch.compile fuses the training step.
        n_threads: CPU threads of a process.
        inputs_version: identifies token file and target sets; results and checkpoints of another
            version are not used.
        unfinished_folder: for the results and checkpoints of stacks while the batch is unfinished;
            None writes none.
        checkpoint_seconds: time between two checkpoints of a stack.
        keep: where the weights of trained stacks are kept; None keeps none.
        tensorboard_folder: local folder of TensorBoard files; None writes none.
        engine: what trains a stack; None trains it as one batched model.
        token_source: where other machines find the token file; None: only this one trains.
    """

    token_folder: Path
    architecture: Architecture
    recipe: TrainingSettings
    vocab_size: int
    separator_id: int
    targets: Mapping[str, TargetWindows]
    piece_share: float = 1.0
    max_pieces: int | None = None
    device: str = "auto"
    compiled: str = "off"
    n_threads: int = 1
    inputs_version: str = ""
    unfinished_folder: UPath | None = None
    checkpoint_seconds: float = 60.0
    tensorboard_folder: Path | None = None
    keep: KeepWeights | None = None
    engine: "Engine | None" = None
    token_source: TokenSource | None = None


@dataclass(frozen=True)
class ProxyResult:
    """One proxy: its training, and what it reaches on each target set.

    What does not exist is None, because Polars does not treat NaN as missing.

    Attributes:
        sample_id: of the sample.
        training: the record of the training.
        n_tokens_sample: tokens of the sample, copies included; it may have read a part of them.
        losses: what it reaches, by target set.
        reads: what it read, or a sample of that.
    """

    sample_id: int
    training: ProxyTraining
    n_tokens_sample: int
    losses: dict[str, Measured]
    reads: Reads

    def with_losses(self, losses: dict[str, Measured]) -> "ProxyResult":
        """The same proxy measured on other target sets."""
        return replace(self, losses=losses)

    def to_json(self) -> dict[str, Any]:
        """The result as values that JSON can hold."""
        return {**asdict(self), "reads": self.reads.to_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ProxyResult":
        """The inverse of `to_json`."""
        training = dict(values["training"])
        training["train_loss"] = tuple(tuple(point) for point in training["train_loss"])
        losses = {target: Measured(*of_target) for target, of_target in values["losses"].items()}
        return cls(
            values["sample_id"],
            ProxyTraining(**training),
            values["n_tokens_sample"],
            losses,
            Reads.from_json(values["reads"]),
        )


# The samples of a stack's proxies, each with the id hashes (n,) of its documents.
Stack = Sequence[tuple[Sample, np.ndarray]]

# Trains a stack on its streams, which it leaves where the training ended. It resumes from the
# checkpoint, and calls the last argument at the start, every few seconds and at the end.
Engine = Callable[
    [
        StackJob,
        Stack,
        Sequence[WindowStream],
        "Checkpoint | None",
        Callable[["StackProgress"], None],
    ],
    "TrainedStack",
]


def stack_key(job: StackJob, stack: Stack) -> str:
    """A hash of all inputs that the results of a stack depend on."""
    import torch

    digest = Digest()
    for sample, hashes in stack:
        seeds = f"{sample.seed},{sample.order_seed}"
        digest.update(f"{sample.sample_id},{seeds},{len(sample.documents)};".encode())
        for array in (sample.documents, sample.copies, hashes):
            digest.update(np.asarray(array, np.uint64).tobytes())
    settings = (
        *(job.architecture, job.recipe, job.vocab_size, job.separator_id),
        *(job.piece_share, job.max_pieces, job.inputs_version),
    )
    if job.engine is not None:
        digest.update(job.engine.__qualname__.encode())
    if choose_compiled(job.compiled, choose_device(job.device)):
        digest.update(b"compiled")
    targets = {name: target.fingerprint() for name, target in sorted(job.targets.items())}
    digest.update(repr((settings, targets, torch.__version__)).encode())
    return digest.hexdigest()
