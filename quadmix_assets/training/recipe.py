"""Derives the architecture, the number of steps and the learning rates from a training recipe."""

import dataclasses
import math

from quadmix_assets.settings import TrainingSettings
from quadmix_assets.training.architectures import Architecture, architecture_named


def architecture_of(recipe: TrainingSettings) -> Architecture:
    """The architecture that the recipe names, with the recipe's context."""
    return dataclasses.replace(architecture_named(recipe.architecture), context=recipe.context)


def n_steps(recipe: TrainingSettings, context: int) -> int:
    """Optimiser steps of one training, on windows that predict `context` tokens each."""
    return math.ceil(recipe.n_tokens_per_proxy / (recipe.batch_windows * context))


def n_tokens_trained(recipe: TrainingSettings, context: int) -> int:
    """Tokens that a proxy is trained to predict in those steps."""
    return n_steps(recipe, context) * recipe.batch_windows * context


def rate_at(recipe: TrainingSettings, step: int, n_steps: int) -> float:
    """Learning rate of step 0 <= step < n_steps.

    It rises linearly over `warmup_steps`, then falls to `final_share` of its peak along the
    schedule.
    """
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / (recipe.warmup_steps + 1)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    progress = (step - recipe.warmup_steps) / max(1, n_steps - recipe.warmup_steps)
    remaining = 1 - progress
    if recipe.schedule == "cosine":
        remaining = (1 + math.cos(math.pi * progress)) / 2
    return recipe.learning_rate * (recipe.final_share + (1 - recipe.final_share) * remaining)
