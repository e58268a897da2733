import pytest
import torch

from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import architecture_named
from quadmix_assets.training.capacity import stack_size, windows_per_pass
from quadmix_assets_tests.training.stacks import make_recipe

CPU, GPU = torch.device("cpu"), torch.device("cuda")
DEMO = make_recipe(n_tokens_per_proxy=100_000, batch_windows=4)
PAPER = make_recipe(n_tokens_per_proxy=10**9, batch_windows=512)


@pytest.mark.parametrize(
    ("architecture", "recipe", "most", "expected"),
    [("tiny", DEMO, 16, 8), ("tiny", DEMO, 3, 3), ("small", DEMO, 16, 4), ("regmix-1m", DEMO, 9, 1),
     ("regmix-1m", PAPER, 9, 1)],
)  # fmt: skip
def test_a_cpu_fills_a_pass(
    architecture: str, recipe: TrainingSettings, most: int, expected: int
) -> None:
    assert stack_size(architecture_named(architecture), recipe, 2_048, CPU, most=most) == expected


def test_a_gpu_is_filled_to_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def fits(gib: float, vocab_size: int = 50_000, most: int = 10**6) -> int:
        monkeypatch.setattr(
            "quadmix_assets.training.capacity.free_memory", lambda device: int(gib * 2**30)
        )
        return stack_size(architecture_named("regmix-1m"), PAPER, vocab_size, GPU, most=most)

    assert fits(0) == 1
    assert fits(78, most=10) == 10
    proxies = fits(78)
    # Weights, gradients and two moments alone, in float32, must fit with room to spare.
    bytes_each = 16 * architecture_named("regmix-1m").n_parameters(50_000)
    assert 0.5 * 78 * 2**30 < proxies * bytes_each < 0.9 * 78 * 2**30
    assert fits(39) < proxies < fits(78, vocab_size=8_000)


def test_windows_of_a_pass() -> None:
    tiny, regmix = architecture_named("tiny"), architecture_named("regmix-1m")
    assert windows_per_pass(tiny, DEMO, 8, CPU) == 4
    assert windows_per_pass(tiny, DEMO.model_copy(update={"batch_windows": 64}), 8, CPU) == 32
    assert {windows_per_pass(regmix, PAPER, n, CPU) for n in (1, 2, 16, 100)} == {2}
    assert windows_per_pass(regmix, PAPER, 16, GPU) == 8
