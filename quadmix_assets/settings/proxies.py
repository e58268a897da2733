"""Settings of the proxies: thetas, proxy pool, training."""

from typing import Annotated, Literal

from pydantic import Field

from quadmix_assets.settings.base import PositiveInt, Section, Share


class ParametersSettings(Section):
    """How many thetas are drawn by Algorithm 1, and from which ranges."""

    n: PositiveInt = 128
    omega_max: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    lambda_prior: Literal["log_uniform", "uniform"] = "log_uniform"


class TrainingSettings(Section):
    """The recipe by which every proxy is trained."""

    shape: Literal["tiny", "small", "regmix-1m"] = "tiny"
    n_tokens: PositiveInt = 100_000
    batch_windows: PositiveInt = 16
    learning_rate: Annotated[float, Field(gt=0)] = 4e-4
    beta1: Share = 0.9
    beta2: Share = 0.95
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    clip: Annotated[float, Field(gt=0)] = 1.0
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    precision: Literal["float32", "bfloat16"] = "float32"


class ProxiesSettings(Section):
    """The proxy pool and the training of the proxies."""

    pool_tokens: PositiveInt = Field(
        default=20_000_000, description="the pool is sampled down to about this many tokens"
    )
    batch_size: PositiveInt = Field(default=16, description="thetas in one proxy_batch partition")
    rank_breakpoints: Annotated[int, Field(ge=2)] = Field(
        default=256, description="rows a table of merged_ranks has for a theta and domain at most"
    )
    training: TrainingSettings = TrainingSettings()
    max_target_tokens: PositiveInt = 50_000
    device: Literal["auto", "cpu", "cuda"] = "auto"
    swarm_size: PositiveInt = Field(
        default=4, description="proxies that one process trains at once, as one batched model"
    )
    n_workers: PositiveInt = Field(
        default=2, description="processes that train swarms side by side; 1 for a single GPU"
    )
    n_threads: PositiveInt = Field(
        default=1,
        description="CPU threads of a process; fixed, so that losses do not depend on the machine",
    )
    max_failed_share: Share = 0.1
