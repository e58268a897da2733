"""The time that a further mix costs, next to reading and writing its text with plain Polars.

    python -m benchmarks.mixes --texts 'docs/*.parquet' --share 0.3 --repeats 3

The scores of a pool are there already (made up here, from the ids). Measured of every mix: fitting
its rule, deciding on every shard, exporting its texts, and writing its manifest with a kept
version. The plain loop is told which documents it has to take: per shard it reads ids and texts
with Polars, repeats what is taken by its copies and writes it with the same compression. Both are
repeated in turns, and the fastest of each counts. The goal is a ratio of at most 1.5. The time of
the processor is printed too, which other programs on the machine disturb less.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from upath import UPath

from quadmix_assets.corpus.discovery import InputShard
from quadmix_assets.corpus.raw_shard import write_raw_shard
from quadmix_assets.corpus.tokenizer import tokenizer_path
from quadmix_assets.features.normalize_pool import fit_normalizers
from quadmix_assets.features.scored_reference_pool import write_scored_reference_pool
from quadmix_assets.in_order import in_order
from quadmix_assets.mix.export import export_path, export_shard, n_shards_at_once
from quadmix_assets.mix.final_mix import mix_shard
from quadmix_assets.mix.fit_rule import fit_rule
from quadmix_assets.mix.guards import Guards
from quadmix_assets.mix.made_from import write_made_from
from quadmix_assets.mix.manifest import build_manifest, read_manifest, write_manifest
from quadmix_assets.mix.methods.quadmix import QuadmixMethod
from quadmix_assets.mix.stored_rule import read_rule
from quadmix_assets.mix.versions import keep_version
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    FITTED_MODELS,
    PARAMETER_SETS,
    RAW_SHARDS,
    SCORED_SHARDS,
    mix_output,
)
from quadmix_assets.sampling import Theta, hash_ids, sample_parameters
from quadmix_assets.settings import PROFILES_FOLDER, CorpusSettings, Settings, load_settings
from quadmix_assets.splitmix64 import splitmix64
from quadmix_assets.store import ZSTD_LEVEL, Store, atomic_folder

_CRITERIA = ("quality", "fluency")
_BYTES_PER_TOKEN = 4
_MIXES = ("quadmix", "top_k", "random")


def settings_of(folder: Path, n_tokens: int) -> Settings:
    """A profile with three mixes of the same size."""
    profile = yaml.safe_load((PROFILES_FOLDER / "demo.yaml").read_text())
    profile["corpus"]["carried_columns"] = dict.fromkeys(_CRITERIA, "float")
    profile["features"]["criteria"] = [
        {"kind": "column", "name": name, "column": name, "larger_is_better": True}
        for name in _CRITERIA
    ]
    profile["mixes"] = [
        {"method": "quadmix", "tokens": n_tokens, "export": "parquet"},
        {"method": "top_k", "criterion": "quality", "tokens": n_tokens, "export": "parquet"},
        {"method": "random", "tokens": n_tokens, "export": "parquet"},
    ]
    profile["production"] = "quadmix"
    path = folder / "mixes.yaml"
    path.write_text(yaml.safe_dump(profile))
    return load_settings(path)


def write_pool(store: Store, texts: list[Path]) -> list[str]:
    """The shards, with tokens that follow from the length, and scores from the id."""
    keys = []
    for path in texts:
        key = path.name
        write_raw_shard(store, InputShard(key, UPath(path), "1"), CorpusSettings(id_column="id"))
        keys.append(key)
    return keys


def write_scores(store: Store, key: str, settings: Settings) -> int:
    """Scores and domains of a shard; returns its tokens."""
    raw = store.table_path(RAW_SHARDS, key)
    checksum = store.summary(raw)["input"]["checksum"]
    inputs = {
        FITTED_MODELS: store.fingerprint(store.root / FITTED_MODELS),
        "tokenizer": store.fingerprint(tokenizer_path(store)),
        "raw_shard": checksum,
    }
    documents = store.read_table(raw, ["id", "n_bytes"])
    bits = [splitmix64(hash_ids(documents["id"].to_list()) + np.uint64(n)) for n in range(3)]
    scored = documents.select(
        "id",
        (pl.col("n_bytes") // _BYTES_PER_TOKEN + 1).cast(pl.Int64).alias("n_tokens"),
        **{
            name: pl.Series(values / 2.0**64)
            for name, values in zip(_CRITERIA, bits[:2], strict=True)
        },
    )
    store.write_table(store.table_path(SCORED_SHARDS, key), scored, {"inputs": inputs})
    names = np.array(settings.domain_names)[(bits[2] % np.uint64(9)).astype(np.int64)]
    labels = documents.select("id", domain=pl.Series(names), confidence=pl.lit(1.0))
    inputs.pop("tokenizer")
    store.write_table(store.table_path(DOMAIN_LABELS, key), labels, {"inputs": inputs})
    return int(scored["n_tokens"].sum())


@contextmanager
def a_theta(settings: Settings) -> Iterator[None]:
    """A theta at random in place of the searched one."""
    drawn = sample_parameters(
        1, len(settings.criterion_names), len(settings.domain_names), seed=0, omega_max=0.5
    )
    theta = Theta(*(getattr(drawn, name)[0] for name in Theta._fields))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QuadmixMethod, "theta", lambda _: theta)
        patch.setattr(QuadmixMethod, "prediction", lambda _: None)
        yield


def make_mix(store: Store, settings: Settings, name: str, keys: list[str]) -> dict[str, float]:
    """Make all of a mix as its assets do; returns the seconds of every part."""
    seconds: dict[str, float] = {}
    start = time.perf_counter()

    def done(part: str) -> None:
        nonlocal start
        now = time.perf_counter()
        seconds[part], start = now - start, now

    fit_rule(store, settings, name)
    write_made_from(store, settings, settings.mix_named(name), Guards((), ()))
    done("rule")
    loaded = read_rule(store, settings, name)

    def work(key: str) -> None:
        mix_shard(store, key, settings, name, loaded)
        export_shard(store, key, name, "parquet")

    for _, made in in_order(work, keys, n_shards_at_once()):
        made()
    done("documents and export")
    write_manifest(store, settings, build_manifest(store, keys, settings, name))
    keep_version(store, name)
    done("manifest")
    return seconds


def plain(store: Store, folder: Path, name: str, keys: list[str]) -> float:
    """Read and write the texts of a mix with Polars; returns the seconds."""
    taken = {
        key: pl.read_parquet(
            str(store.table_path(mix_output(name, FINAL_MIX), key)), columns=["id", "copies"]
        )
        for key in keys
    }
    start = time.perf_counter()
    for key in keys:
        texts = pl.read_parquet(str(store.table_path(RAW_SHARDS, key)), columns=["id", "text"])
        rows = texts.join(taken[key], on="id", maintain_order="left")
        repeated = rows.select(pl.col("id", "text").repeat_by("copies").explode())
        repeated.write_parquet(folder / key, compression="zstd", compression_level=ZSTD_LEVEL)
    return time.perf_counter() - start


def require_equal(store: Store, folder: Path, name: str, keys: list[str]) -> int:
    """Check that both wrote the same texts; returns how many bytes of text."""
    n_bytes = 0
    for key in keys:
        ours = pl.read_parquet(str(export_path(store, key, name, "parquet")))
        assert ours.equals(pl.read_parquet(folder / key)), key
        n_bytes += int(ours["text"].str.len_bytes().sum())
    return n_bytes


def main() -> None:
    """Measure, and print a line per mix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_HELP)
    parser.add_argument("--texts", required=True, help="Parquet shards with the columns id, text")
    parser.add_argument("--share", type=float, default=0.3, help="of the pool's tokens in a mix")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    pattern = Path(arguments.texts)
    texts = sorted(pattern.parent.glob(pattern.name))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store = Store(UPath(folder / "lake"))
        store.write_json(tokenizer_path(store), {})
        with atomic_folder(store.root / FITTED_MODELS) as models:
            (models / "models.json").write_text("{}")
        keys = write_pool(store, texts)
        settings = settings_of(folder, 1)
        n_tokens = sum(write_scores(store, key, settings) for key in keys)
        write_scored_reference_pool(store, keys)
        # Of a swarm that has not been trained: its batches are named in every manifest.
        batches = pl.DataFrame(schema={"proxy_batch": pl.String})
        store.write_table(store.table_path(PARAMETER_SETS), batches)
        settings = settings_of(folder, int(n_tokens * arguments.share))
        names = settings.criterion_names
        fitted = fit_normalizers(store, keys, names, settings.features.normalizer)
        print(f"{fitted.n_documents:,} documents, {n_tokens:,} tokens in {len(keys)} shards")
        with a_theta(settings):
            for name in _MIXES:
                _measure(store, settings, name, keys, arguments.repeats)


