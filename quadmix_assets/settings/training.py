"""Settings of the training recipe; most defaults depend on the architecture."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from quadmix_assets.settings.base import PositiveInt, Section, Share
from quadmix_assets.training.architectures import ARCHITECTURES, Schedule, architecture_named


def _known(name: str) -> str:
    return architecture_named(name).name


def _of_architecture(key: str) -> Callable[[dict[str, Any]], Any]:
    """The default of `key` for the architecture that has been validated before it."""

    def default(validated: dict[str, Any]) -> Any:
        return getattr(architecture_named(validated["architecture"]).defaults, key)

    return default


def _context_of_architecture(validated: dict[str, Any]) -> int:
    return architecture_named(validated["architecture"]).context


class RecipeSettings(Section):
    """A training recipe without its budget of tokens.

    A key that is left out takes a default that suits the architecture.
    """

    architecture: Annotated[str, AfterValidator(_known)] = Field(
        default="tiny",
        description="the size of the models: tiny trains on a CPU in seconds, small in minutes; "
        "regmix-1m is the paper's and olmix-14m a larger one, both for a GPU; 10m to 160m and "
        "quadmix-530m, the size of the paper's final models, are for comparing mixes",
        json_schema_extra={"enum": list(ARCHITECTURES)},
    )
    context: PositiveInt = Field(
        default_factory=_context_of_architecture,
        description="predicted tokens per training window; by default the architecture's",
    )
    batch_windows: PositiveInt = Field(
        default_factory=_of_architecture("batch_windows"),
        description="windows of each proxy in one optimiser step; by default the architecture's, "
        "which divides its token budget into some hundred steps",
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        default_factory=_of_architecture("learning_rate"),
        description="peak learning rate of AdamW; by default the architecture's: the smaller the "
        "model and the shorter the training, the higher",
    )
    beta1: Share = Field(
        default=0.9, description="decay of AdamW's mean of gradients, per step; RegMix's"
    )
    beta2: Share = Field(
        default=0.95,
        description="decay of AdamW's mean of squared gradients, per step; RegMix's, usual for "
        "language models",
    )
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        default=0.1,
        description="AdamW's weight decay of matrices (norm gains have none), per unit of learning "
        "rate; RegMix's",
    )
    max_grad_norm: Annotated[float, Field(gt=0)] = Field(
        default=1.0,
        description="maximum norm of a proxy's gradient; larger gradients are scaled down to it; "
        "RegMix's",
    )
    warmup_steps: Annotated[int, Field(ge=0)] = Field(
        default_factory=_of_architecture("warmup_steps"),
        description="optimiser steps in which the learning rate rises to its peak; by default the "
        "architecture's, 2 to 10 percent of its steps",
    )
    schedule: Schedule = Field(
        default_factory=_of_architecture("schedule"),
        description="learning rate schedule after the warm-up; by default the architecture's: "
        "constant for RegMix's, else cosine, which improves short trainings",
    )
    final_share: Share = Field(
        default=0.1,
        description="final learning rate of cosine and linear, as a share of the peak; the usual "
        "tenth",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="floating-point type of matrix products (weights and optimiser state are "
        "float32); auto: bfloat16 where the device has instructions for it, else float32",
    )


class TrainingSettings(RecipeSettings):
    """The training recipe of all proxies.

    A key that is left out takes a default that suits the architecture; those of regmix-1m are
    RegMix's, which QuaDMix follows.
    """

    n_tokens_per_proxy: PositiveInt = Field(
        default_factory=_of_architecture("n_tokens_per_proxy"),
        description="tokens that each proxy is trained to predict, rounded up to whole steps; by "
        "default the architecture's, enough to tell good samples from bad ones",
    )
