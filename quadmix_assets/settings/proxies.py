"""Settings of the proxies: thetas, proxy pool, training."""

from typing import Annotated, Literal

from pydantic import Field

from quadmix_assets.settings.base import PositiveInt, Section, Share


class ParametersSettings(Section):
    """How many thetas are drawn by Algorithm 1, and from which ranges."""

    n: PositiveInt = 128
    omega_max: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    lambda_prior: Literal["log_uniform", "uniform"] = "log_uniform"
    scale_max: Annotated[float, Field(ge=1.0)] = Field(
        default=1.0,
        description="an extension of the paper's space: a factor from 1 to this on each domain's "
        "sampling function; 1 leaves it out, as in the paper",
    )


class TrainingSettings(Section):
    """The recipe by which every proxy is trained; RegMix's, which QuaDMix follows, by default."""

    shape: Literal["tiny", "small", "regmix-1m", "olmix-14m"] = "tiny"
    context: PositiveInt | None = Field(
        default=None, description="tokens a window predicts; null takes the shape's"
    )
    n_tokens: PositiveInt = 100_000
    batch_windows: PositiveInt = 512
    learning_rate: Annotated[float, Field(gt=0)] = 4e-4
    beta1: Share = 0.9
    beta2: Share = 0.95
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    clip: Annotated[float, Field(gt=0)] = 1.0
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    schedule: Literal["cosine", "linear", "constant"] = "constant"
    final_share: Annotated[Share, Field(description="of the peak rate, where it falls")] = 0.1
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto: bfloat16 where the processor has instructions for it"
    )


class ProxiesSettings(Section):
    """The proxy pool and the training of the proxies."""

    pool_tokens: PositiveInt = Field(
        default=20_000_000, description="the pool is sampled down to about this many tokens"
    )
    batch_size: PositiveInt = Field(
        default=16, description="thetas in one proxy_batch partition, which is one swarm"
    )
    rank_breakpoints: Annotated[int, Field(ge=2)] = Field(
        default=256, description="rows a table of merged_ranks has for a theta and domain at most"
    )
    training: TrainingSettings = TrainingSettings()
    max_target_tokens: PositiveInt = 50_000
    device: Literal["auto", "cpu", "cuda"] = "auto"
    swarm_size: PositiveInt | Literal["auto"] = Field(
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
        default="auto", description="fuse the training step with torch.compile; auto: on a GPU"
    )
    checkpoint_seconds: Annotated[float, Field(gt=0)] = Field(
        default=60.0, description="time between two states that a killed training goes on from"
    )
    progress_seconds: Annotated[float, Field(gt=0)] = 15.0
    tensorboard: bool = False
    max_failed_share: Share = 0.1
