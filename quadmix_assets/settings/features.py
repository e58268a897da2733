"""Settings of the features: quality criteria, domains, normalizer."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.features.criteria.registry import CRITERIA
from quadmix_assets.features.domains.registry import DOMAIN_CLASSIFIERS
from quadmix_assets.settings.base import PositiveInt, Section, Share
from quadmix_assets.settings.criteria import CriterionSettings
from quadmix_assets.settings.domains import DomainsSettings


class NormalizerSettings(Section):
    """sigma: raw score -> the scale that all criteria share, smaller is better."""

    kind: Literal["rank", "zscore", "minmax"] = Field(
        default="rank",
        description="rank: token share of the pool that scores better or equal; zscore: standard "
        "deviations below the mean; minmax: distance from the best score. rank is the paper's, and "
        "does not depend on the shape of a criterion's scale",
    )
    max_breakpoints: Annotated[int, Field(ge=2)] = Field(
        default=20_000,
        description="rows of the stored table of kind rank, at most; with B of them a share is off "
        "by at most 1 / (B - 1), which at the default is 0.005 %",
    )


class InferenceSettings(Section):
    """How published models run over the pool's texts."""

    checkpoints: str | None = Field(
        default=None,
        description="folder with local copies of checkpoints, each under its hub id "
        "(`<folder>/<organisation>/<name>`); nothing is downloaded then. null: checkpoints come "
        "from the hub and its local cache",
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$",
        description="auto, cpu, cuda, cuda:<n> or mps; auto takes a GPU where there is one, of "
        "several the one with the most free memory",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="number type of matrix products; auto: float32 on a CPU, bfloat16 (or float16 "
        "where the GPU has no bfloat16) on a GPU, which is several times as fast there",
    )
    batch_tokens: PositiveInt | None = Field(
        default=None,
        description="tokens of a batch: rows times longest row; null: 1,024 on a CPU, 65,536 on a "
        "GPU. Halved automatically where memory does not suffice",
    )
    n_threads: PositiveInt = Field(
        default=2,
        description="CPU threads of a network; a fixed number, because the last bits of a score "
        "can depend on it",
    )
    concurrent_partitions: PositiveInt = Field(
        default=1,
        description="scoring and labelling steps that run at once: the limit of Dagster's pool "
        "`scoring`. One per GPU, because two networks compete for its memory",
    )


class FeaturesSettings(Section):
    """Quality criteria, domains and the normalizer."""

    criteria: tuple[Annotated[CriterionSettings, CRITERIA], ...] = Field(
        min_length=1, description="the N quality criteria, in the order in which theta holds them"
    )
    domains: Annotated[DomainsSettings, DOMAIN_CLASSIFIERS] = Field(
        description="the domain classifier, and with it the M domains"
    )
    normalizer: NormalizerSettings = Field(
        default=NormalizerSettings(), description="how raw scores become sigma"
    )
    inference: InferenceSettings = Field(
        default=InferenceSettings(), description="how published models are run"
    )
    max_drift: Share = Field(
        default=0.1,
        description="a check warns when a document's token share under the pinned normalizer or "
        "rank calibration is further than this from its share in today's pool; 0.1 is far beyond "
        "what a few new shards of the same source change",
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
