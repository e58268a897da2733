"""The whole of the settings, and what must hold between its sections."""

from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from upath import UPath

from quadmix_assets.settings.automation import AutomationSettings
from quadmix_assets.settings.base import Name
from quadmix_assets.settings.comparison import ComparisonSettings
from quadmix_assets.settings.corpus import CorpusSettings
from quadmix_assets.settings.criteria import (
    ColumnCriterionSettings,
    ImportanceSettings,
    TargetFasttextSettings,
)
from quadmix_assets.settings.domains import (
    UNKNOWN_DOMAIN,
    ColumnDomainsSettings,
    FasttextDomainsSettings,
)
from quadmix_assets.settings.features import FeaturesSettings
from quadmix_assets.settings.mix import MixSettings
from quadmix_assets.settings.objectives import ObjectiveSettings
from quadmix_assets.settings.parameters import ParametersSettings
from quadmix_assets.settings.proxies import ProxiesSettings
from quadmix_assets.settings.search import SearchSettings
from quadmix_assets.settings.targets import TargetSettings
from quadmix_assets.settings.tokenizer import TokenizerSettings

OVERRIDE_PREFIX = "QUADMIX_"
# QuaDMix section 4.1: the training sets of five benchmarks.
_BENCHMARKS = ("hellaswag", "arc_easy", "arc_challenge", "mmlu", "triviaqa")


class Settings(BaseSettings):
    """Everything a user tunes. `load_settings` reads it from a profile."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=OVERRIDE_PREFIX, env_nested_delimiter="__"
    )

    profile: Name
    root: Path = Field(description="the folder that relative paths start from")
    lake: str = "data/lake/{profile}"
    owner: str = "team:data"
    seed: Annotated[int, Field(ge=0)] = 0
    corpus: CorpusSettings = CorpusSettings()
    tokenizer: TokenizerSettings = TokenizerSettings()
    targets: Annotated[tuple[TargetSettings, ...], Field(min_length=1)]
    features: FeaturesSettings
    parameters: ParametersSettings = ParametersSettings()
    proxies: ProxiesSettings = ProxiesSettings()
    search: SearchSettings = Field(default_factory=SearchSettings)
    mix: MixSettings = MixSettings()
    comparison: ComparisonSettings = ComparisonSettings()
    automation: AutomationSettings = AutomationSettings()

    @model_validator(mode="after")
    def _references_exist(self) -> "Settings":
        targets = [target.name for target in self.targets]
        if len(set(targets)) != len(targets):
            raise ValueError("targets: two target sets have the same name")
        objectives = [objective.name for objective in self.objectives]
        if len(set(objectives)) != len(objectives):
            raise ValueError("search.objectives: two objectives have the same name")
        if self.mix.objective is not None and self.mix.objective not in objectives:
            raise ValueError(
                f"mix.objective is {self.mix.objective!r}; search.objectives has: "
                f"{', '.join(objectives)}"
            )
        constraints = self.search.constraints
        for key, named, known in (
            ("domains", tuple(constraints.domains), self.domain_names),
            ("criteria_off", constraints.criteria_off, self.criterion_names),
        ):
            for name in named:
                if name not in known:
                    raise ValueError(
                        f"search.constraints.{key} names {name!r}; there are: {', '.join(known)}"
                    )
        needed = {
            f"search.objectives[{objective.name}]": set(objective.targets)
            for objective in self.search.objectives
        }
        for criterion in self.features.criteria:
            if isinstance(criterion, TargetFasttextSettings | ImportanceSettings):
                needed[f"features.criteria[{criterion.name}].target"] = {criterion.target}
        for key, names in needed.items():
            for name in sorted(names - set(targets)):
                raise ValueError(f"{key} names the target set {name!r}; targets has: {targets}")
        if self.corpus.source != "planted":
            for target in self.targets:
                if target.path is None and target.dataset is None:
                    raise ValueError(
                        f"targets[{target.name}].path is missing (or a dataset): "
                        "only corpus.source: planted brings a target of its own"
                    )
            domains = self.features.domains
            if isinstance(domains, FasttextDomainsSettings) and domains.labels is None:
                raise ValueError(
                    "features.domains.labels is missing: name a file of labelled examples"
                )
        columns = set(self.corpus.carried_columns)
        for key, column in self._columns_used():
            if column not in columns:
                raise ValueError(
                    f"{key} is {column!r}, which is not among corpus.carried_columns "
                    f"({', '.join(sorted(columns)) or 'none'}): add it there with its type"
                )
        return self

    def _columns_used(self) -> list[tuple[str, str]]:
        used = [
            (f"features.criteria[{criterion.name}].column", criterion.column)
            for criterion in self.features.criteria
            if isinstance(criterion, ColumnCriterionSettings)
        ]
        if isinstance(self.features.domains, ColumnDomainsSettings):
            used.append(("features.domains.column", self.features.domains.column))
        return used

    @cached_property
    def criterion_names(self) -> tuple[str, ...]:
        """The N criteria, in the order of the axis of alpha."""
        return tuple(criterion.name for criterion in self.features.criteria)

    @cached_property
    def domain_names(self) -> tuple[str, ...]:
        """The M domains, in the order of the axis of theta; `unknown` comes last."""
        names = tuple(name for name in self.features.domains.names if name != UNKNOWN_DOMAIN)
        return (*names, UNKNOWN_DOMAIN)

    @cached_property
    def target_names(self) -> tuple[str, ...]:
        """The target sets, in the order of the profile."""
        return tuple(target.name for target in self.targets)

    @cached_property
    def objectives(self) -> tuple[ObjectiveSettings, ...]:
        """What is minimised, one theta* each: those of the profile, or the paper's two."""
        return self.search.objectives or _default_objectives(self.target_names)

    @property
    def mix_objective(self) -> str:
        """The objective whose theta* makes the mix."""
        return self.mix.objective or self.objectives[0].name

    def resolve(self, location: str) -> UPath:
        """A path or URI of the settings as UPath; relative paths start at `root`."""
        location = location.format(profile=self.profile)
        if "://" in location:
            return UPath(location)
        return UPath(self.root / Path(location).expanduser())


def _default_objectives(targets: tuple[str, ...]) -> tuple[ObjectiveSettings, ...]:
    found = []
    if "openhermes" in targets:
        found.append(ObjectiveSettings(name="openhermes", targets={"openhermes": 1.0}))
    if set(_BENCHMARKS) <= set(targets):
        found.append(ObjectiveSettings(name="bmk", targets=dict.fromkeys(_BENCHMARKS, 1.0)))
    everything = ObjectiveSettings(name="all_targets", targets=dict.fromkeys(targets, 1.0))
    return tuple(found) or (everything,)
