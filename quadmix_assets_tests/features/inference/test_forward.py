import numpy as np
import pytest
import torch

from quadmix_assets.features.inference.forward import BatchedForward
from quadmix_assets_tests.features.inference.runtimes import cpu_runtime


def sums(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Sum and number of a row's tokens."""
    return torch.stack([(ids * mask).sum(1), mask.sum(1)], dim=1).float()


def rows_of(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(1, 100, length) for length in lengths]


@pytest.mark.parametrize("pad_left", [False, True])
@pytest.mark.parametrize("batch_tokens", [1, 13, 1_000])
def test_results_are_in_the_order_of_the_rows(pad_left: bool, batch_tokens: int) -> None:
    runtime = cpu_runtime(batch_tokens=batch_tokens)
    rows = rows_of(3, 9, 1, 0, 9, 4, 7)
    forward = BatchedForward("sums", sums, runtime, pad_id=77, pad_left=pad_left)
    expected = [[row.sum(), len(row)] for row in rows]
    assert forward(rows).tolist() == expected
    assert forward([]).shape[0] == 0


def test_padding_is_on_the_side_asked_for() -> None:
    runtime = cpu_runtime()
    rows = [np.array([1, 2, 3]), np.array([4])]
    ends = {}
    for pad_left in (False, True):
        forward = BatchedForward(
            "ends",
            lambda ids, mask: ids[:, [0, -1]].float(),
            runtime,
            pad_id=9,
            pad_left=pad_left,
        )
        ends[pad_left] = forward(rows).tolist()
    assert ends == {False: [[1, 3], [4, 9]], True: [[1, 3], [9, 4]]}


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("full"), RuntimeError("can't allocate memory: 5 bytes")]
)
def test_batch_shrinks_until_it_fits_and_says_so(
    error: RuntimeError, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = cpu_runtime(batch_tokens=64)
    sizes = []

    def small_memory(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        sizes.append(ids.numel())
        if ids.numel() > 20:
            raise error
        return sums(ids, mask)

    forward = BatchedForward("sums", small_memory, runtime, pad_id=0)
    rows = rows_of(8, 8, 8, 8, 8, 8, 8, 8, 2, 2, 5)
    assert forward(rows).tolist() == [[row.sum(), len(row)] for row in rows]
    assert forward.batch_tokens == 16
    assert [line.rpartition("with ")[2] for line in caplog.messages] == [
        "32 tokens per batch",
        "16 tokens per batch",
    ]
    sizes.clear()
    forward(rows)
    assert max(sizes) <= 16, "what was learnt holds for the next texts"


def test_single_row_that_does_not_fit() -> None:
    runtime = cpu_runtime(batch_tokens=64)

    def no_memory(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError

    forward = BatchedForward("edu", no_memory, runtime, pad_id=0)
    with pytest.raises(MemoryError, match="edu: a single document of 9 tokens .* lower max_tokens"):
        forward(rows_of(9))


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    runtime = cpu_runtime()

    def broken(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        BatchedForward("broken", broken, runtime, pad_id=0)(rows_of(3))


def test_reduced_precision_is_used_where_the_settings_ask_for_it() -> None:
    runtime = cpu_runtime(precision="bfloat16")
    weight = torch.full((1, 1), 1.001)
    seen = []

    def product(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        result = ids[:, :1].float() @ weight
        seen.append(result.dtype)
        return result

    BatchedForward("product", product, runtime, pad_id=0)(rows_of(1))
    assert seen == [torch.bfloat16]


def test_threads_are_those_of_the_settings_while_it_runs() -> None:
    before = torch.get_num_threads()
    runtime = cpu_runtime(n_threads=before + 1)
    seen = []

    def look(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        seen.append(torch.get_num_threads())
        return sums(ids, mask)

    BatchedForward("look", look, runtime, pad_id=0)(rows_of(2))
    assert seen == [before + 1]
    assert torch.get_num_threads() == before
