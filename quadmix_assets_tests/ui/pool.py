"""A pool of files for the browser: a raw folder that files are dropped into, and its profile."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from upath import UPath

from quadmix_assets.corpus.planted import DOMAINS, shard_name, write_planted_corpus

N_SHARDS = 3

# As small as every step of the graph allows. Scores and labels are columns of the input, and the
# sensors look often, so that what takes time is Dagster's own work.
PROFILE: dict[str, Any] = {
    "corpus": {
        "source": "files",
        "raw": "raw",
        "carried_columns": {"planted_domain": "string", "planted_quality": "float"},
        "max_target_overlap": 1.0,
    },
    "tokenizer": {"vocab_size": 300},
    "targets": [{"name": "planted", "path": "target.jsonl"}],
    "features": {
        "criteria": [
            {"kind": "column", "name": "quality", "column": "planted_quality"},
            {"kind": "heuristics"},
        ],
        "domains": {"kind": "column", "column": "planted_domain", "names": list(DOMAINS)},
    },
    "parameters": {"n": 8, "omega_max": 0.5},
    "proxies": {
        "pool_tokens": 20_000,
        "batch_size": 4,
        "training": {
            "architecture": "tiny",
            "n_tokens_per_proxy": 2_048,
            "batch_windows": 8,
            "warmup_steps": 1,
        },
        "max_target_tokens": 500,
        "n_workers": 1,
    },
    "search": {
        "objectives": [{"name": "planted", "targets": {"planted": 1.0}}],
        "regressor": "ridge_log",
        "compared": [],
        "n_points": 200,
    },
    "mix": {"objective": "planted"},
    "comparison": {"n_seeds": 1},
    "automation": {"discovery_seconds": 3, "settle_seconds": 1.0},
}


@dataclass(frozen=True)
class Pool:
    """A folder with raw shards, a target set and a profile.

    Attributes:
        folder: holds everything, the lake and the Dagster instance too.
        arriving: a shard like those of the raw folder, not in it yet.
    """

    folder: Path
    arriving: Path

    @property
    def profile(self) -> Path:
        """The YAML file of the settings."""
        return self.folder / "pool.yaml"

    @property
    def raw(self) -> Path:
        """The folder that the sensor watches."""
        return self.folder / "raw"

    @property
    def shards(self) -> list[str]:
        """The keys of the shards that the pool starts with."""
        return [shard_name(number) for number in range(N_SHARDS)]

    def lake(self, *parts: str) -> Path:
        """A path in the lake."""
        return self.folder.joinpath("data", "lake", "pool", *parts)

    def change_settings(self, section: str, **values: Any) -> None:
        """Edit the profile, as a person with an editor would."""
        profile = yaml.safe_load(self.profile.read_text())
        profile.setdefault(section, {}).update(values)
        self.profile.write_text(yaml.safe_dump(profile, sort_keys=False))


def write_pool(folder: Path) -> Pool:
    """A new pool of N_SHARDS shards in `folder`; nothing is materialised, there is no instance."""
    planted = folder / "planted"
    write_planted_corpus(
        UPath(planted),
        n_documents=120 * (N_SHARDS + 1),
        n_shards=N_SHARDS + 1,
        n_labelled_per_domain=1,
        n_target=40,
    )
    pool = Pool(folder, planted / "raw" / shard_name(N_SHARDS))
    pool.raw.mkdir()
    for key in pool.shards:
        shutil.copyfile(planted / "raw" / key, pool.raw / key)
    shutil.copyfile(planted / "target.jsonl", folder / "target.jsonl")
    pool.profile.write_text(yaml.safe_dump(PROFILE, sort_keys=False))
    return pool
