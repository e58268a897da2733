"""A pool of files for the browser: a raw folder that files are dropped into, and its profile."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from upath import UPath

from quadmix_assets.corpus.planted import DOMAINS, shard_name, write_planted_corpus
from quadmix_assets.settings import FROZEN_VARIABLE, PROFILE_VARIABLE

N_SHARDS, N_SPARE = 3, 3

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
    "parameters": {"n": 12, "omega_max": 0.5},
    "proxies": {
        "pool_tokens": 20_000,
        "batch_size": 6,
        "training": {
            "architecture": "tiny",
            "n_tokens_per_proxy": 2_048,
            "batch_windows": 8,
            "warmup_steps": 1,
        },
        "max_target_tokens": 500,
        "repeated_thetas": 2,
        "repeats": 1,
        "n_workers": 1,
    },
    "search": {
        "objectives": [{"name": "planted", "targets": {"planted": 1.0}}],
        "regressor": "ridge_log",
        "compared": [],
        "n_points": 200,
        "verify": {"candidates": 3, "heats": [{"candidates": 3, "seeds": 1}]},
        "check_seeds": 2,
    },
    "mix": {"accept": ["regressor_learned_something"]},
    "automation": {"discovery_seconds": 3, "settle_seconds": 1.0},
}


def clean_environment() -> dict[str, str]:
    """This process's environment without what names a profile or an instance."""
    ours = (PROFILE_VARIABLE, FROZEN_VARIABLE, "DAGSTER_HOME")
    return {name: value for name, value in os.environ.items() if name not in ours}


@dataclass(frozen=True)
class Pool:
    """A folder with raw shards, a target set and a profile.

    Attributes:
        folder: holds everything, the lake and the Dagster instance too.
        spare: files of shards like those of the raw folder, not in it yet.
    """

    folder: Path
    spare: tuple[Path, ...]

    @property
    def profile(self) -> Path:
        """The YAML file of the settings."""
        return self.folder / "pool.yaml"

    @property
    def raw(self) -> Path:
        """The folder that the sensor watches."""
        return self.folder / "raw"

    def drop(self, path: Path, name: str | None = None) -> str:
        """Copy a file into the raw folder; returns the shard's key."""
        key = name or path.name
        shutil.copyfile(path, self.raw / key)
        return key

    def quadmix(self, *arguments: str) -> str:
        """What a command prints that is run on the pool's profile and instance."""
        command = [sys.executable, "-m", "quadmix_assets.cli", "--profile", str(self.profile)]
        result = subprocess.run(
            [*command, *arguments],
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-2_000:] + result.stderr[-4_000:]
        return result.stdout

    @property
    def instance(self) -> Path:
        """The folder of the pool's Dagster instance."""
        return self.folder / "data" / "dagster" / "pool"

    def lake(self, *parts: str) -> Path:
        """A path in the lake."""
        return self.folder.joinpath("data", "lake", "pool", *parts)

    def change_settings(self, section: str, **values: Any) -> None:
        """Edit the profile, as a person with an editor would."""
        profile = yaml.safe_load(self.profile.read_text())
        profile.setdefault(section, {}).update(values)
        self.profile.write_text(yaml.safe_dump(profile, sort_keys=False))


def write_hostile_shard(path: Path, host: str) -> None:
    """Documents whose text, id and source want to be more than text on a page of the UI.

    Args:
        path: a JSONL file; its documents have the highest quality of the pool, so that they are
            shown as the best, and the lowest.
        host: that no page may ask for anything.
    """
    tries = [
        f"![seen](http://{host}/markdown.png) what a page would load",
        f'<img src="http://{host}/tag.png"> <script>fetch("http://{host}/script")</script>',
        f"| a | b |\n| --- | --- |\n| ![cell](http://{host}/cell.png) | [x](http://{host}/link) |",
        f"```\n``` \n![fence](http://{host}/fence.png)\n<iframe src=//{host}/frame></iframe>",
        f"[ref]: http://{host}/ref.png\n![ref] <{host}> www.{host} http://{host}/bare a@{host}",
        f"<style>@import url(http://{host}/style.css);</style> \\![x](http://{host}/slash.png)",
    ]
    with path.open("w") as file:
        for number in range(24):
            text = f"{tries[number % len(tries)]} and words of document {number} that differ."
            row = {
                "id": f"![id](http://{host}/id{number}.png)",
                "text": text,
                "source": f"<img src=http://{host}/source.png>",
                "planted_domain": DOMAINS[number % len(DOMAINS)],
                "planted_quality": 99.0 + number if number % 2 else -99.0 - number,
            }
            file.write(json.dumps(row) + "\n")


def write_pool(folder: Path, **automation: Any) -> Pool:
    """A new pool of N_SHARDS shards in `folder`; nothing is materialised, there is no instance.

    Args:
        folder: an empty one.
        automation: settings of that section.
    """
    planted = folder / "planted"
    write_planted_corpus(
        UPath(planted),
        n_documents=120 * (N_SHARDS + N_SPARE),
        n_shards=N_SHARDS + N_SPARE,
        n_labelled_per_domain=1,
        n_target=40,
    )
    names = [shard_name(number) for number in range(N_SHARDS + N_SPARE)]
    pool = Pool(folder, tuple(planted / "raw" / name for name in names[N_SHARDS:]))
    pool.raw.mkdir()
    for name in names[:N_SHARDS]:
        shutil.copyfile(planted / "raw" / name, pool.raw / name)
    shutil.copyfile(planted / "target.jsonl", folder / "target.jsonl")
    pool.profile.write_text(yaml.safe_dump(PROFILE, sort_keys=False))
    pool.change_settings("automation", **automation)
    return pool
