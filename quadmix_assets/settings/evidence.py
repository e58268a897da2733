"""Settings of the evidence: language models trained on every mix, and what they are measured on."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import Name, PositiveInt, Section
from quadmix_assets.settings.locations import Location
from quadmix_assets.settings.targets import TextSetSettings
from quadmix_assets.settings.training import RecipeSettings

Ability = Literal["reading comprehension", "commonsense", "knowledge", "math"]


class HeldOutSettings(TextSetSettings):
    """A set of texts that no criterion, no objective and no search has seen."""


class TaskSettings(Section):
    """A benchmark task of lm-evaluation-harness."""

    name: Name = Field(
        description="name of the task; without a path, one that the harness has itself"
    )
    path: Location | None = Field(
        default=None,
        description="file of its questions, JSON Lines with the keys question, choices and answer "
        "(the number of the right choice, from 0), or question and answers (open questions); null: "
        "the harness reads its own data set from the hub",
    )
    ability: Ability | None = Field(
        default=None,
        description="group of the comparison that the task counts in; null: that of the paper "
        "for its nine tasks, knowledge for others",
    )
    n_shot: Annotated[int, Field(ge=0)] = Field(
        default=0, description="solved examples before each question"
    )


class TrigramSettings(Section):
    """An interpolated trigram model of every mix (Witten and Bell 1991): a cheap second opinion."""

    enabled: bool = Field(default=True, description="whether one is made of every mix")
    n_tokens: PositiveInt | None = Field(
        default=None,
        description="tokens of a mix that it counts, a sample of whole documents; null: as many "
        "as the largest budget, and 20 million at most",
    )


class EvidenceSettings(Section):
    """The comparison of mixes by language models: the paper's Tables 1 to 3, on this pool."""

    enabled: bool = Field(
        default=False,
        description="whether a language model is trained on every mix, measured, and all of them "
        "compared",
    )
    model: RecipeSettings = Field(
        default_factory=RecipeSettings,
        description="architecture and training recipe of the language models",
    )
    budgets: tuple[PositiveInt, ...] = Field(
        default=(1_000_000, 3_000_000),
        min_length=1,
        description="training tokens of the models, in ascending order; each is a training of its "
        "own. The largest decides; a smaller one, a third of it or less, shows whether the order "
        "of the mixes depends on the budget",
    )
    n_seeds: PositiveInt = Field(
        default=3,
        description="models per mix and budget, with other initial weights, data orders and "
        "samples of the mix; a single one gives no interval",
    )
    engine: Literal["auto", "stack", "trainer"] = Field(
        default="auto",
        description="what trains them. stack: all seeds as one batched model, for small ones; "
        "trainer: one after the other by the Trainer of transformers with Accelerate, on several "
        "GPUs; auto: stack up to 60 million parameters",
    )
    held_out: tuple[HeldOutSettings, ...] = Field(
        default=(),
        description="sets of texts that only the finished models are measured on. They may not be "
        "target sets too, which `quadmix check` verifies by their files and texts",
    )
    tasks: tuple[TaskSettings, ...] = Field(
        default=(), description="benchmark tasks that the models of the largest budget answer"
    )
    max_questions: PositiveInt | None = Field(
        default=500,
        description="questions of a task, the first by a hash of their texts; null: all",
    )
    trigram: TrigramSettings = Field(default=TrigramSettings(), description="the trigram models")

    @model_validator(mode="after")
    def _budgets_ascend(self) -> "EvidenceSettings":
        if list(self.budgets) != sorted(set(self.budgets)):
            raise ValueError(
                f"budgets are {', '.join(f'{n:,}' for n in self.budgets)}: write each once, the "
                "smallest first"
            )
        return self

    @model_validator(mode="after")
    def _names_are_distinct(self) -> "EvidenceSettings":
        names = [each.name for each in self.held_out] + [task.name for task in self.tasks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"held_out and tasks name {', '.join(twice)} more than once")
        return self

    @property
    def largest_budget(self) -> int:
        """The budget that decides."""
        return self.budgets[-1]
