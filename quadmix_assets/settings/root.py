"""The root of the settings, and the validation across its sections."""

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
from quadmix_assets.settings.domains import UNKNOWN_DOMAIN
from quadmix_assets.settings.features import FeaturesSettings
from quadmix_assets.settings.locations import Location, open_location
from quadmix_assets.settings.mix import MixSettings
from quadmix_assets.settings.models import TEXT_COLUMN, ModelSettings
from quadmix_assets.settings.objectives import ObjectiveSettings
from quadmix_assets.settings.parameters import ParametersSettings
from quadmix_assets.settings.proxies import ProxiesSettings
from quadmix_assets.settings.search import SearchSettings
from quadmix_assets.settings.targets import TargetSettings
from quadmix_assets.settings.tokenizer import TokenizerSettings
from quadmix_assets.store import with_retries

OVERRIDE_PREFIX = "QUADMIX_"
# QuaDMix section 4.1: the training sets of five benchmarks.
_BENCHMARKS = ("hellaswag", "arc_easy", "arc_challenge", "mmlu", "triviaqa")


class Settings(BaseSettings):
    """All settings of a profile; `load_settings` reads them."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=OVERRIDE_PREFIX, env_nested_delimiter="__"
    )

    profile: Name = Field(description="the profile's name: that of its file")
    root: Path = Field(description="the folder that relative paths start at")
    lake: Location = Field(
        default="data/lake/{profile}",
        description="folder or URI of all outputs; `{profile}` stands for the profile's name, so "
        "that profiles do not share outputs",
    )
    owner: str = Field(
        default="team:data",
        description="owner of the assets in the UI: an e-mail address or `team:<name>`",
    )
    seed: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="seed of all random numbers: samples, thetas, copies, training; another seed "
        "gives another, equally valid mix",
    )
    corpus: CorpusSettings = Field(
        default=CorpusSettings(), description="the input shards and which columns of them are used"
    )
    tokenizer: TokenizerSettings = Field(
        default=TokenizerSettings(),
        description="the tokenizer that counts tokens and encodes text for the proxies",
    )
    targets: tuple[TargetSettings, ...] = Field(
        min_length=1, description="the target sets: texts that the mix should make a model good at"
    )
    features: FeaturesSettings = Field(description="scores and domains of documents")
    parameters: ParametersSettings = Field(
        default=ParametersSettings(),
        description="how many thetas are drawn, and from which parameter space",
    )
    proxies: ProxiesSettings = Field(
        default=ProxiesSettings(), description="the proxy pool and the training of proxies"
    )
    search: SearchSettings = Field(
        default_factory=SearchSettings,
        description="objectives, regressors and the search for theta*",
    )
    mix: MixSettings = Field(default=MixSettings(), description="the final mix")
    comparison: ComparisonSettings = Field(
        default=ComparisonSettings(), description="the mix against random mixes of its size"
    )
    automation: AutomationSettings = Field(
        default=AutomationSettings(), description="how new and changed shards are processed"
    )

    @model_validator(mode="after")
    def _names_are_known(self) -> "Settings":
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
        return self

    @model_validator(mode="after")
    def _targets_are_known(self) -> "Settings":
        needed = {
            f"search.objectives[{objective.name}]": set(objective.targets)
            for objective in self.search.objectives
        }
        by_choice = {target.name for target in self.targets if target.measure == "choice"}
        for objective in self.search.objectives:
            if objective.scale == "bits_per_byte" and by_choice & set(objective.targets):
                raise ValueError(
                    f"search.objectives[{objective.name}].scale is bits_per_byte, which choices do "
                    f"not have, but {', '.join(sorted(by_choice & set(objective.targets)))} is "
                    "measured by its choices: set the scale to nats or zscore"
                )
        for criterion in self.features.criteria:
            if criterion.target_learned_from is not None:
                key = f"features.criteria[{criterion.name}].target"
                needed[key] = {criterion.target_learned_from}
        known = self.target_names
        for key, names in needed.items():
            for name in sorted(names - set(known)):
                raise ValueError(
                    f"{key} names the target set {name!r}; targets has: {', '.join(known)}"
                )
        return self

    @model_validator(mode="after")
    def _inputs_are_named(self) -> "Settings":
        if self.corpus.source == "planted":
            return self
        for target in self.targets:
            if target.path is None and target.dataset is None:
                raise ValueError(
                    f"targets[{target.name}].path is missing (or a dataset): "
                    "only corpus.source: planted generates a target set"
                )
        examples = self.features.domains.labelled_examples
        if examples is not None and examples.path is None:
            raise ValueError("features.domains.labels is missing: name a file of labelled examples")
        return self

    @model_validator(mode="after")
    def _columns_are_carried(self) -> "Settings":
        carried = self.corpus.carried_columns
        readers: dict[str, ModelSettings] = {
            f"features.criteria[{criterion.name}]": criterion
            for criterion in self.features.criteria
        }
        readers["features.domains"] = self.features.domains
        for key, reader in readers.items():
            for column in reader.columns_read:
                if column != TEXT_COLUMN and column not in carried:
                    raise ValueError(
                        f"{key}.column is {column!r}, which is not among corpus.carried_columns "
                        f"({', '.join(sorted(carried)) or 'none'}): add it there with its type"
                    )
        return self

    @cached_property
    def criterion_names(self) -> tuple[str, ...]:
        """The N criteria, in the order of alpha's criterion axis."""
        return tuple(criterion.name for criterion in self.features.criteria)

    @cached_property
    def domain_names(self) -> tuple[str, ...]:
        """The M domains, in the order of theta's domain axis; `unknown` comes last."""
        names = tuple(name for name in self.features.domains.names if name != UNKNOWN_DOMAIN)
        return (*names, UNKNOWN_DOMAIN)

    @cached_property
    def target_names(self) -> tuple[str, ...]:
        """The target sets, in the order of the profile."""
        return tuple(target.name for target in self.targets)

    @cached_property
    def objectives(self) -> tuple[ObjectiveSettings, ...]:
        """The objectives, each with a theta* of its own: the profile's, or the default ones.

        By default those of the paper whose target sets are there; without any, the mean of all
        target sets.
        """
        return self.search.objectives or _default_objectives(self.target_names)

    @property
    def mix_objective(self) -> str:
        """The objective whose theta* makes the mix."""
        return self.mix.objective or self.objectives[0].name

    def resolve(self, location: str) -> UPath:
        """A path or URI of the settings as UPath; relative paths start at `root`."""
        location = location.replace("{profile}", self.profile)
        if "://" in location:
            return with_retries(open_location(location))
        return UPath(self.root / Path(location).expanduser())


def _default_objectives(targets: tuple[str, ...]) -> tuple[ObjectiveSettings, ...]:
    found = []
    if "openhermes" in targets:
        found.append(ObjectiveSettings(name="openhermes", targets={"openhermes": 1.0}))
    if set(_BENCHMARKS) <= set(targets):
        found.append(ObjectiveSettings(name="bmk", targets=dict.fromkeys(_BENCHMARKS, 1.0)))
    everything = ObjectiveSettings(name="all_targets", targets=dict.fromkeys(targets, 1.0))
    return tuple(found) or (everything,)
