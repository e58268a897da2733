import dataclasses
import shutil

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from quadmix_assets.training.architectures import ARCHITECTURES, Architecture, architecture_named
from quadmix_assets.training.cross_entropy import summed_loss, token_losses
from quadmix_assets.training.model import StackedLM
from quadmix_assets_tests.training.llama import llama_state, logits_of

VOCAB = 97
ARCHITECTURE = Architecture("test", n_layers=2, width=32, n_heads=4, mlp_width=40, context=24)
FLOAT = torch.float32


def shaken_stack(architecture: Architecture, seeds: list[int]) -> StackedLM:
    """A stack whose gains differ from 1 and whose logits are far from uniform."""
    stack = StackedLM(architecture, VOCAB, seeds)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return stack


def some_windows(n_proxies: int, context: int = ARCHITECTURE.context) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, VOCAB, (n_proxies, 3, context + 1), generator=generator)


def mean_losses(
    stack: StackedLM, windows: torch.Tensor, dtype: torch.dtype = FLOAT
) -> torch.Tensor:
    """Mean loss of each proxy, and its gradients in `grad`."""
    return stack.add_gradients(windows, dtype, divisor=windows[0, :, 1:].numel())


@pytest.mark.parametrize("context", [24, 80])  # written-out and fused attention
def test_forward_and_gradients_are_those_of_llama(context: int) -> None:
    transformers = pytest.importorskip("transformers")
    architecture = dataclasses.replace(ARCHITECTURE, context=context)
    stack = shaken_stack(architecture, [1, 2])
    windows = some_windows(2, context)
    losses = mean_losses(stack, windows)
    gradients = StackedLM(architecture, VOCAB, [1, 2])
    with torch.no_grad():
        for mine, theirs in zip(gradients.parameters(), stack.parameters(), strict=True):
            assert theirs.grad is not None
            mine.copy_(theirs.grad)
    for k in range(2):
        config = transformers.LlamaConfig(
            vocab_size=VOCAB,
            hidden_size=architecture.width,
            intermediate_size=architecture.mlp_width,
            num_hidden_layers=architecture.n_layers,
            num_attention_heads=architecture.n_heads,
            max_position_embeddings=architecture.context,
            rms_norm_eps=architecture.norm_epsilon,
            tie_word_embeddings=False,
        )
        llama = transformers.LlamaForCausalLM(config)
        llama.load_state_dict(llama_state(stack, k))
        logits = llama(windows[k, :, :-1]).logits
        torch.testing.assert_close(
            logits_of(stack, windows[..., :-1])[k], logits.detach(), atol=2e-5, rtol=1e-4
        )
        loss = F.cross_entropy(logits.flatten(0, 1), windows[k, :, 1:].flatten())
        torch.testing.assert_close(losses[k], loss.detach())
        loss.backward()
        for name, gradient in llama_state(gradients, k).items():
            expected = llama.get_parameter(name).grad
            assert expected is not None
            torch.testing.assert_close(gradient, expected, atol=2e-6, rtol=1e-3)


def test_a_proxy_is_the_same_in_any_stack() -> None:
    stack = StackedLM(ARCHITECTURE, VOCAB, [5, 6, 7, 8, 5])
    alone = StackedLM(ARCHITECTURE, VOCAB, [7])
    other_place = StackedLM(ARCHITECTURE, VOCAB, [1, 7])
    for name, values in alone.named_parameters():
        assert torch.equal(values[0], stack.get_parameter(name)[2])
        assert torch.equal(values[0], other_place.get_parameter(name)[1])
    output = stack.get_parameter("output")
    assert torch.equal(output[0], output[4])
    assert not torch.equal(output[0], output[1])
    windows = some_windows(5)
    losses = mean_losses(stack, windows)
    torch.testing.assert_close(losses[2:3], mean_losses(alone, windows[2:3]))


def test_windows_may_pass_through_in_parts() -> None:
    whole, parts = (shaken_stack(ARCHITECTURE, [1, 2]) for _ in range(2))
    windows = some_windows(2)
    losses = mean_losses(whole, windows)
    divisor = windows[0, :, 1:].numel()
    found = sum(parts.add_gradients(w, FLOAT, divisor=divisor) for w in windows.split([1, 2], 1))
    torch.testing.assert_close(found, losses)
    for one, other in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_step_gives_the_same_gradients() -> None:
    plain, compiled = (shaken_stack(ARCHITECTURE, [1, 2]) for _ in range(2))
    compiled.compile_training()
    windows = some_windows(2)
    torch.testing.assert_close(mean_losses(compiled, windows), mean_losses(plain, windows))
    for one, other in zip(compiled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-6, rtol=1e-4)