def _measure(store: Store, settings: Settings, name: str, keys: list[str], repeats: int) -> None:
    folder = Path(str(store.root)).parent / "plain"
    ours: list[dict[str, float]] = []
    theirs: list[float] = []
    processor: list[tuple[float, float]] = []
    for _ in range(repeats):
        start = time.process_time()
        ours.append(make_mix(store, settings, name, keys))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        made = time.process_time()
        theirs.append(plain(store, folder, name, keys))
        processor.append((made - start, time.process_time() - made))
    n_bytes = require_equal(store, folder, name, keys)
    cpu = [min(side) for side in zip(*processor, strict=True)]
    best, fastest = min(ours, key=lambda parts: sum(parts.values())), min(theirs)
    totals = read_manifest(store, name)["totals"]
    parts = ", ".join(f"{part} {seconds:.2f}" for part, seconds in best.items())
    print(
        f"{name}: {totals['n_documents_out']:,} documents, {n_bytes / 1e6:.0f} MB of text; "
        f"{sum(best.values()):.2f} s ({parts}), plain Polars {fastest:.2f} s, ratio "
        f"{sum(best.values()) / fastest:.2f}; processor {cpu[0]:.2f} s and {cpu[1]:.2f} s, "
        f"ratio {cpu[0] / cpu[1]:.2f}"
    )


_HELP = argparse.RawDescriptionHelpFormatter

if __name__ == "__main__":
    main()
