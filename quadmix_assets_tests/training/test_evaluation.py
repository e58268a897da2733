import dataclasses

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from quadmix_assets.corpus.target_choices import CHOICES_SCHEMA
from quadmix_assets.training.choices import pack_choices
from quadmix_assets.training.evaluation import evaluate_stack
from quadmix_assets.training.loop import TrainedStack
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.records import ProxyTraining
from quadmix_assets.training.targets import pack_target
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


def test_what_is_masked_counts_in_no_loss_but_that_of_all_tokens() -> None:
    documents = some_documents()
    rng = np.random.default_rng(1)
    counted = [rng.random(len(document)) < 0.7 for document in documents]
    n_bytes = [2 * len(document) + 1 for document in documents]
    stack = stack_of(TRAINED, TRAINED)
    target = pack_target(documents, n_bytes, context=8, separator_id=SEPARATOR, counted=counted)
    loss = evaluate_stack(stack, {"t": target})["t"]
    plain = pack_target(documents, n_bytes, context=8, separator_id=SEPARATOR)
    everything = evaluate_stack(stack, {"t": plain})["t"]
    np.testing.assert_allclose(loss.loss_nats_all, everything.loss_nats)
    total = np.zeros(2)
    for document, in_loss in zip(documents, counted, strict=True):
        for place in np.flatnonzero(in_loss):
            first = place - place % 8  # where the window of the token begins
            text = torch.tensor([SEPARATOR, *document.tolist()])[first : place + 1]
            logits = logits_of(stack.model, text.expand(2, 1, -1))[:, 0, -1]
            total += (
                F.cross_entropy(logits, torch.tensor(document[place]).expand(2), reduction="none")
                .detach()
                .numpy()
            )
    n_counted = sum(int(in_loss.sum()) for in_loss in counted)
    np.testing.assert_allclose(loss.loss_nats, total / n_counted, rtol=1e-5)
    np.testing.assert_allclose(loss.bits_per_byte, total / np.log(2) / sum(n_bytes), rtol=1e-5)
    assert np.isnan(loss.choice_nats).all()
    assert loss.of_proxy(0).choice_probability is None


def test_choices_are_weighed_against_each_other() -> None:
    rng = np.random.default_rng(2)
    questions = []
    for number in range(12):
        context = rng.integers(1, VOCAB, rng.integers(0, 20)).tolist()
        for choice in range(3):
            tokens = rng.integers(1, VOCAB, rng.integers(1, 9)).tolist()
            questions.append((f"q{number}", choice == number % 3, len(context), context + tokens))
    choices = pl.DataFrame(questions, schema=CHOICES_SCHEMA, orient="row")
    packed = pack_choices(choices, context=16, separator_id=SEPARATOR, max_tokens=10_000)
    assert packed is not None and packed.n_questions == 12
    documents = some_documents()
    plain = pack_target(documents, [1] * 40, context=16, separator_id=SEPARATOR)
    stack = stack_of(TRAINED, TRAINED, FAILED)
    found = evaluate_stack(stack, {"t": dataclasses.replace(plain, choices=packed)})["t"]
    nats = np.zeros((2, 12))
    for number in range(12):
        scores = []
        for _, is_right, n_context, tokens in questions[3 * number : 3 * number + 3]:
            text = torch.tensor([SEPARATOR, *tokens])[-17:]
            n_choice = len(tokens) - n_context
            logits = logits_of(stack.model, text[:-1].expand(3, 1, -1))[:2, 0]
            log_p = torch.log_softmax(logits, -1)[:, range(len(text) - 1), text[1:]]
            scores.append((is_right, log_p[:, -n_choice:].double().sum(1).detach().numpy()))
        right = next(score for is_right, score in scores if is_right)
        nats[:, number] = np.logaddexp.reduce([score for _, score in scores], axis=0) - right
    np.testing.assert_allclose(found.choice_probability[:2], np.exp(-nats).mean(1), rtol=1e-3)
    np.testing.assert_allclose(found.choice_nats[:2], nats.mean(1), rtol=1e-4)
    assert found.of_proxy(2) == (None,) * 5


def test_questions_are_taken_whole_and_up_to_the_limit() -> None:
    rows = [(f"q{n}", choice == 0, 3, [1] * (5 + n)) for n in range(6) for choice in range(2)]
    rows += [("long", True, 0, [1] * 17), ("long", False, 0, [1])]
    choices = pl.DataFrame(rows, schema=CHOICES_SCHEMA, orient="row")

    def taken(max_tokens: int) -> int:
        packed = pack_choices(choices, context=16, separator_id=0, max_tokens=max_tokens)
        assert packed is not None
        assert packed.is_right.sum() == packed.n_questions == len(packed.inputs) / 2
        return packed.n_questions

    assert [taken(n) for n in (1, 10, 21, 22, 1_000)] == [1, 1, 1, 2, 6]
    nothing = choices.filter(pl.col("id") == "long")
    assert pack_choices(nothing, context=16, separator_id=0, max_tokens=99) is None
