"""Processor time of each stage per MB of text, on real shards of a project that was run.

    python -m benchmarks.scale.rates --profile my/mixes.yaml --shards 4

The functions that the assets call make some shards again, in a copy of the lake whose files are
links to those of the lake. Network criteria run on the device of the profile.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from upath import UPath

from quadmix_assets.corpus.inputs import discover_inputs
from quadmix_assets.corpus.overlap import TargetRuns
from quadmix_assets.corpus.raw_shard import write_raw_shard
from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.corpus.tokenizer import project_tokenizer
from quadmix_assets.evidence.overlap import searched_texts
from quadmix_assets.features.inference import Runtime
from quadmix_assets.features.learned.fit import load_models
from quadmix_assets.features.near_duplicates.shard_signatures import sign_shard
from quadmix_assets.features.score import label_shard, score_shard
from quadmix_assets.mix.export import export_shard
from quadmix_assets.mix.final_mix import mix_shard
from quadmix_assets.mix.stored_rule import read_rule
from quadmix_assets.outputs import FITTED_MODELS, RAW_SHARDS, SCORED_SHARDS
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import BATCH_ROWS, Store


@dataclass(frozen=True)
class Rate:
    """The processor time of a stage for some shards.

    Attributes:
        stage: its name.
        cpu_seconds: of all threads.
        n_bytes: of the shards' text.
        n_documents: of the shards.
    """

    stage: str
    cpu_seconds: float
    n_bytes: int
    n_documents: int

    @property
    def mb_per_second(self) -> float:
        """MB of text that one core gets through in a second."""
        return self.n_bytes / 1e6 / self.cpu_seconds

    @property
    def documents_per_second(self) -> float:
        """Documents that one core gets through in a second."""
        return self.n_documents / self.cpu_seconds


def measure_rates(profile: Path, n_shards: int) -> list[Rate]:
    """The rates of all stages that make a table of a shard, from its file to the export.

    Args:
        profile: of a project that was run to the end.
        n_shards: shards to make again.
    """
    settings = load_settings(profile)
    lake = settings.resolve(settings.lake)
    with tempfile.TemporaryDirectory(dir=Path(str(lake)).parent) as folder:
        copy = Path(folder) / "lake"
        subprocess.run(["cp", "--archive", "--link", str(lake), str(copy)], check=True)
        return _measure(settings, Store(UPath(copy)), n_shards)


def _measure(settings: Settings, store: Store, n_shards: int) -> list[Rate]:
    shards = [
        each
        for each in discover_inputs(settings, store).shards
        if store.table_path(SCORED_SHARDS, each.key).exists()
    ][:n_shards]
    raw = [store.table_path(RAW_SHARDS, each.key) for each in shards]
    n_bytes = sum(store.summary(path)["n_bytes"] for path in raw)
    n_documents = sum(store.n_rows(path) for path in raw)
    with store.local_folder(store.root / FITTED_MODELS) as models_folder:
        models = load_models(models_folder, settings, Runtime.of(settings))
    encoder, mix = TokenEncoder(project_tokenizer(store)), settings.production_mix
    rule, runs = (
        read_rule(store, settings, mix.name),
        TargetRuns.of(searched_texts(store, settings)),
    )
    fingerprints = {"fitted_models": store.fingerprint(store.root / FITTED_MODELS)}

    def overlap(key: str) -> None:
        batches = store.iter_table(store.table_path(RAW_SHARDS, key), ["id", "text"], BATCH_ROWS)
        pl.concat([runs.found_in(batch["id"], batch["text"]) for batch in batches])

    stages: dict[str, Callable[[str], object]] = {
        "target_overlap": overlap,
        "scored_shards": lambda key: score_shard(
            # Without versions, nothing of the earlier table is used again.
            *(store, key, models.criteria, encoder, fingerprints, {})
        ),
        "domain_labels": lambda key: label_shard(store, key, models.domains, fingerprints, {}),
        "duplicate_signatures": lambda key: sign_shard(
            store, key, settings.features.near_duplicates
        ),
        "final_mix": lambda key: mix_shard(store, key, settings, mix.name, rule),
        "mix_export": lambda key: export_shard(store, key, mix.name, "parquet"),
    }
    if not settings.features.near_duplicates.enabled:
        del stages["duplicate_signatures"]
    start = time.process_time()
    for shard in shards:
        write_raw_shard(store, shard, settings.corpus)
    rates = [Rate(RAW_SHARDS, time.process_time() - start, n_bytes, n_documents)]
    for stage, make in stages.items():
        start = time.process_time()
        for shard in shards:
            make(shard.key)
        rates.append(Rate(stage, time.process_time() - start, n_bytes, n_documents))
    return rates


def main() -> None:
    """Print the rates as a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--profile", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=4)
    arguments = parser.parse_args()
    rates = measure_rates(arguments.profile, arguments.shards)
    print("| stage | CPU seconds | MB/s of a core | documents/s of a core |")
    print("| --- | --- | --- | --- |")
    for rate in rates:
        print(
            f"| {rate.stage} | {rate.cpu_seconds:.2f} | {rate.mb_per_second:.2f} "
            f"| {rate.documents_per_second:,.0f} |"
        )


if __name__ == "__main__":
    main()
