"""What one more shard costs a pool of many, in all assets and checks that a wave runs.

    python -m benchmarks.scale.arrivals --shards 100 1000 3000

The pool is made of small shards of made-up texts and scores; everything that follows from them is
made once. Then one shard arrives, and a new process makes what its arrival asks for: its documents
with the claim of its ids, the checks of scores, labels and shards, the score report, the check of
the rule, the documents of the mix, its manifest with links and a kept version, and the checks of
the manifest. Scoring itself is left out: it costs the same in any pool, and would hide the rest.
Each part is a step of its own. CPU seconds of the process without its imports; beside them the
shards whose rows were read.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from upath import UPath

from benchmarks.mixes import a_theta, settings_of, write_scores
from quadmix_assets.corpus.discovery import InputShard
from quadmix_assets.corpus.document_ids import DocumentIds
from quadmix_assets.corpus.raw_shard import write_raw_shard
from quadmix_assets.corpus.tokenizer import tokenizer_path
from quadmix_assets.defs.shard_checks import check_shards
from quadmix_assets.features.label_coverage import label_coverage
from quadmix_assets.features.normalizers import fit_normalizer
from quadmix_assets.features.population_shift import shifts_of_shards
from quadmix_assets.features.report.score_report import ScoreReport
from quadmix_assets.features.score_drift import score_drift, write_sketch
from quadmix_assets.features.scored_reference_pool import write_scored_reference_pool
from quadmix_assets.mix.changes import changes_since
from quadmix_assets.mix.completeness import incomplete_entries
from quadmix_assets.mix.final_mix import mix_shard
from quadmix_assets.mix.fit_rule import fit_rule
from quadmix_assets.mix.guards import Guards
from quadmix_assets.mix.links import Link, read_links, write_links
from quadmix_assets.mix.made_from import write_made_from
from quadmix_assets.mix.manifest import (
    build_manifest,
    read_manifest,
    stale_shards,
    usable_shards,
    write_manifest,
)
from quadmix_assets.mix.rule_drift import rule_drift
from quadmix_assets.mix.stored_rule import read_rule
from quadmix_assets.mix.versions import keep_version, list_headers
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    FITTED_MODELS,
    PARAMETER_SETS,
    RAW_SHARDS,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    mix_output,
)
from quadmix_assets.settings import CorpusSettings, Settings, load_settings
from quadmix_assets.store import Store, atomic_folder, one_step
from quadmix_assets.store import store as store_module

_MIX = "quadmix"
_N_DOCUMENTS = 1_000
# The first shards are what normalizers and the rule are fitted on.
_N_FITTED = 20
# Columns as those of the settings that the checks compare with.
_CORPUS = CorpusSettings(id_column="id", carried_columns={"quality": "float", "fluency": "float"})


def measure_arrival(n_shards: int, n_documents: int = _N_DOCUMENTS) -> dict[str, Any]:
    """Make a pool of so many shards, and measure the arrival of one more.

    Args:
        n_shards: before the arrival.
        n_documents: of each shard.

    Returns:
        `n_shards`; `seconds` of the CPU by part, with `total`; `read`: the shards of which rows
        were read, by part.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _make_pool(folder, n_shards, n_documents)
        found: dict[str, Any] = {}
        # The first arrival lets the rest settle, so that the second one is as all that follow.
        for key in (_key(n_shards), _key(n_shards + 1)):
            _put_input(folder, int(key.split("-")[1]), n_documents)
            time.sleep(0.2)
            command = [sys.executable, "-m", "benchmarks.scale.arrivals", "--in", temporary, key]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found = json.loads(printed.splitlines()[-1])
        return {"n_shards": n_shards, **found}


def _key(number: int) -> str:
    return f"shard-{number:06d}"


def _put_input(folder: Path, number: int, n_documents: int) -> None:
    rows = pl.DataFrame(
        {
            "id": [f"document-{number}-{k}" for k in range(n_documents)],
            "text": [f"text {number} {k} " + "word " * (k % 80) for k in range(n_documents)],
        }
    )
    (folder / "inputs").mkdir(exist_ok=True)
    rows.write_parquet(folder / "inputs" / f"{_key(number)}.parquet")


def _input_of(folder: Path, key: str) -> InputShard:
    return InputShard(key, UPath(folder / "inputs" / f"{key}.parquet"), "1")


def _make_pool(folder: Path, n_shards: int, n_documents: int) -> None:
    settings, store = settings_of(folder, n_documents * 100), Store(UPath(folder / "lake"))
    store.write_json(tokenizer_path(store), {})
    with atomic_folder(store.root / FITTED_MODELS) as models:
        (models / "models.json").write_text("{}")
    claims, keys = DocumentIds(store), [_key(number) for number in range(n_shards)]
    for number, key in enumerate(keys):
        _put_input(folder, number, n_documents)
        write_raw_shard(store, _input_of(folder, key), _CORPUS, claims)
        _put_scores(store, key, settings)
    # Of a swarm that has not been trained: its batches are named in every manifest.
    batches = pl.DataFrame(schema={"proxy_batch": pl.String})
    store.write_table(store.table_path(PARAMETER_SETS), batches)
    fitted = keys[:_N_FITTED]
    write_scored_reference_pool(store, fitted)
    scored = pl.concat(store.read_table(store.table_path(SCORED_SHARDS, key)) for key in fitted)
    for name in settings.criterion_names:
        normalizer = fit_normalizer(
            "rank", scored[name].to_numpy(), scored["n_tokens"].to_numpy(), max_breakpoints=10_000
        )
        store.write_table(store.table_path(SCORE_NORMALIZERS, name), normalizer.to_frame())
    with a_theta(settings):
        fit_rule(store, settings, _MIX)
    write_made_from(store, settings, settings.mix_named(_MIX), Guards((), ()))
    loaded = read_rule(store, settings, _MIX)
    for key in keys:
        mix_shard(store, key, settings, _MIX, loaded)
    for _, work in _wave(store, settings, keys):
        work()


