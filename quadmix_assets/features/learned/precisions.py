"""Decides once per criterion whether 16-bit products on a CPU rank documents as float32 does.

The decision is stored with the fitted models, so that every shard and every machine follows it.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.features.criteria.base import Criterion
from quadmix_assets.features.inference import Runtime
from quadmix_assets.features.learned.pinned import StaleModelError

MIN_SPEARMAN = 0.999
"""The least rank correlation with float32 at which scores in 16 bits are used."""
PRECISIONS = "precisions.json"
_REDUCED = ("bfloat16", "float16")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RankCheck:
    """How a criterion ranks a sample in the precision that was asked for.

    Attributes:
        asked: the precision of the settings.
        spearman: of the scores in that precision with those in float32.
        n_documents: of the sample.
    """

    asked: str
    spearman: float
    n_documents: int

    @property
    def used(self) -> str:
        """The precision that the criterion scores in."""
        return self.asked if self.spearman >= MIN_SPEARMAN else "float32"

    def in_words(self) -> str:
        """One sentence for the log."""
        return (
            f"{self.asked} ranks {self.n_documents} documents as float32 does to a Spearman "
            f"correlation of {self.spearman:.5f} (at least {MIN_SPEARMAN} is expected): "
            f"scored in {self.used}"
        )


def asks_for_a_check(runtime: Runtime) -> bool:
    """Whether networks shall run in 16 bits on a CPU; `auto` never takes 16 bits there."""
    return runtime.settings.precision in _REDUCED and runtime.device.type == "cpu"


def check_ranks(
    load: Callable[[Runtime], Criterion], documents: pl.DataFrame, runtime: Runtime
) -> RankCheck:
    """Score documents in the runtime's precision and in float32, one network after the other.

    Args:
        load: makes the fitted criterion for a runtime.
        documents: a sample of the pool, with the columns that the criterion reads.
        runtime: asks for 16 bits.

    Raises:
        CheckpointError: the network cannot be loaded.
    """
    asked = runtime.settings.precision
    reduced, exact = (
        load(_in_precision(runtime, precision)).score(documents) for precision in (asked, "float32")
    )
    return RankCheck(asked, spearman(reduced, exact), documents.height)


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """The rank correlation of two scores (D,) of the same documents, ties at their mean rank.

    Equal scores correlate by 1, also where all are one value; else a constant ranks nothing: 0.
    """
    if np.array_equal(one, other):
        return 1.0
    ranks = [pl.Series(scores).rank("average").to_numpy() for scores in (one, other)]
    if not np.isfinite([one, other]).all() or min(np.ptp(rank) for rank in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])


def write_precisions(folder: UPath, checks: Mapping[str, RankCheck], runtime: Runtime) -> None:
    """Store by criterion what was decided, in the folder of the fitted models."""
    used = {name: check.used for name, check in checks.items()}
    content = json.dumps({**_asked(runtime), "used": used}, indent=2, sort_keys=True)
    (folder / PRECISIONS).write_bytes(content.encode() + b"\n")


def runtimes_of(folder: UPath, networks: Iterable[str], runtime: Runtime) -> dict[str, Runtime]:
    """By criterion of `networks`, the runtime in the precision that was decided for it.

    A decision binds GPUs as well as CPUs, whether or not the CPU has 16-bit instructions; without
    them, torch emulates them, which the log says. Where none was made, a GPU takes what the
    settings ask for.

    Args:
        folder: of the fitted models.
        networks: the criteria that run a network.
        runtime: of the settings.

    Raises:
        StaleModelError: 16 bits are asked for on a CPU, and nothing was decided for that.
    """
    names = list(networks)
    if not names or runtime.settings.precision not in _REDUCED:
        return dict.fromkeys(names, runtime)
    path = folder / PRECISIONS
    decided: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    used: dict[str, str] = decided.pop("used", {})
    if decided != _asked(runtime) or not used.keys() >= set(names):
        if runtime.device.type != "cpu":
            return dict.fromkeys(names, runtime)
        raise StaleModelError(
            f"{path}: features.inference.precision is {runtime.settings.precision!r} with the "
            f"engine {runtime.settings.engine!r} on a CPU, and the fitted models do not say "
            f"whether {', '.join(names)} may be scored so: materialise the asset 'fitted_models' "
            "again on such a machine, or set features.inference.precision to auto"
        )
    _warn_of_emulation({used[name] for name in names}, runtime)
    return {name: _in_precision(runtime, used[name]) for name in names}


def _asked(runtime: Runtime) -> dict[str, str]:
    return {"asked": runtime.settings.precision, "engine": runtime.settings.engine}


def _in_precision(runtime: Runtime, precision: str) -> Runtime:
    return replace(runtime, settings=runtime.settings.model_copy(update={"precision": precision}))


def _warn_of_emulation(precisions: set[str], runtime: Runtime) -> None:
    if "bfloat16" not in precisions or runtime.device.type != "cpu":
        return
    # Imported here, because it imports torch.
    from quadmix_assets.device import has_bfloat16

    if not has_bfloat16(runtime.device):
        _LOG.warning(
            "this CPU has no bfloat16 instructions, which are emulated, slowly: the models were "
            "fitted for features.inference.precision bfloat16, and scores shall not depend on the "
            "machine; set it to auto for float32 everywhere"
        )
