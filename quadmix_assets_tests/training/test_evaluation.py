import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from quadmix_assets.training.evaluation import evaluate_stack
from quadmix_assets.training.loop import TrainedStack
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.targets import pack_target
from quadmix_assets.training.trainer import ProxyTraining
from quadmix_assets_tests.training.llama import logits_of
from quadmix_assets_tests.training.stacks import (
    ARCHITECTURE,
    SEPARATOR,
    VOCAB,
    make_recipe,
    some_documents,
)

RECIPE = make_recipe(n_tokens_per_proxy=1, batch_windows=1)
TRAINED = ProxyTraining("trained", None, (), 0, 0.0)
FAILED = ProxyTraining("failed", "its sample holds no tokens", (), 0, 0.0)


def stack_of(*records: ProxyTraining) -> TrainedStack:
    model = StackedLM(ARCHITECTURE, VOCAB, range(len(records)))
    with torch.no_grad():
        model.get_parameter("output").mul_(10.0)
    return TrainedStack(model, RECIPE, records, 0.0)


def plain_losses(model: StackedLM, documents: list[np.ndarray], context: int) -> np.ndarray:
    """Summed loss of each proxy: one document and one window at a time, straight from logits."""
    total = np.zeros(model.n_proxies)
    for document in documents:
        text = torch.tensor([SEPARATOR, *document.tolist()])
        for start in range(0, len(text) - 1, context):
            window = text[start : start + context + 1]
            logits = logits_of(model, window[:-1].expand(model.n_proxies, 1, -1))[:, 0]
            for k in range(model.n_proxies):
                total[k] += F.cross_entropy(logits[k], window[1:], reduction="sum").item()
    return total


@pytest.mark.parametrize("context", [5, ARCHITECTURE.context])
def test_losses_are_those_of_every_document_by_itself(
    context: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quadmix_assets.training.evaluation._PASS_TOKENS_CPU", 7 * 2 * context)
    documents = some_documents()
    n_bytes = [3 * len(d) + 1 for d in documents]
    stack = stack_of(TRAINED, TRAINED, TRAINED)
    target = pack_target(documents, n_bytes, context=context, separator_id=SEPARATOR)
    loss = evaluate_stack(stack, {"t": target})["t"]
    expected = plain_losses(stack.model, documents, context)
    n_tokens = sum(len(d) for d in documents)
    assert loss.n_tokens == target.n_tokens == n_tokens
    np.testing.assert_allclose(loss.loss_nats, expected / n_tokens, rtol=1e-5)
    np.testing.assert_allclose(loss.bits_per_byte, expected / np.log(2) / sum(n_bytes), rtol=1e-5)
    assert len(set(loss.loss_nats.tolist())) == 3


def test_failed_proxies_have_no_loss() -> None:
    stack = stack_of(TRAINED, FAILED)
    target = pack_target(some_documents(), [1] * 40, context=8, separator_id=SEPARATOR)
    loss = evaluate_stack(stack, {"t": target})["t"]
    assert np.isfinite(loss.loss_nats).tolist() == [True, False]
    assert np.isnan(loss.bits_per_byte[1])


def test_bfloat16_measures_nearly_the_same() -> None:
    stack = stack_of(TRAINED, TRAINED)
    target = pack_target(some_documents(), [1] * 40, context=16, separator_id=SEPARATOR)
    exact = evaluate_stack(stack, {"t": target})["t"].loss_nats
    rough = evaluate_stack(stack, {"t": target}, precision="bfloat16")["t"].loss_nats
    np.testing.assert_allclose(rough, exact, rtol=1e-3)
    trained_rough = dataclasses.replace(
        stack, recipe=RECIPE.model_copy(update={"precision": "bfloat16"})
    )
    again = evaluate_stack(trained_rough, {"t": target})["t"].loss_nats
    np.testing.assert_array_equal(again, rough)


def test_targets_of_a_longer_context_are_refused() -> None:
    target = pack_target([np.arange(3)], [3], context=ARCHITECTURE.context + 1, separator_id=0)
    with pytest.raises(ValueError, match="target far is cut to windows of 17"):
        evaluate_stack(stack_of(TRAINED), {"far": target})
