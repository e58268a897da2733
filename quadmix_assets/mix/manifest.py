"""The manifest: one JSON with everything that a mix was made from."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from upath import UPath

from quadmix_assets.hashing import hash_bytes, hash_file, hash_files
from quadmix_assets.mix.checkout import git_state
from quadmix_assets.mix.made_from import optimum_check_fingerprint, read_made_from
from quadmix_assets.mix.pinned import pinned_fingerprints
from quadmix_assets.mix.stored_rule import RULE_FILE, read_rule_values
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    MIX_MANIFEST,
    RAW_SHARDS,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.store import (
    MissingOutputError,
    Store,
    all_described,
    atomic_folder,
    described_tables,
    json_text,
)

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


def build_manifest(
    store: Store, shards: Sequence[str], settings: Settings, name: str
) -> dict[str, Any]:
    """Gather the manifest of a mix of `shards`; it holds no times: equal mixes give equal ones.

    Raises:
        MissingOutputError: an input of the mix is not there.
    """
    mix = settings.mix_named(name)
    fitted, made_from = read_rule_values(store, name), read_made_from(store, name)
    chosen = settings.model_dump(mode="json", exclude={"root"})
    per_shard = _shard_entries(store, name, shards)
    totals = {
        key: sum(entry["counts"][key] for entry in per_shard.values())
        for key in ("n_documents_in", "n_tokens_in", "n_documents_out", "n_copies_out")
    }
    totals["max_copies"] = max((e["counts"]["max_copies"] for e in per_shard.values()), default=0)
    tokens_in = _sum_per_domain(per_shard, "n_tokens_in_per_domain")
    tokens_out = _sum_per_domain(per_shard, "n_tokens_out_per_domain")
    return {
        "mix": name,
        "method": fitted["method"],
        "options": fitted["options"],
        "settings": chosen,
        "settings_hash": hash_bytes(json.dumps(chosen, sort_keys=True).encode()),
        "seed": settings.seed_of(mix),
        "criteria": list(settings.criterion_names),
        "domains": list(settings.domain_names),
        **{key: fitted[key] for key in ("objective", "tokens", "expected_tokens", "prediction")},
        "rule": fitted["rule"],
        "export": settings.export_of(mix),
        "guards": made_from["guards"],
        "fingerprints": pinned_fingerprints(store, mix),
        "made_from": made_from["fingerprints"],
        "refinement_rounds": made_from["refinement_rounds"],
        "optimum_check": optimum_check_fingerprint(store) if mix.uses_theta else None,
        "tables": {
            table: store.fingerprint(path)
            for table, path in tables_of(store, settings, mix).items()
        },
        "totals": {**totals, "n_tokens_out": int(tokens_out.sum())},
        "dropped_duplicates": {
            key: sum(e["counts"]["dropped_duplicates"][key] for e in per_shard.values())
            for key in ("n_documents", "n_tokens")
        },
        "n_tokens_in_per_domain": tokens_in.tolist(),
        "n_tokens_out_per_domain": tokens_out.tolist(),
        "shards": per_shard,
        "stale_shards": stale_shards(store, mix, shards),
        "packages": _versions(),
        "git": git_state(),
        "code": _code_fingerprint(),
    }


def write_manifest(store: Store, settings: Settings, manifest: Mapping[str, Any]) -> UPath:
    """Write the manifest, and next to it copies of the rule and the normalizers that it needs.

    With the copies the manifest stays complete when these assets are materialised again.

    Raises:
        MissingOutputError: a table was replaced meanwhile.
        DamagedOutputError: a table is not what was written.
    """
    folder = store.root / mix_output(manifest["mix"], MIX_MANIFEST)
    with atomic_folder(folder) as local:
        mix = settings.mix_named(manifest["mix"])
        for name, path in tables_of(store, settings, mix).items():
            copy = local / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            if hash_file(copy) != store.fingerprint(path):
                raise MissingOutputError(f"{path} was replaced while it was copied: try again")
        (local / MANIFEST_FILE).write_text(json_text(manifest, lines_of="shards"))
    return folder / MANIFEST_FILE


def manifest_path(store: Store, mix: str) -> UPath:
    """The path of the manifest of the mix of that name."""
    return store.path(mix_output(mix, MIX_MANIFEST), MANIFEST_FILE)


def read_manifest(store: Store, mix: str) -> dict[str, Any]:
    """The manifest of the mix of that name.

    Raises:
        MissingOutputError: there is none.
    """
    manifest: dict[str, Any] = store.read_json(manifest_path(store, mix))
    return manifest


def stale_shards(store: Store, mix: NamedMix, shards: Sequence[str]) -> dict[str, list[str]]:
    """Per shard whose mix was made from other inputs than the current ones, the changed inputs.

    Fingerprints of contents are compared, because Dagster does not check upstream data versions
    where a step has 100 or more upstream partitions.

    Raises:
        MissingOutputError: an input of the mix is not there.
    """
    pinned = pinned_fingerprints(store, mix)
    documents = all_described(store, mix_output(mix.name, FINAL_MIX), shards)
    raw = all_described(store, RAW_SHARDS, shards)
    parents = {
        asset: all_described(store, asset, shards) for asset in (SCORED_SHARDS, DOMAIN_LABELS)
    }
    stale = {}
    for shard in shards:
        used = documents[shard].inputs
        now = {**pinned, "raw_shard": raw[shard].input_checksum}
        changed = [name for name in now if used.get(name) != now[name]]
        for asset, tables in parents.items():
            scored = tables[shard].inputs
            if any(scored[name] != now[name] for name in scored):
                changed.append(asset)
        if changed:
            stale[shard] = changed
    return stale


def usable_shards(store: Store, registered: Sequence[str]) -> list[str]:
    """Of the registered shards those that have been read and were not set aside, in order."""
    tables = described_tables(store, RAW_SHARDS, registered)
    return [
        shard
        for shard, table in tables.items()
        # Most say nothing of the kind, and need not be parsed.
        if "set_aside" not in table.footer.summary or "set_aside" not in table.summary
    ]


def changed_tables(store: Store, manifest: Mapping[str, Any]) -> list[str]:
    """The tables of a manifest that have other bytes in the lake now, or are gone or damaged."""
    return [
        name
        for name, fingerprint in manifest["tables"].items()
        if not store.matches(table_in_lake(store, manifest["mix"], name), fingerprint)
    ]


def table_in_lake(store: Store, mix: str, name: str) -> UPath:
    """The path in the lake of a table that a manifest names; its copy lies beside the manifest."""
    asset, _, file = name.partition("/")
    return store.path(mix_output(mix, asset) if asset == SELECTION_RULE else asset, file)


def tables_of(store: Store, settings: Settings, mix: NamedMix) -> dict[str, UPath]:
    """Name in the manifest's folder, and path in the lake, of every table used for a mix."""
    tables = read_rule_values(store, mix.name)["tables"]
    names = [f"{SELECTION_RULE}/{RULE_FILE}"]
    names += [f"{SELECTION_RULE}/{table}.parquet" for table in tables]
    if mix.normalized:
        names += [f"{SCORE_NORMALIZERS}/{each}.parquet" for each in settings.criterion_names]
    return {name: table_in_lake(store, mix.name, name) for name in sorted(names)}


def _shard_entries(store: Store, mix: str, shards: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the manifest says of each shard, from the ends of its tables alone."""
    documents = all_described(store, mix_output(mix, FINAL_MIX), shards)
    raw = all_described(store, RAW_SHARDS, shards)
    entries = {}
    for shard in shards:
        counts, of_raw = documents[shard].summary, raw[shard].summary
        entries[shard] = {
            "input": of_raw["input"],
            "quarantined": of_raw["quarantined"],
            "made_from": counts.pop("inputs"),
            "counts": counts,
            "checksum": documents[shard].seal,
        }
    return entries


def _sum_per_domain(per_shard: Mapping[str, Any], key: str) -> np.ndarray:
    counts = np.array([entry["counts"][key] for entry in per_shard.values()], dtype=np.int64)
    return np.asarray(counts.sum(axis=0))


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
