"""The manifest: one JSON with everything that a mix was made from."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from upath import UPath

from quadmix_assets.corpus.tokenizer import tokenizer_path
from quadmix_assets.hashing import hash_bytes, hash_file, hash_files
from quadmix_assets.mix.calibrate_pool import read_calibration, read_chosen
from quadmix_assets.mix.checkout import git_state
from quadmix_assets.mix.made_from import optimum_check_fingerprint, read_made_from
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    FITTED_MODELS,
    MIX_MANIFEST,
    RANK_CALIBRATION,
    RAW_SHARDS,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
)
from quadmix_assets.sampling.theta_json import theta_to_json
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store, atomic_folder

MANIFEST_FILE = "mix_manifest.json"
_PACKAGES = (
    "dagster",
    "fasttext-community",
    "lightgbm",
    "numpy",
    "polars",
    "pyarrow",
    "quadmix-assets",
    "tokenizers",
    "torch",
    "xxhash",
)


def pinned_fingerprints(store: Store) -> dict[str, str]:
    """Fingerprints of the pinned assets that every shard of a mix is made with.

    Raises:
        MissingOutputError: one of them has not been made.
    """
    return {
        "tokenizer": store.fingerprint(tokenizer_path(store)),
        FITTED_MODELS: store.fingerprint(store.root / FITTED_MODELS),
        SCORE_NORMALIZERS: store.fingerprint(store.root / SCORE_NORMALIZERS),
        RANK_CALIBRATION: store.fingerprint(store.root / RANK_CALIBRATION),
    }


def build_manifest(store: Store, shards: Sequence[str], settings: Settings) -> dict[str, Any]:
    """Gather the manifest of the mix of `shards`; it holds no times: equal mixes give equal ones.

    Raises:
        MissingOutputError: an input of the mix is not there.
    """
    theta, _ = read_calibration(store, settings)
    calibrated = read_made_from(store)
    chosen = settings.model_dump(mode="json", exclude={"root"})
    per_shard = {shard: _shard_entry(store, shard) for shard in shards}
    totals = {
        key: sum(entry["counts"][key] for entry in per_shard.values())
        for key in ("n_documents_in", "n_tokens_in", "n_documents_out", "n_copies_out")
    }
    totals["max_copies"] = max((e["counts"]["max_copies"] for e in per_shard.values()), default=0)
    tokens_in = _sum_per_domain(per_shard, "n_tokens_in_per_domain")
    tokens_out = _sum_per_domain(per_shard, "n_tokens_out_per_domain")
    return {
        "settings": chosen,
        "settings_hash": hash_bytes(json.dumps(chosen, sort_keys=True).encode()),
        "seed": settings.seed,
        "theta": theta_to_json(theta),
        "criteria": list(settings.criterion_names),
        "domains": list(settings.domain_names),
        **read_chosen(store),
        "guards": calibrated["guards"],
        "fingerprints": pinned_fingerprints(store),
        "calibrated_from": calibrated["fingerprints"],
        "refinement_rounds": calibrated["refinement_rounds"],
        "optimum_check": optimum_check_fingerprint(store),
        "tables": {name: store.fingerprint(path) for name, path in _tables(store, settings)},
        "totals": {**totals, "n_tokens_out": int(tokens_out.sum())},
        "n_tokens_in_per_domain": tokens_in.tolist(),
        "n_tokens_out_per_domain": tokens_out.tolist(),
        "shards": per_shard,
        "stale_shards": stale_shards(store, shards),
        "packages": _versions(),
        "git": git_state(),
        "code": _code_fingerprint(),
    }


def write_manifest(store: Store, settings: Settings, manifest: Mapping[str, Any]) -> UPath:
    """Write the manifest, and next to it copies of the tables of normalizers and calibration.

    With the copies the manifest stays complete when these assets are materialised again.

    Raises:
        MissingOutputError: a table was replaced meanwhile.
        DamagedOutputError: a table is not what was written.
    """
    folder = store.root / MIX_MANIFEST
    with atomic_folder(folder) as local:
        for name, path in _tables(store, settings):
            copy = local / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            if hash_file(copy) != store.fingerprint(path):
                raise MissingOutputError(f"{path} was replaced while it was copied: try again")
        text = json.dumps(manifest, indent=2, sort_keys=True, allow_nan=False)
        (local / MANIFEST_FILE).write_text(text + "\n")
    return folder / MANIFEST_FILE


def read_manifest(store: Store) -> dict[str, Any]:
    """The manifest.

    Raises:
        MissingOutputError: there is none.
    """
    manifest: dict[str, Any] = store.read_json(store.path(MIX_MANIFEST, MANIFEST_FILE))
    return manifest


def stale_shards(store: Store, shards: Sequence[str]) -> dict[str, list[str]]:
    """Per shard whose mix was made from other inputs than the current ones, the changed inputs.

    Fingerprints of contents are compared, because Dagster does not check upstream data versions
    where a step has 100 or more upstream partitions.

    Raises:
        MissingOutputError: an input of the mix is not there.
    """
    pinned = pinned_fingerprints(store)
    stale = {}
    for shard in shards:
        used = store.summary(store.table_path(FINAL_MIX, shard))["inputs"]
        now = {
            **pinned,
            "raw_shard": store.summary(store.table_path(RAW_SHARDS, shard))["input"]["checksum"],
        }
        changed = [name for name in now if used.get(name) != now[name]]
        for asset in (SCORED_SHARDS, DOMAIN_LABELS):
            scored = store.summary(store.table_path(asset, shard))["inputs"]
            if any(scored[name] != now[name] for name in scored):
                changed.append(asset)
        if changed:
            stale[shard] = changed
    return stale


def usable_shards(store: Store, registered: Sequence[str]) -> list[str]:
    """Of the registered shards those that have been read and were not set aside, in order."""
    paths = {shard: store.table_path(RAW_SHARDS, shard) for shard in registered}
    return [
        shard
        for shard, path in paths.items()
        if path.exists() and "set_aside" not in store.summary(path)
    ]


def changed_tables(store: Store, manifest: Mapping[str, Any]) -> list[str]:
    """The tables of a manifest that have other bytes in the lake now, or are gone or damaged."""
    paths = {name: store.root / name for name in manifest["tables"]}
    return [
        name for name, path in paths.items() if not store.matches(path, manifest["tables"][name])
    ]


def _shard_entry(store: Store, shard: str) -> dict[str, Any]:
    mix = store.summary(store.table_path(FINAL_MIX, shard))
    raw = store.summary(store.table_path(RAW_SHARDS, shard))
    inputs = mix.pop("inputs")
    return {
        "input": raw["input"],
        "quarantined": raw["quarantined"],
        "made_from": inputs,
        "counts": mix,
        "checksum": store.fingerprint(store.table_path(FINAL_MIX, shard)),
    }


def _sum_per_domain(per_shard: Mapping[str, Any], key: str) -> np.ndarray:
    counts = np.array([entry["counts"][key] for entry in per_shard.values()], dtype=np.int64)
    return np.asarray(counts.sum(axis=0))


def _tables(store: Store, settings: Settings) -> list[tuple[str, UPath]]:
    """Name in the manifest's folder, and path in the lake, of every table used for the mix."""
    paths = [store.table_path(SCORE_NORMALIZERS, name) for name in settings.criterion_names]
    paths.append(store.table_path(RANK_CALIBRATION))
    return [(path.relative_to(store.root).as_posix(), path) for path in paths]


def _code_fingerprint() -> str:
    """A hash of this package's sources, which in a checkout change without a new version number."""
    package = Path(__file__).parents[1]
    files = sorted(package.rglob("*.py"))
    return hash_files(package, [file.relative_to(package).as_posix() for file in files])


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        # Sources that lie on the path of a worker, not installed there.
        return "not installed"
