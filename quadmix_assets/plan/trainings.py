"""Every training that a profile asks for, from its settings alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from quadmix_assets.corpus.target_sets import EVALUATED
from quadmix_assets.evidence.language_model import settings_of_models
from quadmix_assets.mix.methods.climb import ClimbMix
from quadmix_assets.outputs import (
    CLIMB_PROXIES,
    DOMAIN_PROXIES,
    LANGUAGE_MODEL,
    OPTIMUM_CHECK,
    PROXY_FIDELITY,
    PROXY_METRICS,
    PROXY_REPEATS,
    REFINEMENT,
    VERIFICATION,
)
from quadmix_assets.search.fidelity import second_scale
from quadmix_assets.search.halving import plan_heats
from quadmix_assets.settings import Settings, TrainingSettings
from quadmix_assets.training.architectures import Architecture
from quadmix_assets.training.recipe import architecture_of, n_tokens_trained

# Beside the best by each criterion: theta*, the paper's theta, the best theta of the first round,
# and random documents.
_COMPARED = 4


@dataclass(frozen=True)
class Training:
    """Models of one size that a stage trains.

    Attributes:
        stage: the asset.
        what: of the models, in words.
        n_models: how many.
        recipe: of each, with its tokens.
        n_parts: of every target set that each is measured on as soon as it is trained.
    """

    stage: str
    what: str
    n_models: int
    recipe: TrainingSettings
    n_parts: int = 1

    @property
    def architecture(self) -> Architecture:
        """Of each model."""
        return architecture_of(self.recipe)

    @property
    def n_tokens(self) -> int:
        """Tokens that all models together are trained to predict, in whole steps."""
        return self.n_models * n_tokens_trained(self.recipe, self.architecture.context)

    def training_flops(self, vocab_size: int) -> int:
        """FLOPs of the training of all models, forward and backward."""
        return self.n_tokens * self.architecture.flops_per_token(vocab_size)

    def measuring_flops(self, vocab_size: int, n_tokens: int) -> int:
        """FLOPs of measuring all models on so many tokens of each part: forward alone, a third."""
        read = self.n_models * self.n_parts * n_tokens
        return read * self.architecture.flops_per_token(vocab_size) // 3


def all_trainings(settings: Settings) -> list[Training]:
    """Every training of the graph, in the order of the stages."""
    return [each for each in _trainings(settings) if each.n_models]


def _trainings(settings: Settings) -> Iterator[Training]:
    proxies, search = settings.proxies, settings.search
    recipe, n_objectives = proxies.training, len(settings.objectives)
    n_thetas = settings.parameters.n
    yield Training(PROXY_METRICS, "proxies of random thetas", n_thetas, recipe)
    yield Training(PROXY_REPEATS, "thetas again", proxies.repeated_thetas * proxies.repeats, recipe)
    if any(DOMAIN_PROXIES in mix.fitted_on for mix in settings.mixes):
        n_weights = proxies.domain_weights.n
        yield Training(DOMAIN_PROXIES, "proxies of domain weights", n_weights, recipe)
    of_climb = [sum(mix.rounds) for mix in settings.mixes if isinstance(mix, ClimbMix)]
    yield Training(CLIMB_PROXIES, "further proxies of climb", sum(of_climb), recipe)
    of_round = max(1, round(n_thetas * search.refine.share))
    n_further = search.refine.rounds * of_round
    yield Training(REFINEMENT, "proxies of further rounds", n_further, recipe)
    heats = plan_heats(search.verify.heats, search.verify.candidates)
    n_measured = n_objectives * sum(heat.n_candidates * len(heat.seeds) for heat in heats)
    yield Training(VERIFICATION, "candidates for theta*", n_measured, recipe)
    n_compared = _COMPARED + len(settings.criterion_names)
    n_checked = n_objectives * search.check_seeds * n_compared
    both = len(EVALUATED)
    yield Training(OPTIMUM_CHECK, "theta* and its rivals", n_checked, recipe, both)
    wanted = search.fidelity
    larger = second_scale(settings).proxies.training
    yield Training(
        PROXY_FIDELITY, "thetas at the second scale", wanted.n_thetas * wanted.seeds, larger, both
    )
    evidence = settings.evidence
    if evidence.enabled:
        for budget in evidence.budgets:
            yield Training(
                LANGUAGE_MODEL,
                f"models of {len(settings.mixes)} mixes on {budget:,} tokens",
                len(settings.mixes) * evidence.n_seeds,
                settings_of_models(settings, budget).proxies.training,
                n_parts=0,
            )
