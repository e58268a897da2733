"""Settings of the proxies: the proxy pool, their training, evaluation and hardware."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from quadmix_assets.settings.base import PositiveInt, Section, Share
from quadmix_assets.settings.domain_weights import DomainWeightsSettings
from quadmix_assets.settings.training import TrainingSettings


class ProxiesSettings(Section):
    """The proxy pool and the training of the proxies."""

    pool_tokens: PositiveInt = Field(
        default=20_000_000,
        description="approximate tokens of the proxy pool, a sample of the pool; many times what a "
        "tiny proxy is trained on, so that even small samples need not be repeated",
    )
    batch_size: PositiveInt = Field(
        default=16,
        description="thetas in one partition of proxy_batch, which is run, shown and retried as "
        "one step; a retry does not train finished stacks again",
    )
    training: TrainingSettings = Field(
        default_factory=TrainingSettings, description="the recipe that all proxies share"
    )
    target_epochs: Annotated[float, Field(gt=0)] | None = Field(
        default=1.0,
        description="epochs that the final training makes over a mix of median size. Proxies then "
        "read such a part of their samples that a sample of median size is repeated as often, and "
        "a smaller one more often, so that their losses show what repetition costs. null: they "
        "read all of their samples, a small part of an epoch, and repetition is not seen",
    )
    max_document_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.005,
        description="share of a proxy's training tokens that one document gives it in an epoch, "
        "but for its copies; two pieces of `training.context` tokens at least. A long document "
        "gives a part of its pieces, so that it does not decide a loss",
    )
    max_target_tokens: PositiveInt = Field(
        default=150_000,
        description="maximum tokens of each part of a target set that losses are measured on; "
        "whole documents, in the order of a hash of their ids. With fewer, another choice of "
        "documents would change the order of thetas",
    )
    keep_weights_gb: Annotated[float, Field(ge=0)] = Field(
        default=10.0,
        description="weights of the proxies are kept in the lake if those of the whole swarm take "
        "no more gigabytes than this; 0 keeps none. With them a new target set is an evaluation "
        "of the swarm (`proxy_evaluation`), and not a new swarm",
    )
    repeated_thetas: Annotated[int, Field(ge=0)] = Field(
        default=6,
        description="how many thetas are trained again with other seeds, to measure how much of "
        "the differences between losses is noise; 0 trains none, and the noise stays unknown",
    )
    repeats: PositiveInt = Field(
        default=2, description="how many more times each of these thetas is trained"
    )
    domain_weights: DomainWeightsSettings = Field(
        default=DomainWeightsSettings(),
        description="proxies of domain weights alone, for mixes by regmix and climb",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where proxies are trained; auto: on a GPU where there is one"
    )
    stack_size: PositiveInt | Literal["auto"] = Field(
        default="auto",
        description="proxies that one process trains at once, as one batched model; auto: as many "
        "as fit a GPU's free memory, or a CPU's cache",
    )
    n_workers: PositiveInt = Field(
        default=2, description="processes that train in parallel on a CPU; a GPU has one"
    )
    n_threads: PositiveInt = Field(
        default=1,
        description="CPU threads of a process; fixed, so that losses do not depend on the machine",
    )
    compile: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="whether torch.compile fuses the training step; auto: on a GPU only, since "
        "on a CPU short trainings gain less time than compiling takes",
    )
    checkpoint_seconds: Annotated[float, Field(gt=0)] = Field(
        default=60.0,
        description="seconds between two checkpoints of a training, and so the most work that a "
        "killed one loses",
    )
    progress_seconds: Annotated[float, Field(gt=0)] = Field(
        default=15.0,
        description="seconds between two reports of progress; each is an event in Dagster's log",
    )
    tensorboard: bool = Field(
        default=False,
        description="whether training curves are also written for TensorBoard; off by default, "
        "since it needs the extra `tensorboard` and a local lake",
    )
    max_failed_share: Share = Field(
        default=0.1,
        description="share of failed proxies above which the check few_proxies_failed fails; a few "
        "may diverge, many indicate a wrong recipe",
    )

    @model_validator(mode="after")
    def _noise_can_be_measured(self) -> "ProxiesSettings":
        if self.repeated_thetas == 1:
            raise ValueError(
                "repeated_thetas is 1: what seeds do to all thetas alike can be told from noise "
                "with 2 or more only; 0 repeats none"
            )
        return self
