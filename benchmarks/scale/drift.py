"""What both drift checks of a large pool cost the first time, and what shards keep for them.

    python -m benchmarks.scale.drift --documents 1000000 10000000 100000000 --folder pools

A made-up pool of 3 criteria and 26 domains in shards of 100,000 documents; normalizers and rule are
fitted on its first 5 shards, so that all others are new to both. Of each shard the sketch of its
scores is made, as when it is scored, and its counts, as when the mix decides on it; with `--copied`
only of the first shards, and the others get copies of theirs under their own seals. Then a pool of
each size is checked for the first time, and once more. CPU seconds of this process.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from upath import UPath

from benchmarks.mixes import a_theta
from benchmarks.scale.measured import peak_mib
from benchmarks.scale.pool import CRITERIA, DOMAIN_NAMES, generate_pool
from quadmix_assets.corpus.tokenizer import tokenizer_path
from quadmix_assets.features.normalize_pool import fit_normalizers
from quadmix_assets.features.score_drift import score_drift, write_sketch
from quadmix_assets.features.scored_documents import version_of_scored
from quadmix_assets.features.scored_reference_pool import write_scored_reference_pool
from quadmix_assets.features.tallies import tally
from quadmix_assets.mix.fit_rule import fit_rule
from quadmix_assets.mix.pool import read_documents
from quadmix_assets.mix.rule_counts import RuleCounter, counts_path, made_from, rule_key
from quadmix_assets.mix.rule_drift import rule_drift
from quadmix_assets.mix.stored_rule import read_rule
from quadmix_assets.outputs import (
    FITTED_MODELS,
    RULE_SUMMARY,
    SCORE_DRIFT,
    SCORE_SKETCHES,
    SCORED_SHARDS,
    mix_output,
)
from quadmix_assets.settings import PROFILES_FOLDER, NormalizerSettings, Settings, load_settings
from quadmix_assets.store import Store, atomic_folder, write_kept

_MIX = "quadmix"
_PER_SHARD = 100_000
_N_FITTED = 5


def settings_of(folder: Path) -> Settings:
    """A profile of the pool's criteria and domains, with one mix."""
    profile = yaml.safe_load((PROFILES_FOLDER / "demo.yaml").read_text())
    profile["corpus"]["carried_columns"] = {**dict.fromkeys(CRITERIA, "float"), "topic": "string"}
    profile["features"]["criteria"] = [
        {"kind": "column", "name": name, "column": name, "larger_is_better": True}
        for name in CRITERIA
    ]
    profile["features"]["domains"] = {
        "kind": "column",
        "column": "topic",
        "names": list(DOMAIN_NAMES),
    }
    profile["mixes"] = [{"method": "quadmix"}]
    profile["production"] = _MIX
    path = folder / "drift.yaml"
    path.write_text(yaml.safe_dump(profile))
    return load_settings(path)


def fit(store: Store, settings: Settings, shards: Sequence[str]) -> None:
    """Fit normalizers and the rule on the first shards."""
    store.write_json(tokenizer_path(store), {})
    with atomic_folder(store.root / FITTED_MODELS) as models:
        (models / "models.json").write_text("{}")
    write_scored_reference_pool(store, shards)
    fit_normalizers(store, shards, CRITERIA, NormalizerSettings())
    with a_theta(settings):
        fit_rule(store, settings, _MIX)


def keep(store: Store, settings: Settings, shards: Sequence[str]) -> tuple[float, float, float]:
    """Make what shards keep for the checks.

    Returns:
        CPU seconds of the sketches, of the counts, and of deciding on the documents, which a mix
        does anyway.
    """
    loaded, mix = read_rule(store, settings, _MIX), settings.mix_named(_MIX)
    key = rule_key(loaded.fingerprints, settings.domain_names)
    sketches = counts = deciding = 0.0
    for shard in shards:
        scored = store.read_table(store.table_path(SCORED_SHARDS, shard), ["n_tokens", *CRITERIA])
        start = time.process_time()
        write_sketch(store, shard, scored, CRITERIA)
        sketched = time.process_time()
        documents = read_documents(store, [shard], settings, mix, normalizers=loaded.normalizers)
        made = loaded.decide(documents)
        decided = time.process_time()
        table = tally(RuleCounter.of(loaded.rule).count(documents, made))
        version = version_of_scored(store, shard)
        write_kept(store, counts_path(store, _MIX, shard), table, made_from(key, version))
        counts += time.process_time() - decided
        deciding += decided - sketched
        sketches += sketched - start
    return sketches, counts, deciding


