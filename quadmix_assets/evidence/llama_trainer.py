"""One language model in training by the Trainer of transformers, in the recipe of the stacks.

Windows, initial weights, optimiser, rates and clipping are those of a stack. Only this module
imports transformers' Trainer, which takes seconds: it is imported when a training begins.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, IterableDataset
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from upath import UPath

from quadmix_assets.evidence.model_folder import llama_config, of_transformers
from quadmix_assets.settings import TrainingSettings
from quadmix_assets.store import atomic_folder
from quadmix_assets.training.checkpoint import Pace
from quadmix_assets.training.loop import StackProgress
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.recipe import n_steps, rate_at
from quadmix_assets.training.stacks import StackJob
from quadmix_assets.training.window_stream import WindowStream

LOSSES_FILE = "step_losses.npy"
_REPORT_SECONDS = 5.0


@dataclass(frozen=True)
class Attempt:
    """How one training is run on this machine; none of it changes what is learned.

    Attributes:
        working_folder: local, for what is written meanwhile.
        checkpoint: of the last one; None writes none.
        checkpoint_seconds: least time between two.
        resume_from: local copy of a checkpoint; None begins anew.
        windows_per_pass: of one process in one forward and backward pass.
        n_processes, rank: of the processes that train the model, and the number of this one.
        on_cpu: whether it runs on the CPU.
    """

    working_folder: Path
    checkpoint: UPath | None
    checkpoint_seconds: float
    resume_from: Path | None
    windows_per_pass: int
    n_processes: int = 1
    rank: int = 0
    on_cpu: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of a training.

    Attributes:
        weights: of the last step, on the CPU, by the names of transformers.
        losses: (steps,) float32 mean loss of every finished step, in nats.
        failure: why it ended early; None if it did not.
    """

    weights: dict[str, Tensor]
    losses: np.ndarray
    failure: str | None


