"""Losses of models on sets of texts, document by document, and what they come to with their errors.

Neural models and n-grams are measured on the same documents, of which every token is predicted
once, and on the same questions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from quadmix_assets.evidence.results import Mean, mean_of, ratio_of
from quadmix_assets.training.choices import NO_TARGET, ChoiceWindows
from quadmix_assets.training.evaluation import choice_nats, token_losses
from quadmix_assets.training.model import StackedLM
from quadmix_assets.training.targets import TargetWindows


@dataclass(frozen=True)
class Value:
    """One number that a model reaches on a set.

    Attributes:
        metric: loss_nats, bits_per_byte, choice_probability or choice_nats.
        mean: over documents (of their tokens or bytes) or questions, with its standard error.
        n: documents or questions.
        chance: what guessing reaches; None for losses.
    """

    metric: str
    mean: Mean
    n: int
    chance: float | None = None


@dataclass(frozen=True, eq=False)
class SetLosses:
    """What K models reach on the D documents and Q questions of a set.

    Attributes:
        nats: (D, K) summed loss of each document over the tokens that count.
        n_tokens: (D,) tokens that count.
        n_bytes: (D,) UTF-8 bytes, without the words of the template.
        choice_nats: (Q, K) minus the logarithm of the right choice's share in the probability of
            all choices; None without questions.
        n_choices: (Q,) choices of each question; None without questions.
    """

    nats: np.ndarray
    n_tokens: np.ndarray
    n_bytes: np.ndarray
    choice_nats: np.ndarray | None = None
    n_choices: np.ndarray | None = None

    def values_of(self, k: int) -> Iterator[Value]:
        """What the k-th model reaches, measure by measure."""
        n = len(self.nats)
        yield Value("loss_nats", ratio_of(self.nats[:, k], self.n_tokens), n)
        if self.n_bytes.sum() > 0:
            bits = self.nats[:, k] / np.log(2)
            yield Value("bits_per_byte", ratio_of(bits, self.n_bytes), n)
        if self.choice_nats is not None and self.n_choices is not None:
            nats, n = self.choice_nats[:, k], len(self.choice_nats)
            by_chance = float((1 / self.n_choices).mean())
            yield Value("choice_probability", mean_of(np.exp(-nats)), n, by_chance)
            yield Value("choice_nats", mean_of(nats), n)


def set_losses(model: StackedLM, windows: TargetWindows, dtype: torch.dtype) -> SetLosses:
    """What the K models of a stack reach on a set.

    Args:
        model: the models.
        windows: the set, cut to windows of at most the models' context.
        dtype: of the matrix products.

    Raises:
        ValueError: the windows are longer than the context.
    """
    if windows.inputs.shape[1] > model.architecture.context:
        raise ValueError(
            f"a set is cut to windows of {windows.inputs.shape[1]} tokens; the models' context is "
            f"{model.architecture.context}"
        )
    nats = np.zeros((windows.n_documents, model.n_proxies))
    lengths = (windows.targets != NO_TARGET).sum(1)
    for rows, losses in token_losses(model, windows.inputs, windows.targets, lengths, dtype):
        in_loss = torch.from_numpy(windows.counted[rows, : losses.shape[2]]).to(losses.device)
        of_windows = (losses * in_loss).sum(2).cpu().numpy()
        np.add.at(nats, windows.documents[rows], of_windows.T)
    n_tokens = np.zeros(windows.n_documents, np.int64)
    np.add.at(n_tokens, windows.documents, windows.counted.sum(1))
    questions = windows.choices
    return SetLosses(
        nats,
        n_tokens,
        windows.bytes_of_documents,
        None if questions is None else choice_nats(model, questions, dtype),
        None if questions is None else choices_per_question(questions),
    )


def choices_per_question(choices: ChoiceWindows) -> np.ndarray:
    """Choices of each question, (n_questions,) int64."""
    return np.bincount(choices.questions, minlength=choices.n_questions)