def _put_scores(store: Store, key: str, settings: Settings) -> None:
    write_scores(store, key, settings)
    scored = store.read_table(store.table_path(SCORED_SHARDS, key))
    write_sketch(store, key, scored, settings.score_names)
    path = store.table_path(DOMAIN_LABELS, key)
    labels, summary = store.read_table(path), store.summary(path)
    counts = dict(labels["domain"].value_counts().sort("domain").iter_rows())
    store.write_table(path, labels, {**summary, "counts": counts})


def _wave(store: Store, settings: Settings, keys: list[str]) -> Iterator[tuple[str, Any]]:
    """What a wave runs over the whole pool, by part."""
    criteria, domains = settings.score_names, settings.domain_names
    yield "checks of shards", lambda: list(check_shards(store, settings, set(keys)))
    yield "check of labels", lambda: label_coverage(store, keys)
    yield "check of new shards", lambda: shifts_of_shards(store, keys[_N_FITTED:], criteria)
    yield (
        "score report",
        lambda: ScoreReport.of(store, keys, criteria, domains, weighed=criteria),
    )
    yield "check of the normalizers", lambda: score_drift(store, keys, criteria)
    yield "check of the rule", lambda: rule_drift(store, keys, settings, _MIX)
    yield "manifest", lambda: _manifest(store, settings, keys)
    yield "links", lambda: _links(store, keys)
    yield "checks of the manifest", lambda: _checks(store, settings, keys)


def _manifest(store: Store, settings: Settings, keys: list[str]) -> None:
    write_manifest(store, settings, build_manifest(store, keys, settings, _MIX))
    keep_version(store, _MIX)
    list_headers(store, _MIX)


def _links(store: Store, keys: list[str]) -> None:
    read_links(store, _MIX)
    assets = (RAW_SHARDS, SCORED_SHARDS, DOMAIN_LABELS, mix_output(_MIX, FINAL_MIX))
    links = [
        Link(asset, key, number, f"run-{number // 100}", "2026-01-01T00:00:00+00:00", "v" * 32)
        for asset in assets
        for number, key in enumerate(keys)
    ]
    write_links(store, _MIX, "0" * 32, links)


def _checks(store: Store, settings: Settings, keys: list[str]) -> None:
    manifest = read_manifest(store, _MIX)
    changes_since(store, settings, manifest, keys)
    incomplete_entries(store, manifest, usable_shards(store, keys))
    stale_shards(store, settings.mix_named(_MIX), keys)


def _arrive(folder: Path, key: str) -> dict[str, Any]:
    """The arrival of a shard in a finished pool."""
    settings, store = load_settings(folder / "mixes.yaml"), Store(UPath(folder / "lake"))
    keys = sorted([*(path.stem for path in (store.root / RAW_SHARDS).iterdir()), key])
    seconds: dict[str, float] = {}
    read: dict[str, list[str]] = {}
    with _measured("documents and ids", seconds, read):
        write_raw_shard(store, _input_of(folder, key), _CORPUS, DocumentIds(store))
    _put_scores(store, key, settings)
    with _measured("documents of the mix", seconds, read):
        mix_shard(store, key, settings, _MIX, read_rule(store, settings, _MIX))
    for part, work in _wave(store, settings, keys):
        with _measured(part, seconds, read):
            work()
    return {"seconds": {**seconds, "total": sum(seconds.values())}, "read": read}


@contextmanager
def _measured(part: str, seconds: dict[str, float], read: dict[str, list[str]]) -> Iterator[None]:
    """CPU seconds of a part, and the shards whose tables are opened to read rows."""
    names: set[str] = set()
    plain = store_module.open_table

    def noted(path: UPath) -> Any:
        if path.stem.startswith("shard-"):
            names.add(path.stem)
        return plain(path)

    store_module.open_table = noted
    start = time.process_time()
    try:
        with one_step():
            yield
    finally:
        end = time.process_time()
        store_module.open_table = plain
    seconds[part] = end - start
    read[part] = sorted(names)


def main() -> None:
    """Measure, and print a line per number of shards and part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", type=int, nargs="+", default=[100, 1_000, 3_000])
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("key", nargs="?", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder is not None:
        print(json.dumps(_arrive(arguments.folder, arguments.key)))
        return
    first = None
    for n_shards in arguments.shards:
        found = measure_arrival(n_shards)
        others = {key for keys in found["read"].values() for key in keys} - {_key(n_shards + 1)}
        first = first or found["seconds"]["total"]
        print(
            f"{n_shards} shards: {found['seconds']['total']:.2f} s of CPU, "
            f"{found['seconds']['total'] / first:.2f} times the first, "
            f"rows of {len(others)} other shards read",
            flush=True,
        )
        for part, seconds in found["seconds"].items():
            print(f"  {part:40} {seconds:6.3f} s, rows of {len(found['read'].get(part, []))}")


if __name__ == "__main__":
    main()
