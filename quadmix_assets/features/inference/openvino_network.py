"""Runs a network of torch by OpenVINO, which is faster on a CPU (extra `openvino`)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from quadmix_assets.features.inference.forward import Network
from quadmix_assets.features.inference.runtime import Runtime

# Ids and mask that a network is traced with; their shape is left open afterwards.
_TRACED_SHAPE = (2, 16)


class OpenVinoNetwork:
    """A network that OpenVINO has compiled for this CPU, called as the original is.

    Outputs differ from the original's by rounding alone: below 1e-5 for encoders in float32.
    """

    def __init__(self, name: str, network: Network, runtime: Runtime) -> None:
        """Convert and compile the network.

        Args:
            name: of the model, for error messages.
            network: (B, L) int64 ids and mask -> (B, K), in plain operations of torch; none of its
                weights may require a gradient.
            runtime: precision, and number of threads.

        Raises:
            ImportError: OpenVINO is not installed.
            ValueError: the runtime's device is not the CPU, or OpenVINO cannot convert the network.
        """
        if runtime.device.type != "cpu":
            raise ValueError(
                f"{name}: features.inference.engine is openvino, which runs on a CPU; the device "
                f"is {runtime.device}: set features.inference.device to cpu, or the engine to torch"
            )
        openvino = _openvino()
        example = torch.ones(_TRACED_SHAPE, dtype=torch.int64)
        try:
            with torch.no_grad(), warnings.catch_warnings(), _kept_logging():
                # Of the tracer, on lengths that it takes for constants; any shape is tested.
                warnings.simplefilter("ignore")
                model = openvino.convert_model(
                    _Traced(network), example_input=(example, example.clone())
                )
        except Exception as error:  # the library raises whatever a missing conversion raises
            raise ValueError(
                f"{name}: OpenVINO cannot convert this network ({error}): set "
                "features.inference.engine to torch"
            ) from error
        options = {
            # Without it OpenVINO would take bfloat16 on CPUs that have it.
            "INFERENCE_PRECISION_HINT": "bf16" if runtime.dtype == torch.bfloat16 else "f32",
            # Fixed, because the last bits of a score can depend on them.
            "INFERENCE_NUM_THREADS": runtime.settings.n_threads,
            "NUM_STREAMS": 1,
        }
        self._request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()

    def __call__(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The network's output (B, K) for ids and mask (B, L)."""
        output = self._request.infer([ids.numpy(), mask.numpy()])[0]
        # A copy, because the next call writes to the same memory.
        return torch.from_numpy(output.copy())


class _Traced(torch.nn.Module):
    """A function as a module, which OpenVINO expects; the weights are traced as constants."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self._network(ids, mask)


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise ImportError(
            "features.inference.engine is openvino, which is not installed: install the extra "
            '`openvino` (pip install "quadmix-assets[openvino]"), or set the engine to torch; '
            "scores of the two differ by rounding"
        ) from error
    return openvino


@contextmanager
def _kept_logging() -> Iterator[None]:
    """Leave logging as it was: a conversion that fails leaves all loggers at errors alone."""
    root = logging.getLogger()
    level, filters, handlers = root.level, list(root.filters), list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        root.filters, root.handlers = filters, handlers
