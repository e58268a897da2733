"""Settings of the features: quality criteria, domains, normaliser."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.features.criteria.registry import CRITERIA
from quadmix_assets.features.domains.registry import DOMAIN_CLASSIFIERS
from quadmix_assets.settings.base import PositiveInt, Section, Share
from quadmix_assets.settings.criteria import CriterionSettings
from quadmix_assets.settings.domains import DomainsSettings


class NormalizerSettings(Section):
    """sigma: raw score -> the scale shared by all criteria, smaller is better."""

    kind: Literal["rank", "zscore", "minmax"] = "rank"
    max_breakpoints: Annotated[int, Field(ge=2)] = 20_000


class InferenceSettings(Section):
    """How published models run over the pool's texts."""

    checkpoints: str | None = Field(
        default=None,
        description="folder with local copies of checkpoints, each under its hub id "
        "(`<folder>/<organisation>/<name>`); nothing is downloaded then",
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$",
        description="auto takes a GPU where there is one, the one with the most free memory",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="auto: float32 on a CPU, bfloat16 (or float16) on a GPU"
    )
    batch_tokens: PositiveInt | None = Field(
        default=None,
        description="rows times longest row of a batch; null: 1,024 on a CPU, 65,536 on a GPU. "
        "Halved by itself where memory does not suffice",
    )
    n_threads: PositiveInt = Field(
        default=2,
        description="CPU threads; fixed, so that scores do not depend on the machine",
    )
    concurrent_partitions: PositiveInt = Field(
        default=1,
        description="scoring and labelling steps that run at once: the limit of Dagster's pool "
        "`scoring`. One per GPU",
    )


class FeaturesSettings(Section):
    """Quality criteria, domains and the normaliser."""

    criteria: Annotated[tuple[Annotated[CriterionSettings, CRITERIA], ...], Field(min_length=1)]
    domains: Annotated[DomainsSettings, DOMAIN_CLASSIFIERS]
    normalizer: NormalizerSettings = NormalizerSettings()
    inference: InferenceSettings = InferenceSettings()
    max_drift: Share = Field(
        default=0.1,
        description="largest distance of a new shard's scores from the pool's before a check warns",
    )

    @property
    def runs_networks(self) -> bool:
        """Whether scoring or labelling runs a neural network, and so wants a device."""
        return any(model.runs_network for model in (self.domains, *self.criteria))

    @model_validator(mode="after")
    def _names_are_unique(self) -> "FeaturesSettings":
        names = [criterion.name for criterion in self.criteria]
        taken = {"id", "n_tokens", "n_bytes", "domain", "confidence", "text", "source"}
        taken |= {"merged_score", "rank", "sampling_value", "copies", "criterion"}
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two criteria are named {name!r}: give one another `name`")
            if name in taken:
                raise ValueError(f"a criterion cannot be named {name!r}: the tables use that name")
        if len(set(self.domains.names)) != len(self.domains.names):
            raise ValueError("domains.names holds a name twice")
        return self
