"""What the documents of a mix and their export cost, beside plain Polars, in CPU seconds.

    python -m benchmarks.scale.final_mix --texts 'docs/*.parquet' --shares 0.9 0.1
    python -m benchmarks.scale.final_mix --texts 'docs/*.parquet' --copies 4

The texts are one shard. A random mix takes a share of its tokens: the shard is decided on and
exported. Plain Polars is told which documents to take, reads ids and texts, filters, and writes
them with the same compression. Both are repeated in turns, and the least of each counts. With
`--copies` the peak memory of both parts is measured instead, on a shard of so many times the texts.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from upath import UPath

from benchmarks.mixes import plain, require_equal, settings_of, write_pool, write_scores
from benchmarks.scale.measured import measured
from quadmix_assets.corpus.tokenizer import tokenizer_path
from quadmix_assets.features.scored_reference_pool import write_scored_reference_pool
from quadmix_assets.mix.export import export_shard
from quadmix_assets.mix.final_mix import mix_shard
from quadmix_assets.mix.fit_rule import fit_rule
from quadmix_assets.mix.stored_rule import read_rule
from quadmix_assets.outputs import FITTED_MODELS, RAW_SHARDS
from quadmix_assets.store import Store, atomic_folder

_MIX = "random"


@dataclass(frozen=True)
class Measured:
    """CPU seconds of one share.

    Attributes:
        share: of the tokens that the mix takes.
        n_bytes: of the texts that were taken.
        decide, export: seconds of the mix's two parts.
        plain: seconds of plain Polars.
    """

    share: float
    n_bytes: int
    decide: float
    export: float
    plain: float

    @property
    def speed(self) -> float:
        """The speed of both parts as a share of that of plain Polars."""
        return self.plain / (self.decide + self.export)


def measure_memory(texts: Sequence[Path], n_copies: int, folder: Path) -> dict[str, float]:
    """Peak memory (MiB) of both parts on one shard, each in a process of its own.

    Args:
        texts: files of texts.
        n_copies: how often all of them are in the shard.
        folder: an empty one, for the shard and the lake.
    """
    share = 0.9
    for number in range(n_copies):
        frame = pl.concat(pl.read_parquet(path, columns=["id", "text"]) for path in texts)
        renamed = frame.with_columns(pl.format("{}-{}", pl.lit(number), "id").alias("id"))
        renamed.write_parquet(folder / f"part-{number}.parquet")
    del frame, renamed
    one = folder / "texts.parquet"
    pl.scan_parquet(folder / "part-*.parquet").sink_parquet(one)
    store, key, n_tokens = _pool_of(one, folder)
    settings = settings_of(folder, int(n_tokens * share))
    fit_rule(store, settings, _MIX)
    n_bytes = store.summary(store.table_path(RAW_SHARDS, key))["n_bytes"]
    return {
        "gigabytes of text": n_bytes / 1e9,
        "nothing": measured(_nothing, folder).peak_mib,
        "decide": measured(_decide, folder, key, n_tokens * share).peak_mib,
        "export": measured(_export, folder, key).peak_mib,
    }


def _nothing(folder: Path) -> None:
    Store(UPath(folder / "lake"))


def _decide(folder: Path, key: str, n_tokens: float) -> None:
    store, settings = Store(UPath(folder / "lake")), settings_of(folder, int(n_tokens))
    mix_shard(store, key, settings, _MIX, read_rule(store, settings, _MIX))


def _export(folder: Path, key: str) -> None:
    export_shard(Store(UPath(folder / "lake")), key, _MIX, "parquet")


def _pool_of(texts: Path, folder: Path) -> tuple[Store, str, int]:
    """A lake with one shard and its scores; its key, and its tokens."""
    store = Store(UPath(folder / "lake"))
    store.write_json(tokenizer_path(store), {})
    with atomic_folder(store.root / FITTED_MODELS) as models:
        (models / "models.json").write_text("{}")
    (key,) = write_pool(store, [texts])
    n_tokens = write_scores(store, key, settings_of(folder, 1))
    write_scored_reference_pool(store, [key])
    return store, key, n_tokens


def measure_final_mix(
    texts: Sequence[Path], folder: Path, shares: Sequence[float] = (0.9, 0.1), repeats: int = 3
) -> list[Measured]:
    """What mixes of these shares cost; `folder` is empty and takes the shard and the lake."""
    one = folder / "texts.parquet"
    pl.concat(pl.read_parquet(path, columns=["id", "text"]) for path in texts).write_parquet(one)
    store, key, n_tokens = _pool_of(one, folder)
    found = []
    for share in shares:
        settings = settings_of(folder, int(n_tokens * share))
        fit_rule(store, settings, _MIX)
        rule = read_rule(store, settings, _MIX)
        seconds: list[tuple[float, float, float]] = []
        for _ in range(repeats):
            start = time.process_time()
            mix_shard(store, key, settings, _MIX, rule)
            decided = time.process_time()
            export_shard(store, key, _MIX, "parquet")
            exported = time.process_time()
            plain(store, folder, _MIX, [key])
            seconds.append((decided - start, exported - decided, time.process_time() - exported))
        decide, export, least = (min(part) for part in zip(*seconds, strict=True))
        n_bytes = require_equal(store, folder, _MIX, [key])
        found.append(Measured(share, n_bytes, decide, export, least))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--texts", required=True, help="Parquet files with the columns id, text")
    parser.add_argument("--copies", type=int, default=0)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.9, 0.1])
    options = parser.parse_args()
    pattern = Path(options.texts)
    texts = sorted(pattern.parent.glob(pattern.name))
    with tempfile.TemporaryDirectory() as temporary:
        if options.copies:
            found = measure_memory(texts, options.copies, Path(temporary))
            print(", ".join(f"{name} {value:,.2f}" for name, value in found.items()))
            return
        for each in measure_final_mix(texts, Path(temporary), options.shares):
            print(
                f"{each.share:.0%} of the tokens, {each.n_bytes / 1e6:.0f} MB: decide "
                f"{each.decide:.2f} s, export {each.export:.2f} s, plain Polars {each.plain:.2f} "
                f"s: {each.speed:.2f} times its speed"
            )


if __name__ == "__main__":
    main()
