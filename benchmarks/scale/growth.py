"""What pools of several sizes cost, and what plain ways to the same shares do."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from upath import UPath

from benchmarks.scale.arrivals import measure_arrival
from benchmarks.scale.measured import measured
from benchmarks.scale.plain import PLAIN
from benchmarks.scale.pool import CRITERIA, generate_pool, measure_fits
from benchmarks.scale.shards import build_pool, measure_partitions
from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.outputs import SCORED_SHARDS
from quadmix_assets.store import Store

_DOCUMENTS_PER_SHARD = 100_000
# Shares of tokens at whose scores the plain ways are looked up.
_AT = (0.05, 0.3, 0.8)


def measure_documents(n_documents: int, folder: Path) -> dict[str, Any]:
    """The fits on a pool of so many documents, and the plain ways to the same shares."""
    shards = generate_pool(folder, n_documents, max(n_documents // _DOCUMENTS_PER_SHARD, 1))
    fits = measured(_fits, folder, shards)
    found: dict[str, Any] = {
        "normalizers and rule": {
            "cpu_seconds": fits.value["normalizers"] + fits.value["calibration"],
            "peak_mib": fits.peak_mib,
        },
        "what the rule takes": {"cpu_seconds": fits.value["expected"], "peak_mib": fits.peak_mib},
    }
    store = Store(UPath(folder))
    files = [Path(str(store.table_path(SCORED_SHARDS, shard))) for shard in shards]
    normalizers = dict(zip(CRITERIA, load_normalizers(store, CRITERIA), strict=True))
    at = {
        name: [score for share in _AT if (score := sigma.score_for(share)) is not None]
        for name, sigma in normalizers.items()
    }
    for name, plain in PLAIN.items():
        cost = measured(plain, files, CRITERIA, at)
        found[f"{name}, normalizers alone"] = {
            "cpu_seconds": cost.cpu_seconds,
            "peak_mib": cost.peak_mib,
            "largest_difference": max(
                abs(float(sigma) - share)
                for criterion in CRITERIA
                for sigma, share in zip(
                    normalizers[criterion].apply(at[criterion]),
                    cost.value[criterion],
                    strict=True,
                )
            ),
        }
    return found


def _fits(folder: Path, shards: list[str]) -> dict[str, float]:
    found = measure_fits(folder, shards, with_tokens=False, with_errors=False)
    return {
        "normalizers": found.normalizers,
        "calibration": found.calibration,
        "expected": found.expected,
    }


def measure_shards(sizes: Iterable[int], folder: Path) -> dict[str, dict[str, Any]]:
    """By number of shards: what one more costs, and what all of them cost through Dagster."""
    built = build_pool(folder / "built")
    found = {}
    for n_shards in sizes:
        arrival = measure_arrival(n_shards)
        found[str(n_shards)] = {
            "one more shard": {"cpu_seconds": arrival["seconds"]["total"]},
            **{
                f"{each.asset}, all shards": {
                    "cpu_seconds": each.cpu_seconds,
                    "event_bytes": each.event_bytes,
                }
                for each in measure_partitions(n_shards, built)
            },
        }
    return found
