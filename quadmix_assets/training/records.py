"""What is recorded of a proxy: its training, and what it reaches on a target set."""

from dataclasses import dataclass
from typing import Literal, NamedTuple


@dataclass(frozen=True)
class ProxyTraining:
    """The record of one proxy's training.

    Attributes:
        status: whether it was trained to the end.
        reason: why it failed; None if it did not.
        train_loss: points (tokens predicted so far, mean loss in nats since the last point).
        n_tokens: tokens it was trained to predict, until it failed if it did.
        epochs: passes over its sample.
    """

    status: Literal["trained", "failed"]
    reason: str | None
    train_loss: tuple[tuple[int, float], ...]
    n_tokens: int
    epochs: float


class Measured(NamedTuple):
    """What one proxy reaches on one target set; None for a failed proxy, or without choices.

    Attributes:
        loss_nats: mean over the tokens that count, which words of a template do not.
        loss_nats_all: mean over all tokens.
        bits_per_byte: summed loss of the tokens that count, in bits / UTF-8 bytes of the text
            without the words of its template; it can be compared between tokenizers.
        choice_probability: mean over the questions of P(right choice) / sum of P(choice).
        choice_nats: mean of minus the logarithm of that.
    """

    loss_nats: float | None
    loss_nats_all: float | None
    bits_per_byte: float | None
    choice_probability: float | None
    choice_nats: float | None
