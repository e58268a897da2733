import dataclasses
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from transformers import LlamaConfig, LlamaForCausalLM

from quadmix_assets.corpus.target_choices import CHOICES_SCHEMA
from quadmix_assets.device import torch_threads
from quadmix_assets.evidence.losses import Value, set_losses
from quadmix_assets.evidence.model_folder import llama_config
from quadmix_assets.evidence.results import mean_of, ratio_of
from quadmix_assets.training.choices import pack_choices
from quadmix_assets.training.evaluation import evaluate_stack
from quadmix_assets.training.loop import TrainedStack
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.records import ProxyTraining
from quadmix_assets.training.targets import pack_target
from quadmix_assets_tests.training.llama import llama_state
from quadmix_assets_tests.training.stacks import (
    ARCHITECTURE,
    SEPARATOR,
    VOCAB,
    make_recipe,
    some_documents,
)

CONTEXT = 12


def models(n: int = 3) -> StackedLM:
    model = StackedLM(ARCHITECTURE, VOCAB, range(n))
    with torch.no_grad():
        model.get_parameter("output").mul_(10.0)
    return model


def llama(model: StackedLM, k: int) -> LlamaForCausalLM:
    found = LlamaForCausalLM(LlamaConfig.from_dict(llama_config(ARCHITECTURE, VOCAB, SEPARATOR)))
    found.load_state_dict(llama_state(model, k))
    return found.eval()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other take minutes where a processor is shared."""
    with torch_threads(1):
        yield


@torch.no_grad()
def nats_of(network: LlamaForCausalLM, text: list[int]) -> np.ndarray:
    """Loss of every token after the first, by transformers, in windows of the context."""
    nats = []
    for start in range(0, len(text) - 1, CONTEXT):
        window = torch.tensor([text[start : start + CONTEXT + 1]])
        logits = network(window[:, :-1]).logits[0]
        nats += F.cross_entropy(logits, window[0, 1:], reduction="none").double().tolist()
    return np.array(nats)


def values(found: list[Value]) -> dict[str, Value]:
    return {value.metric: value for value in found}


def test_losses_of_documents_are_those_of_transformers() -> None:
    documents = [d for d in some_documents() if len(d)][:12]
    rng = np.random.default_rng(0)
    counted = [rng.random(len(d)) < 0.8 for d in documents]
    counted[0][:] = True
    n_bytes = rng.integers(1, 90, len(documents))
    windows = pack_target(
        documents, n_bytes, context=CONTEXT, separator_id=SEPARATOR, counted=counted
    )
    model = models(2)
    found = set_losses(model, windows, torch.float32)
    for k in range(2):
        network = llama(model, k)
        nats = np.array(
            [
                nats_of(network, [SEPARATOR, *document.tolist()])[in_loss].sum()
                for document, in_loss in zip(documents, counted, strict=True)
            ]
        )
        n_tokens = np.array([int(in_loss.sum()) for in_loss in counted])
        np.testing.assert_allclose(found.nats[:, k], nats, rtol=1e-4)
        np.testing.assert_array_equal(found.n_tokens, n_tokens)
        of_model = values(list(found.values_of(k)))
        assert set(of_model) == {"loss_nats", "bits_per_byte"}
        assert of_model["loss_nats"].mean == pytest.approx(ratio_of(nats, n_tokens), rel=1e-4)
        bits = ratio_of(nats / np.log(2), n_bytes)
        assert of_model["bits_per_byte"].mean == pytest.approx(bits, rel=1e-4)
        assert of_model["loss_nats"].n == len(documents)


def test_means_are_those_that_proxies_are_evaluated_by() -> None:
    documents = some_documents()
    rows = [(f"q{n}", c == 0, 2, [1, 2, 3 + n + c]) for n in range(4) for c in range(2 + n % 2)]
    choices = pack_choices(
        pl.DataFrame(rows, schema=CHOICES_SCHEMA, orient="row"),
        context=CONTEXT,
        separator_id=SEPARATOR,
        max_tokens=1_000,
    )
    windows = pack_target(documents, [9] * 40, context=CONTEXT, separator_id=SEPARATOR)
    windows = dataclasses.replace(windows, choices=choices)
    model = models()
    record = ProxyTraining("trained", None, (), 0, 0.0)
    recipe = make_recipe(n_tokens_per_proxy=1, batch_windows=1)
    expected = evaluate_stack(TrainedStack(model, recipe, (record,) * 3, 0.0), {"t": windows})["t"]
    found = set_losses(model, windows, torch.float32)
    for k in range(3):
        of_model = values(list(found.values_of(k)))
        for metric in ("loss_nats", "bits_per_byte", "choice_probability", "choice_nats"):
            value = getattr(expected, metric)[k]
            assert of_model[metric].mean.value == pytest.approx(value, rel=1e-9)
        assert found.choice_nats is not None
        assert of_model["choice_nats"].mean == mean_of(found.choice_nats[:, k])
        assert of_model["choice_probability"].n == 4
        assert of_model["choice_probability"].chance == pytest.approx((1 / 2 + 1 / 3) / 2)
        assert of_model["loss_nats"].chance is None


def test_windows_beyond_the_context_are_refused() -> None:
    windows = pack_target(
        [np.arange(3)], [3], context=ARCHITECTURE.context + 1, separator_id=SEPARATOR
    )
    with pytest.raises(ValueError, match="windows of 17 tokens; the models' context is 16"):
        set_losses(models(1), windows, torch.float32)
