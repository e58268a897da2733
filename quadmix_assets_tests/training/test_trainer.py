import io

import numpy as np
import pytest
import torch

from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.recipe import rate_at
from quadmix_assets.training.token_file import TokenFile
from quadmix_assets.training.trainer import StackTrainer
from quadmix_assets_tests.training.stacks import (
    ARCHITECTURE,
    VOCAB,
    chain_documents,
    make_recipe,
    stream_of,
    write_token_file,
)

RECIPE = make_recipe(n_tokens_per_proxy=1_280, batch_windows=4, learning_rate=1e-2, warmup_steps=5)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> TokenFile:
    documents = chain_documents(np.random.default_rng(0), 100, language=1)
    return write_token_file(tmp_path_factory.mktemp("token_file"), documents)


def make_trainer(
    token_file: TokenFile, n_proxies: int, recipe: TrainingSettings = RECIPE
) -> StackTrainer:
    streams = [stream_of(token_file, np.arange(k, 100)) for k in range(n_proxies)]
    return StackTrainer(streams, ARCHITECTURE, recipe, VOCAB, range(n_proxies), CPU)


def test_a_step_is_that_of_adamw_on_a_clipped_gradient(token_file: TokenFile) -> None:
    """The first steps of proxy 1, by hand from AdamW's definition (Loshchilov and Hutter 2019)."""
    recipe = RECIPE.model_copy(
        update={"max_grad_norm": 0.05, "weight_decay": 0.3, "warmup_steps": 0}
    )
    trainer = make_trainer(token_file, 2, recipe)
    model = make_trainer(token_file, 2, recipe).model
    stream = stream_of(token_file, np.arange(1, 100))
    parameters = dict(model.named_parameters())
    values = {name: p[1].detach().double() for name, p in parameters.items()}
    first = {name: torch.zeros_like(v) for name, v in values.items()}
    second = {name: torch.zeros_like(v) for name, v in values.items()}
    for step in range(3):
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter[1] = values[name].float()
        windows = torch.from_numpy(stream.read(4).astype(np.int64)).expand(2, -1, -1)
        model.zero_grad()
        model.add_gradients(windows, torch.float32, divisor=4 * ARCHITECTURE.context)
        gradients = {
            name: p.grad[1].double() for name, p in parameters.items() if p.grad is not None
        }
        norm = torch.cat([g.flatten() for g in gradients.values()]).norm()
        assert norm > recipe.max_grad_norm
        rate = rate_at(recipe, step, trainer.n_steps)
        for name, gradient in gradients.items():
            gradient = gradient * recipe.max_grad_norm / norm
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.95 * second[name] + 0.05 * gradient**2
            mean = first[name] / (1 - 0.9 ** (step + 1))
            spread = (second[name] / (1 - 0.95 ** (step + 1))).sqrt()
            decay = 0.0 if "gain" in name else 0.3
            values[name] = values[name] * (1 - rate * decay) - rate * mean / (spread + 1e-8)
        trainer.advance()
        for name, expected in values.items():
            found = trainer.model.get_parameter(name)[1].detach().double()
            torch.testing.assert_close(found, expected, atol=2e-4, rtol=2e-3)


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), 1e30])
def test_a_diverging_proxy_fails_alone(token_file: TokenFile, poison: float) -> None:
    def run(poisoned: bool) -> StackTrainer:
        trainer = make_trainer(token_file, 3)
        for step in range(trainer.n_steps):
            if poisoned and step == 7:
                with torch.no_grad():
                    trainer.model.get_parameter("qkv_0")[1, 3, 4] = poison
                    trainer.model.get_parameter("output")[1] *= poison
            trainer.advance()
        return trainer

    sound, hurt = run(False), run(True)
    for name, values in hurt.model.named_parameters():
        expected = sound.model.get_parameter(name)
        assert torch.equal(values[0], expected[0])
        assert torch.equal(values[2], expected[2])
        assert not values[1].any()
    records = hurt.finish()
    assert [r.status for r in records] == ["trained", "failed", "trained"]
    assert records[1].reason is not None
    assert "not finite at step 8 of 20" in records[1].reason
    assert records[1].n_tokens == 7 * 64
    assert records[0] == sound.finish()[0]
    assert list(hurt.failures) == [1]
    assert np.isfinite(hurt.losses_since(0)).tolist() == [True, False, True]
    assert np.isnan(hurt.losses_since(20)).all()


@pytest.mark.parametrize("poisoned", [False, True])
def test_a_state_goes_on_with_the_very_same_numbers(token_file: TokenFile, poisoned: bool) -> None:
    whole = make_trainer(token_file, 3)
    if poisoned:
        with torch.no_grad():
            whole.model.get_parameter("output")[1] = float("nan")
    for _ in range(9):
        whole.advance()
    buffer = io.BytesIO()
    torch.save(whole.state(), buffer)
    buffer.seek(0)
    resumed = make_trainer(token_file, 3)
    resumed.load_state(torch.load(buffer, weights_only=True))
    assert resumed.step == 9
    for trainer in (whole, resumed):
        while trainer.step < trainer.n_steps:
            trainer.advance()
    for name, values in whole.model.named_parameters():
        assert torch.equal(values, resumed.model.get_parameter(name))
    assert whole.finish() == resumed.finish()


def test_passes_of_few_windows_change_nothing_but_rounding(token_file: TokenFile) -> None:
    at_once, in_parts = make_trainer(token_file, 2), make_trainer(token_file, 2)
    in_parts._windows_per_pass = 3
    for _ in range(5):
        at_once.advance()
        in_parts.advance()
    for name, values in at_once.model.named_parameters():
        found = in_parts.model.get_parameter(name)
        torch.testing.assert_close(found, values, atol=1e-4, rtol=1e-3)
