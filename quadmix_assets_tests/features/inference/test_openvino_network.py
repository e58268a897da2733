import logging
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from quadmix_assets.features.inference.forward import BatchedForward, Network
from quadmix_assets.features.inference.openvino_network import OpenVinoNetwork
from quadmix_assets_tests.features.inference.runtimes import cpu_runtime

TABLE = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))


def mean_of_embeddings(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask.unsqueeze(-1).float()
    return (F.embedding(ids, TABLE) * weights).sum(1) / weights.sum(1)


def rows(lengths: list[int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 50, n) for n in lengths]


def outputs(network: Network, lengths: list[int]) -> np.ndarray:
    return BatchedForward("mean", network, cpu_runtime(batch_tokens=64), pad_id=0)(rows(lengths))


def test_batches_of_any_shape_give_what_torch_gives() -> None:
    pytest.importorskip("openvino")
    lengths = [1, 40, 3, 64, 2, 9, 9, 17]
    runtime = cpu_runtime(engine="openvino")
    compiled = OpenVinoNetwork("mean", mean_of_embeddings, runtime)
    expected = np.stack([TABLE[torch.from_numpy(row)].mean(0).numpy() for row in rows(lengths)])
    np.testing.assert_allclose(outputs(compiled, lengths), expected, atol=1e-6)
    # The same object again: no batch writes to the output of another.
    np.testing.assert_array_equal(outputs(compiled, lengths), outputs(compiled, lengths))


def test_float32_is_not_computed_in_bfloat16() -> None:
    pytest.importorskip("openvino")
    weight = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))

    def product(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return mean_of_embeddings(ids, mask) @ weight

    found = OpenVinoNetwork("product", product, cpu_runtime())(
        torch.arange(20).view(2, 10), torch.ones(2, 10, dtype=torch.int64)
    )
    expected = product(torch.arange(20).view(2, 10), torch.ones(2, 10))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_another_device_than_the_cpu_is_refused() -> None:
    runtime = cpu_runtime(device="cuda", engine="openvino")
    with pytest.raises(ValueError, match=r"mean: .*runs on a CPU; the device is cuda"):
        OpenVinoNetwork("mean", mean_of_embeddings, runtime)


def test_a_network_that_cannot_be_converted_is_named() -> None:
    pytest.importorskip("openvino")
    root = logging.getLogger()
    before = root.level, list(root.filters), list(root.handlers)

    def sizes(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError("no such operation")

    with pytest.raises(ValueError, match=r"(?s)edu: OpenVINO cannot convert.*engine to torch"):
        OpenVinoNetwork("edu", sizes, cpu_runtime())
    assert (root.level, root.filters, root.handlers) == before


def test_without_the_extra_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match=r"openvino\].*or set the engine to torch"):
        OpenVinoNetwork("mean", mean_of_embeddings, cpu_runtime())
