"""The root of the settings, and the validation across its sections."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, cast

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from upath import UPath

from quadmix_assets.mix.methods.registry import METHODS
from quadmix_assets.settings.automation import AutomationSettings
from quadmix_assets.settings.base import Name
from quadmix_assets.settings.constraints import ConstraintsSettings
from quadmix_assets.settings.corpus import CorpusSettings
from quadmix_assets.settings.domains import UNKNOWN_DOMAIN
from quadmix_assets.settings.evidence import EvidenceSettings, HeldOutSettings
from quadmix_assets.settings.execution import ExecutionSettings
from quadmix_assets.settings.features import FeaturesSettings
from quadmix_assets.settings.locations import Location, open_location
from quadmix_assets.settings.mix import MixSettings
from quadmix_assets.settings.mixes import ExportFormat, MixChoice, MixName, NamedMix
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
    mix: MixSettings = Field(default=MixSettings(), description="what holds for all mixes")
    mixes: tuple[MixChoice, ...] = Field(
        default_factory=lambda: (_quadmix(),),
        min_length=1,
        description="the mixes, each a method with its options under a name of its own; another "
        "one costs nothing of what is made",
    )
    production: MixName | None = Field(
        default=None,
        description="name of the mix that is in use, which new shards are followed into; null: "
        "the first of mixes",
    )
    evidence: EvidenceSettings = Field(
        default_factory=EvidenceSettings,
        description="language models trained on the mixes, and the comparison of mixes by them",
    )
    automation: AutomationSettings = Field(
        default=AutomationSettings(), description="how new and changed shards are processed"
    )
    execution: ExecutionSettings = Field(
        default_factory=ExecutionSettings,
        description="where work is done: by processes of this machine, or on a Ray cluster",
    )

    @model_validator(mode="after")
    def _names_are_known(self) -> "Settings":
        targets = [target.name for target in self.targets]
        if len(set(targets)) != len(targets):
            raise ValueError("targets: two target sets have the same name")
        for held_out in self.evidence.held_out:
            if held_out.name in targets:
                raise ValueError(
                    f"evidence.held_out[{held_out.name}] is also the name of a target set: a "
                    "held-out set may be used nowhere else"
                )
        objectives = [objective.name for objective in self.objectives]
        if len(set(objectives)) != len(objectives):
            raise ValueError("search.objectives: two objectives have the same name")
        self._refuse_unknown("search.constraints", self.search.constraints)
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
        for held_out in self.evidence.held_out:
            if held_out.path is None and held_out.dataset is None:
                raise ValueError(
                    f"evidence.held_out[{held_out.name}].path is missing (or a dataset)"
                )
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
    def _nodes_agree_on_proxies(self) -> "Settings":
        tasks = self.execution.stack_tasks
        if tasks is None or not tasks.gpus:
            return self
        # Whoever hands out the stacks may have no GPU to look at.
        chosen = {
            "proxies.device": (self.proxies.device, "cuda"),
            "proxies.stack_size": (self.proxies.stack_size, "a number"),
            "proxies.training.precision": (self.proxies.training.precision, "a type"),
        }
        for key, (value, expected) in chosen.items():
            if value in ("auto", "cpu"):
                raise ValueError(
                    f"{key} is {value!r}, but execution.ray.stacks.gpus has proxies trained on "
                    f"GPUs of other machines, which this one cannot look at: set it to {expected}"
                )
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

    @model_validator(mode="after")
    def _mixes_can_be_made(self) -> "Settings":
        names = self.mix_names
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two mixes are named {name!r}: give one another `name`")
        if self.production is not None and self.production not in names:
            raise ValueError(f"production is {self.production!r}; mixes has: {', '.join(names)}")
        for mix in self.mixes:
            self._check_names_in(mix)
            mix.check(self.features)
            self._check_size_of(mix)
        return self

    def _check_names_in(self, mix: NamedMix) -> None:
        key = f"mixes[{mix.name}]"
        objectives = [objective.name for objective in self.objectives]
        if mix.objective_name is not None and mix.objective_name not in objectives:
            raise ValueError(
                f"{key}.objective is {mix.objective_name!r}; search.objectives has: "
                f"{', '.join(objectives)}"
            )
        by = mix.drop_duplicates if isinstance(mix.drop_duplicates, str) else None
        for criterion in (*(mix.criteria or ()), *([by] if by else [])):
            if criterion not in self.score_names:
                raise ValueError(
                    f"{key} names the criterion {criterion!r}; features.criteria has: "
                    f"{', '.join(self.score_names)}"
                )
        if mix.drop_duplicates and not self.features.near_duplicates.enabled:
            raise ValueError(
                f"{key}.drop_duplicates needs features.near_duplicates.enabled: true, which looks "
                "for the near-duplicates of the pool"
            )
        own = mix.constrained_by(self.search.constraints)
        if own is not None:
            self._refuse_unknown(f"{key}.constraints", own)

    def _refuse_unknown(self, key: str, constraints: ConstraintsSettings) -> None:
        for part, named, known in (
            ("domains", tuple(constraints.domains), self.domain_names),
            ("criteria_off", constraints.criteria_off, self.criterion_names),
        ):
            for name in named:
                if name not in known:
                    raise ValueError(f"{key}.{part} names {name!r}; there are: {', '.join(known)}")

    def _check_size_of(self, mix: NamedMix) -> None:
        """A size is a number, the method's own, or in the end that of a mix which has one."""
        passed = [mix.name]
        while (other := self.size_taken_from(mix)) is not None:
            if other not in self.mix_names:
                raise ValueError(
                    f"mixes[{mix.name}].tokens names the mix {other!r}; mixes has: "
                    f"{', '.join(self.mix_names)}"
                )
            if other in passed:
                raise ValueError(
                    f"mixes[{passed[0]}] has no number of tokens: it takes its size from "
                    f"{' -> '.join([*passed[1:], other])}; set mixes[{other}].tokens to a number"
                )
            passed.append(other)
            mix = self.mix_named(other)

    @cached_property
    def criterion_names(self) -> tuple[str, ...]:
        """The N criteria that theta weighs, in the order of alpha's criterion axis."""
        return tuple(c.name for c in self.features.criteria if c.weighed)

    @cached_property
    def score_names(self) -> tuple[str, ...]:
        """All score columns: those of the N criteria, then those that theta does not weigh."""
        further = (c.name for c in self.features.criteria if not c.weighed)
        return (*self.criterion_names, *further)

    @cached_property
    def domain_names(self) -> tuple[str, ...]:
        """The M domains, in the order of theta's domain axis; `unknown` comes last."""
        names = tuple(name for name in self.features.domains.names if name != UNKNOWN_DOMAIN)
        return (*names, UNKNOWN_DOMAIN)

    @cached_property
    def target_names(self) -> tuple[str, ...]:
        """The target sets, in the order of the profile."""
        return tuple(target.name for target in self.targets)

    @property
    def held_out_sets(self) -> tuple[HeldOutSettings, ...]:
        """The held-out sets; none where the evidence is off."""
        return self.evidence.held_out if self.evidence.enabled else ()

    @property
    def objectives(self) -> tuple[ObjectiveSettings, ...]:
        """The objectives, each with a theta* of its own: the profile's, or the default ones.

        By default those of the paper whose target sets are there; without any, the mean of all
        target sets.
        """
        return self.search.objectives or _default_objectives(self.target_names)

    @property
    def production_mix(self) -> NamedMix:
        """The mix that is in use."""
        return self.mix_named(self.production or self.mixes[0].name)

    def mix_named(self, name: str) -> NamedMix:
        """The mix of that name.

        Raises:
            KeyError: there is none.
        """
        return {mix.name: mix for mix in self.mixes}[name]

    @property
    def mix_names(self) -> tuple[str, ...]:
        """The mixes, in the order of the profile."""
        return tuple(mix.name for mix in self.mixes)

    @property
    def mix_objective(self) -> str:
        """The objective of the mix that is in production; the first if its method has none."""
        return self.objective_of(self.production_mix)

    def objective_of(self, mix: NamedMix) -> str:
        """The objective that a mix minimises: its own, or the first."""
        return mix.objective_name or self.objectives[0].name

    def seed_of(self, mix: NamedMix) -> int:
        """The seed of a mix's own random numbers."""
        return mix.seed if mix.seed is not None else self.seed

    def is_followed(self, mix: NamedMix) -> bool:
        """Whether new and changed shards are mixed without a click."""
        return mix.follow if mix.follow is not None else mix.name == self.production_mix.name

    def export_of(self, mix: NamedMix) -> ExportFormat:
        """The format of a mix's export of texts; none: there is no export."""
        if mix.export is not None:
            return mix.export
        return self.mix.export.format if mix.name == self.production_mix.name else "none"

    def tokens_of(self, mix: NamedMix) -> int | str | None:
        """Tokens of a mix, or the name of the mix whose size it has; None: what its method takes.

        Without a number of its own it has that of its constraints; and where its method has no size
        of its own either, the size of the mix in production.
        """
        if mix.tokens is not None:
            return mix.tokens
        if not mix.has_own_size:
            return self.production_mix.name
        limits = mix.constrained_by(self.search.constraints)
        return limits.mix_tokens if limits is not None else None

    def size_taken_from(self, mix: NamedMix) -> str | None:
        """The name of the mix that a mix takes its number of tokens from, if it does."""
        tokens = self.tokens_of(mix)
        return tokens if isinstance(tokens, str) else None

    def score_columns_of(self, mix: NamedMix) -> tuple[str, ...]:
        """The score columns that a mix's rule reads, in the order of the criteria."""
        names = set(self.criterion_names if mix.criteria is None else mix.criteria)
        if isinstance(mix.drop_duplicates, str):
            names.add(mix.drop_duplicates)
        return tuple(name for name in self.score_names if name in names)

    def resolve(self, location: str) -> UPath:
        """A path or URI of the settings as UPath; relative paths start at `root`."""
        location = location.replace("{profile}", self.profile)
        if "://" in location:
            return with_retries(open_location(location))
        return UPath(self.root / Path(location).expanduser())


def _quadmix() -> NamedMix:
    settings_class = METHODS.settings_class("quadmix")
    return cast(NamedMix, settings_class.model_validate({"method": "quadmix"}))


def _default_objectives(targets: tuple[str, ...]) -> tuple[ObjectiveSettings, ...]:
    found = []
    if "openhermes" in targets:
        found.append(ObjectiveSettings(name="openhermes", targets={"openhermes": 1.0}))
    if set(_BENCHMARKS) <= set(targets):
        found.append(ObjectiveSettings(name="bmk", targets=dict.fromkeys(_BENCHMARKS, 1.0)))
    everything = ObjectiveSettings(name="all_targets", targets=dict.fromkeys(targets, 1.0))
    return tuple(found) or (everything,)