def train_llama(
    job: StackJob,
    seed: int,
    stream: WindowStream,
    attempt: Attempt,
    on_progress: Callable[[StackProgress], None],
) -> Outcome:
    """Train one model, or one process's part of it.

    Args:
        job: architecture, recipe and vocabulary.
        seed: of the initial weights.
        stream: what is read; it ends where the training did.
        attempt: how it is run.
        on_progress: called at the start, about every five seconds, and at the end.

    Raises:
        ValueError: a token is outside the vocabulary.
        RuntimeError: memory is short.
    """
    recipe = job.recipe
    n_windows = recipe.batch_windows // attempt.n_processes
    arguments = TrainingArguments(
        output_dir=str(attempt.working_folder),
        max_steps=n_steps(recipe, job.architecture.context),
        per_device_train_batch_size=attempt.windows_per_pass,
        gradient_accumulation_steps=n_windows // attempt.windows_per_pass,
        max_grad_norm=recipe.max_grad_norm,
        bf16=recipe.precision == "bfloat16",
        torch_compile=job.compiled == "on",
        use_cpu=attempt.on_cpu,
        ddp_backend="gloo" if attempt.on_cpu and attempt.n_processes > 1 else None,
        ddp_find_unused_parameters=False,
        seed=seed % (1 << 32),
        # The stream is moved to its place instead of being read up to it.
        ignore_data_skip=True,
        logging_nan_inf_filter=False,
        average_tokens_across_devices=False,
        remove_unused_columns=False,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    model = _initial_model(job, seed)
    trainer = _Trainer(model, arguments, _Windows(job, stream, attempt), recipe)
    watch = _Watch(trainer, job, stream, attempt, on_progress)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(watch)
    resume_from = None if attempt.resume_from is None else str(attempt.resume_from)
    trainer.train(resume_from_checkpoint=resume_from)
    weights = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    failure = watch.failure
    if failure is None and not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        failure = "its weights were not finite after the last step"
    return Outcome(weights, watch.losses[: trainer.state.global_step], failure)


def _initial_model(job: StackJob, seed: int) -> LlamaForCausalLM:
    """A Llama with the initial weights that a model of a stack has by this seed."""
    values = llama_config(job.architecture, job.vocab_size, job.separator_id)
    # The embedding of a padding token is not trained, and separators are read.
    config = LlamaConfig.from_dict({**values, "pad_token_id": None})
    # Its own initial weights are replaced: they would only cost time.
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.to_empty(device="cpu")
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    stack = StackedLM(job.architecture, job.vocab_size, [seed])
    model.load_state_dict(of_transformers(stack, 0))
    return model


class _Windows(IterableDataset):
    """The endless passes of one process: every process reads its own windows of each step."""

    def __init__(self, job: StackJob, stream: WindowStream, attempt: Attempt) -> None:
        super().__init__()
        self._job, self._stream, self._attempt = job, stream, attempt

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        n_of_step = self._job.recipe.batch_windows
        n_own = n_of_step // self._attempt.n_processes
        first = self._attempt.rank * n_own
        while True:
            windows = self._stream.read(n_of_step)[first : first + n_own].astype(np.int64)
            if windows.max() >= self._job.vocab_size:
                raise ValueError(
                    f"a window holds token {windows.max()}, outside the vocabulary of "
                    f"{self._job.vocab_size}: the documents were tokenised with another tokenizer"
                )
            for of_pass in torch.from_numpy(windows).split(self._attempt.windows_per_pass):
                yield {"input_ids": of_pass[:, :-1], "targets": of_pass[:, 1:]}


class _Trainer(Trainer):
    """The Trainer with the recipe of the stacks."""

    def __init__(
        self,
        model: LlamaForCausalLM,
        arguments: TrainingArguments,
        windows: _Windows,
        recipe: TrainingSettings,
    ) -> None:
        super().__init__(model=model, args=arguments, train_dataset=windows)
        self._decoder, self._windows, self._recipe = model, windows, recipe
        self._loss = torch.zeros((), device=arguments.device)

    def get_train_dataloader(self) -> DataLoader:
        """The passes as they are, which are this process's already."""
        return DataLoader(self._windows, batch_size=None)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW, which decays matrices alone."""
        parameters = list(self._decoder.parameters())
        groups = [
            {
                "params": [p for p in parameters if p.dim() > 1],
                "weight_decay": self._recipe.weight_decay,
            },
            {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
        ]
        # The scheduler's factors are the rates themselves.
        betas = (self._recipe.beta1, self._recipe.beta2)
        self._adam = torch.optim.AdamW(groups, lr=1.0, betas=betas, fused=True)
        self.optimizer = self._adam
        return self._adam

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """The rates of the recipe; after the last step that of the last step."""

        def rate(step: int) -> float:
            return rate_at(self._recipe, min(step, num_training_steps - 1), num_training_steps)

        self.lr_scheduler = LambdaLR(optimizer or self._adam, rate)
        return self.lr_scheduler

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Mean loss in nats over the tokens of the pass."""
        outputs = model(input_ids=inputs["input_ids"], use_cache=False)
        logits = outputs.logits.float().flatten(0, 1)
        loss = F.cross_entropy(logits, inputs["targets"].flatten())
        return (loss, outputs) if return_outputs else loss

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Add the gradient of one pass, and its share of the step's loss."""
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        self._loss += loss
        return loss

    def take_loss(self) -> float:
        """Mean loss in nats of the step that has just ended, over all processes."""
        loss = float(self.accelerator.reduce(self._loss, "mean"))
        self._loss.zero_()
        return loss


class _Watch(TrainerCallback):
    """Follows a training: losses, divergence, progress and checkpoints."""

    def __init__(
        self,
        trainer: _Trainer,
        job: StackJob,
        stream: WindowStream,
        attempt: Attempt,
        on_progress: Callable[[StackProgress], None],
    ) -> None:
        self.failure: str | None = None
        self.losses = np.full(trainer.args.max_steps, np.nan, np.float32)
        self._trainer, self._job, self._stream = trainer, job, stream
        self._attempt, self._on_progress = attempt, on_progress
        self._pace = Pace(attempt.checkpoint_seconds)
        self._saves_since = 0.0
        self._reported_step, self._reported_at = 0, 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Move the stream to where the checkpoint was written."""
        step = state.global_step
        if self._attempt.resume_from is not None:
            self.losses[:step] = np.load(self._attempt.resume_from / LOSSES_FILE)
        self._stream.seek(step * self._job.recipe.batch_windows * self._stream.window_tokens)
        self._reported_step = step
        self._report(step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Note the loss; end a training that has diverged."""
        step = state.global_step
        loss = self._trainer.take_loss()
        self.losses[step - 1] = loss
        if not np.isfinite(loss):
            where = f"step {step} of {state.max_steps}"
            self.failure = f"its loss was not finite at {where}: lower the learning rate"
            control.should_training_stop = True
        elif self._attempt.rank == 0 and step < state.max_steps:
            control.should_save = self._attempt.checkpoint is not None and self._pace.is_due
            self._saves_since = time.monotonic()
        if time.monotonic() - self._reported_at >= _REPORT_SECONDS:
            self._report(step)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Put the checkpoint, and the losses until then, where a later run looks for it."""
        assert self._attempt.checkpoint is not None
        saved = self._attempt.working_folder / f"checkpoint-{state.global_step}"
        np.save(saved / LOSSES_FILE, self.losses[: state.global_step])
        with atomic_folder(self._attempt.checkpoint) as folder:
            for file in saved.iterdir():
                shutil.move(file, folder / file.name)
        saved.rmdir()
        self._pace.saved(since=self._saves_since)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Report the last step."""
        self._report(state.global_step)

    def _report(self, step: int) -> None:
        recipe, context = self._job.recipe, self._job.architecture.context
        since = self.losses[self._reported_step : step]
        self._on_progress(
            StackProgress(
                step=step,
                n_steps=len(self.losses),
                n_tokens=step * recipe.batch_windows * context,
                learning_rate=rate_at(recipe, max(step - 1, 0), len(self.losses)),
                losses=np.array([since.mean() if since.size else np.nan]),
                n_failed=int(self.failure is not None),
            )
        )
        self._reported_step, self._reported_at = step, time.monotonic()


def progress_json(progress: StackProgress) -> bytes:
    """A progress as a file that another process reads."""
    return json.dumps({**asdict(progress), "losses": progress.losses.tolist()}).encode()


def progress_from_json(content: bytes) -> StackProgress:
    """The inverse of `progress_json`."""
    values = json.loads(content)
    return StackProgress(**{**values, "losses": np.array(values["losses"])})
