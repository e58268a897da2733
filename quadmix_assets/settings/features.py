"""Settings of the documents' features: quality criteria, domains, normalizer."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.features.criteria.registry import CRITERIA
from quadmix_assets.features.domains.registry import DOMAIN_CLASSIFIERS
from quadmix_assets.outputs import RESERVED_NAMES
from quadmix_assets.settings.base import PositiveInt, Section, Share
from quadmix_assets.settings.criteria import CriterionSettings
from quadmix_assets.settings.domains import DomainsSettings
from quadmix_assets.settings.locations import Location
from quadmix_assets.settings.near_duplicates import NearDuplicatesSettings


class NormalizerSettings(Section):
    """sigma of Equation 1: raw score -> the scale that all criteria share, smaller is better."""

    kind: Literal["rank", "zscore", "minmax"] = Field(
        default="rank",
        description="rank: share of the pool's tokens in documents that score better or equal; "
        "zscore: standard deviations below the mean; minmax: distance from the best score, as a "
        "share of the range. rank is the paper's, and does not depend on the distribution of a "
        "criterion's scores",
    )
    max_breakpoints: Annotated[int, Field(ge=2)] = Field(
        default=20_000,
        description="maximum rows of the stored table of kind rank; with B rows a rank is off by "
        "at most 1 / (B - 1), which at the default is 0.005 %; beyond 500,000 documents the values "
        "are summed up first, which adds 0.0005 % for every factor of five",
    )


class InferenceSettings(Section):
    """How published models run over the pool's texts."""

    checkpoints: Location | None = Field(
        default=None,
        description="folder with local copies of checkpoints, each under its hub id "
        "(`<folder>/<organisation>/<name>`); with it, nothing is downloaded. null: checkpoints are "
        "taken from the hub and its local cache",
    )
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$",
        description="auto, cpu, cuda, cuda:<n> or mps; auto: the GPU with the most free memory, or "
        "the CPU without one",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="floating-point type of matrix products; auto: float32 on a CPU, bfloat16 (or "
        "float16 where the GPU has no bfloat16) on a GPU, several times as fast as float32 there. "
        "Where 16 bits are set for a CPU, fitted_models compares each criterion with float32 on a "
        "sample of the pool, and keeps float32 unless they rank it alike (Spearman 0.999)",
    )
    engine: Literal["torch", "openvino"] = Field(
        default="torch",
        description="what runs text encoders (fineweb_edu, the domain classifiers); openvino: "
        "faster on a CPU, scores equal to torch's within 1e-5, needs the extra `openvino`. Never "
        "chosen by what is installed, so that scores do not depend on that",
    )
    batch_tokens: PositiveInt | None = Field(
        default=None,
        description="tokens of a batch with padding (texts times the longest text); null: 1,024 on "
        "a CPU, 65,536 on a GPU. Halved automatically when memory runs out",
    )
    n_threads: PositiveInt = Field(
        default=2,
        description="CPU threads of a neural network; a fixed number, because the last bits of a "
        "score can depend on it",
    )
    concurrent_partitions: PositiveInt = Field(
        default=1,
        description="scoring and labelling steps that run at once: the limit of Dagster's "
        "concurrency pool `scoring`. One per GPU, because two networks compete for its memory",
    )


class FeaturesSettings(Section):
    """Quality criteria, domains and the normalizer."""

    criteria: tuple[Annotated[CriterionSettings, CRITERIA], ...] = Field(
        min_length=1,
        description="the quality criteria; those that are weighed are the N criteria of theta, in "
        "this order",
    )
    domains: Annotated[DomainsSettings, DOMAIN_CLASSIFIERS] = Field(
        description="the domain classifier, and with it the M domains"
    )
    normalizer: NormalizerSettings = Field(
        default=NormalizerSettings(), description="how raw scores are normalized (sigma)"
    )
    inference: InferenceSettings = Field(
        default=InferenceSettings(), description="how published models are run"
    )
    near_duplicates: NearDuplicatesSettings = Field(
        default=NearDuplicatesSettings(), description="which documents say nearly the same"
    )
    max_drift: Share = Field(
        default=0.1,
        description="a check warns when a rank by the pinned normalizers or rank calibration "
        "differs by more than this from the rank in the current pool; 0.1 is far more than a few "
        "new shards of the same source change",
    )
    max_unknown_share: Share = Field(
        default=0.5,
        description="a check fails when a larger share of the pool's documents has the domain "
        "`unknown`, because theta then samples one domain that means nothing",
    )
    max_population_shift: Annotated[float, Field(gt=0.0)] = Field(
        default=0.25,
        description="a check warns when the scores of a new shard differ from those of the "
        "reference pool by a larger population stability index; 0.25 is the usual threshold of a "
        "major shift",
    )

    @property
    def runs_networks(self) -> bool:
        """Whether scoring or labelling runs a neural network, which needs a device."""
        return any(model.runs_network for model in (self.domains, *self.criteria))

    @model_validator(mode="after")
    def _names_are_unique(self) -> "FeaturesSettings":
        names = [criterion.name for criterion in self.criteria]
        # SQL does not tell upper from lower case.
        folded = [name.lower() for name in names]
        for name in names:
            if folded.count(name.lower()) > 1:
                raise ValueError(f"two criteria are named {name!r}: give one another `name`")
            if name.lower() in RESERVED_NAMES:
                raise ValueError(
                    f"a criterion cannot be named {name!r}: a column or a table of the project has "
                    "that name"
                )
        if not any(criterion.weighed for criterion in self.criteria):
            raise ValueError("criteria: none is weighed: theta needs at least one")
        if len(set(self.domains.names)) != len(self.domains.names):
            raise ValueError("domains.names holds a name twice")
        return self
