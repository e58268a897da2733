"""Settings of the proxies: their pool, how they are trained and evaluated, and on what hardware."""

from typing import Annotated, Literal

from pydantic import Field

from quadmix_assets.settings.base import PositiveInt, Section, Share
from quadmix_assets.settings.training import TrainingSettings


class ProxiesSettings(Section):
    """The proxy pool and the training of the proxies."""

    pool_tokens: PositiveInt = Field(
        default=20_000_000,
        description="tokens that the pool is sampled down to, about: many times what a tiny proxy "
        "is trained on, so that even small samples need not be repeated",
    )
    batch_size: PositiveInt = Field(
        default=16,
        description="thetas in one proxy_batch partition: what is lost at most, and shown as one "
        "step, when a run fails",
    )
    training: TrainingSettings = Field(
        default_factory=TrainingSettings, description="the recipe that all proxies share"
    )
    max_target_tokens: PositiveInt = Field(
        default=50_000,
        description="tokens of each target set that losses are measured on, whole documents in the "
        "order of a hash; few enough that evaluation costs little beside a short training",
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
        default=2, description="processes that train side by side on a CPU; a GPU has one"
    )
    n_threads: PositiveInt = Field(
        default=1,
        description="CPU threads of a process; fixed, so that losses do not depend on the machine",
    )
    compile: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="whether torch.compile fuses the training step; auto: on a GPU, since on a CPU "
        "short trainings do not win back the time it takes",
    )
    checkpoint_seconds: Annotated[float, Field(gt=0)] = Field(
        default=60.0,
        description="seconds between two checkpoints of a training; what a killed one loses at "
        "most",
    )
    progress_seconds: Annotated[float, Field(gt=0)] = Field(
        default=15.0,
        description="seconds between two reports of progress; each is an event in Dagster's log",
    )
    tensorboard: bool = Field(
        default=False,
        description="whether training curves are written for TensorBoard too; off, since it needs "
        "the extra `tensorboard` and a local lake",
    )
    max_failed_share: Share = Field(
        default=0.1,
        description="share of failed proxies above which the check few_proxies_failed fails; a few "
        "may diverge, more mean that the recipe is wrong",
    )