def test_bfloat16_is_near_float32() -> None:
    stack = shaken_stack(ARCHITECTURE, [1, 2, 3])
    windows = some_windows(3)
    exact = mean_losses(stack, windows)
    gradients = [p.grad.clone() for p in stack.parameters() if p.grad is not None]
    stack.zero_grad()
    rough = mean_losses(stack, windows, torch.bfloat16)
    torch.testing.assert_close(rough, exact, atol=0.01, rtol=0)
    for parameter, gradient in zip(stack.parameters(), gradients, strict=True):
        assert parameter.grad is not None
        error = torch.linalg.vector_norm(parameter.grad - gradient)
        assert error < 0.03 * torch.linalg.vector_norm(gradient)


@pytest.mark.parametrize("block", [VOCAB, 5 * VOCAB, 1 << 20])
def test_cross_entropy_in_blocks_is_plain_cross_entropy(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quadmix_assets.training.cross_entropy._BLOCK_CPU", block)
    generator = torch.Generator().manual_seed(2)
    hidden = torch.randn(3, 13, 8, generator=generator).requires_grad_()
    weight = torch.randn(3, VOCAB, 8, generator=generator).requires_grad_()
    targets = torch.randint(0, VOCAB, (3, 13), generator=generator)
    logits = hidden @ weight.transpose(1, 2)
    plain = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(3, 13)
    # A mean over 13 tokens here and 13 in some other pass, on top of a gradient that is there.
    expected = torch.autograd.grad(plain.sum() / 26, (hidden, weight))
    weight_grad = torch.ones_like(weight)
    losses, hidden_grad = summed_loss(
        hidden.detach(), weight.detach(), targets, divisor=26, weight_grad=weight_grad
    )
    torch.testing.assert_close(losses, plain.detach().sum(1) / 26)
    torch.testing.assert_close((hidden_grad, weight_grad - 1), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(token_losses(hidden, weight, targets), plain)


def test_an_impossible_token_has_a_finite_loss() -> None:
    hidden = torch.full((1, 1, 1), 1000.0)
    weight = torch.tensor([[[1.0], [-1.0]]])
    assert token_losses(hidden, weight, torch.tensor([[1]])).item() == pytest.approx(87.3, abs=0.1)


def test_a_silent_proxy_predicts_all_tokens_alike() -> None:
    stack = shaken_stack(ARCHITECTURE, [1, 2])
    stack.silence(0)
    losses = mean_losses(stack, some_windows(2))
    assert losses[0].item() == pytest.approx(np.log(VOCAB))
    assert all(torch.isfinite(p.grad).all() for p in stack.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    "architecture", list(ARCHITECTURES.values()), ids=lambda architecture: architecture.name
)
def test_parameters_are_counted(architecture: Architecture) -> None:
    stack = StackedLM(architecture, VOCAB, [0])
    assert architecture.n_parameters(VOCAB) == sum(p.numel() for p in stack.parameters())


def test_regmix_architecture_has_a_million_parameters_outside_the_embeddings() -> None:
    architecture = architecture_named("regmix-1m")
    assert architecture.n_parameters(0) == pytest.approx(1_000_000, rel=0.35)


def test_flops_are_those_of_the_matrix_products() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    architecture = dataclasses.replace(ARCHITECTURE, context=24)
    stack = StackedLM(architecture, VOCAB, [0])
    windows = some_windows(1)
    with FlopCounterMode(display=False) as counter:
        mean_losses(stack, windows)
    n_tokens = windows[..., 1:].numel()
    assert counter.get_total_flops() == architecture.flops_per_token(VOCAB) * n_tokens


def test_unknown_names_and_impossible_architectures_are_refused() -> None:
    with pytest.raises(ValueError, match="there are: tiny, small"):
        architecture_named("huge")
    with pytest.raises(ValueError, match="even multiple"):
        Architecture("odd", n_layers=1, width=30, n_heads=4, mlp_width=8, context=8)
    with pytest.raises(ValueError, match="at least 1"):
        Architecture("flat", n_layers=0, width=32, n_heads=4, mlp_width=8, context=8)