def copy(store: Store, settings: Settings, shards: Sequence[str], n_made: int) -> None:
    """Give all but the first shards what the first ones keep, so that it counts as their own."""
    loaded = read_rule(store, settings, _MIX)
    key = rule_key(loaded.fingerprints, settings.domain_names)
    for number, shard in enumerate(shards[n_made:]):
        model = shards[number % n_made]
        seal = store.seal(store.table_path(SCORED_SHARDS, shard))
        sketch = store.table_path(SCORE_SKETCHES, model)
        of_shard = {**store.summary(sketch)["made_from"], "scored": seal}
        write_kept(
            store, store.table_path(SCORE_SKETCHES, shard), store.read_table(sketch), of_shard
        )
        counts = store.read_table(counts_path(store, _MIX, model))
        version = version_of_scored(store, shard)
        write_kept(store, counts_path(store, _MIX, shard), counts, made_from(key, version))


def check(store: Store, settings: Settings, shards: Sequence[str]) -> tuple[float, float]:
    """Run both checks; returns the CPU seconds of that of the normalizers and that of the rule."""
    start = time.process_time()
    found = score_drift(store, shards, CRITERIA)
    middle = time.process_time()
    of_rule = rule_drift(store, shards, settings, _MIX)
    end = time.process_time()
    bound = max(drift.max_error for drift in found.values())
    largest = max(drift.distance for drift in found.values())
    print(f"  drift of scores {largest:.5f}, more by at most {bound:.5f}")
    largest = max(of_rule.by_domain.values())
    print(f"  drift of ranks {largest:.5f}, more by at most {of_rule.max_error:.5f}")
    return middle - start, end - middle


def main() -> None:
    """Measure, and print a line per part and size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--folder", type=Path, help="of a pool, which is kept and made if missing")
    parser.add_argument("--copied", type=int, metavar="N", help="shards that keep their own")
    parser.add_argument("--unprepared", action="store_true", help="shards have kept nothing yet")
    arguments = parser.parse_args()
    n_shards = max(max(arguments.documents) // _PER_SHARD, _N_FITTED)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        store = Store(UPath(folder / "lake"))
        shards = sorted(path.stem for path in (store.root / SCORED_SHARDS).glob("*.parquet"))
        if len(shards) < n_shards:
            shards = generate_pool(folder / "lake", n_shards * _PER_SHARD, n_shards)
        settings = settings_of(folder)
        fit(store, settings, shards[:_N_FITTED])
        primed = store.root / mix_output(_MIX, RULE_SUMMARY)
        if not arguments.unprepared:
            n_made = min(arguments.copied or n_shards, n_shards)
            spent = np.array(keep(store, settings, shards[:n_made])) / n_made * 1_000
            copy(store, settings, shards[:n_shards], n_made)
            print(
                f"per shard of {_PER_SHARD:,} documents: sketch {spent[0]:.0f} ms, counts "
                f"{spent[1]:.0f} ms, beside {spent[2]:.0f} ms of reading and deciding",
                flush=True,
            )
        for n_documents in arguments.documents:
            for total in (store.root / SCORE_DRIFT, primed):
                store.remove_folder(total)
            pool = shards[: n_documents // _PER_SHARD]
            print(f"{n_documents:,} documents, {len(pool)} shards")
            for what in ("the first time", "again"):
                of_scores, of_rule = check(store, settings, pool)
                both, peak = of_scores + of_rule, peak_mib() / 2**10
                print(
                    f"  {what}: normalizers {of_scores:.2f} s, rule {of_rule:.2f} s, "
                    f"together {both:.2f} s of CPU, peak {peak:.2f} GiB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
