"""Runs a network on rows of token ids, in batches that fit in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from quadmix_assets.device import is_out_of_memory, torch_threads
from quadmix_assets.features.inference.batches import length_sorted_batches
from quadmix_assets.features.inference.runtime import Runtime

_LOG = logging.getLogger(__name__)

Network = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
# Tensor cores need dimensions that are multiples of 8 for full speed.
_GPU_LENGTH_MULTIPLE = 8


class BatchedForward:
    """A network that is run in batches of rows of similar length.

    Rows are padded to the longest of their batch. The output for a row does not depend on the other
    rows of its batch, except for rounding. After an out-of-memory error the size of all further
    batches is halved, and a warning is logged.
    """

    def __init__(
        self,
        name: str,
        network: Network,
        runtime: Runtime,
        *,
        pad_id: int,
        pad_left: bool = False,
        max_batch_tokens: int | None = None,
    ) -> None:
        """Store the network and how to batch its input; nothing is run.

        Args:
            name: of the model, for log and error messages.
            network: (B, L) int64 ids and (B, L) int64 mask, 1 where there is a token -> (B, K).
            runtime: device, precision and size of batches.
            pad_id: any valid id; it is masked.
            pad_left: put padding before the tokens, so that the last column holds the last token
                of every row.
            max_batch_tokens: a further limit on the tokens of a batch, besides the runtime's.
        """
        self._name = name
        self._network = network
        self._runtime = runtime
        self._pad_id = pad_id
        self._pad_left = pad_left
        self.batch_tokens = min(runtime.batch_tokens, max_batch_tokens or runtime.batch_tokens)

    def __call__(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """The network's output for D rows of token ids: (D, K) float64, in the order of the rows.

        Raises:
            MemoryError: a batch of a single row does not fit in memory.
        """
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        results: list[tuple[np.ndarray, torch.Tensor]] = []
        remaining = np.arange(len(rows))
        with self._computing():
            while remaining.size:
                done = 0
                for picked in length_sorted_batches(lengths[remaining], self.batch_tokens):
                    batch = remaining[picked]
                    output = self._run([rows[row] for row in batch])
                    if output is None:
                        break
                    results.append((batch, output))
                    done += len(batch)
                if done < len(remaining):
                    finished = np.concatenate([np.empty(0, np.int64), *(b for b, _ in results)])
                    self._shrink(len(batch), int(lengths[batch].max()))
                    remaining = np.setdiff1d(np.arange(len(rows)), finished)
                else:
                    break
            if not results:
                return np.empty((0, 0))
            # Copied at the end: a copy to the CPU would stall the next batch.
            outputs = torch.cat([output for _, output in results]).to("cpu", torch.float64).numpy()
        ordered = np.empty_like(outputs)
        ordered[np.concatenate([batch for batch, _ in results])] = outputs
        return ordered

    def _run(self, rows: list[np.ndarray]) -> torch.Tensor | None:
        """The output (B, K) of one batch, or None if it does not fit in memory."""
        ids, mask = self._padded(rows)
        device = self._runtime.device
        try:
            return self._network(ids.to(device), mask.to(device)).float()
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # After the handler, because the error's traceback keeps the tensors of the batch alive.
        if device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _padded(self, rows: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        longest = max(1, max(len(row) for row in rows))
        if self._runtime.device.type != "cpu":
            longest = -(-longest // _GPU_LENGTH_MULTIPLE) * _GPU_LENGTH_MULTIPLE
        ids = np.full((len(rows), longest), self._pad_id, dtype=np.int64)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        for number, row in enumerate(rows):
            where = slice(longest - len(row), None) if self._pad_left else slice(len(row))
            ids[number, where] = row
            mask[number, where] = 1
        return torch.from_numpy(ids), torch.from_numpy(mask)

    def _shrink(self, n_rows: int, longest: int) -> None:
        if n_rows == 1:
            raise MemoryError(
                f"{self._name}: a single document of {longest} tokens does not fit in the memory "
                f"of {self._runtime.device}: lower max_tokens of the model, free memory (fewer "
                "features.inference.concurrent_partitions), or take another device"
            )
        self.batch_tokens = max(n_rows * longest // 2, 1)
        _LOG.warning(
            "%s: a batch of %d rows of up to %d tokens did not fit in the memory of %s; continuing "
            "with %d tokens per batch",
            self._name,
            n_rows,
            longest,
            self._runtime.device,
            self.batch_tokens,
        )

    @contextmanager
    def _computing(self) -> Iterator[None]:
        runtime = self._runtime
        reduced = runtime.dtype != torch.float32
        with (
            torch_threads(runtime.settings.n_threads),
            torch.inference_mode(),
            torch.autocast(runtime.device.type, runtime.dtype, enabled=reduced),
        ):
            yield
