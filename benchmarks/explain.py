"""How long it takes to find and explain a document of a large pool.

    python -m benchmarks.explain --shards 300 --documents 33334

Writes raw shards with claims of their ids, scores, labels, and the rule and the documents of one
mix, all generated; then explains documents in the mix and not in it, ids with a wrong character and
ids that are like nothing. Prints seconds of each, the first time in a fresh process and the median
of some more.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.corpus.document_ids import DocumentIds
from quadmix_assets.corpus.normalize import QUARANTINE_SCHEMA
from quadmix_assets.features.normalizers import fit_normalizer
from quadmix_assets.mix.explain import explain
from quadmix_assets.mix.explanation import ExplainedDocument
from quadmix_assets.mix.final_mix import mix_shard
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.pool import read_documents
from quadmix_assets.mix.stored_rule import read_rule, write_rule
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FITTED_MODELS,
    QUARANTINE,
    RAW_SHARDS,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    TOKENIZER,
)
from quadmix_assets.sampling import Theta, sample_parameters
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import Store

_PROFILE = "demo"
_WORDS = ("the", "mix", "of", "pool", "what", "documents", "were", "taken", "for", "text")
_REPEATS = 5


def main() -> None:
    """Write the pool, then measure in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=300)
    parser.add_argument("--documents", type=int, default=33_334, help="documents per shard")
    parser.add_argument("--lake", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    settings = load_settings(_PROFILE)
    if options.lake is not None:
        _measure(Store(UPath(options.lake)), settings, options.shards, options.documents)
        return
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        _write(Store(UPath(folder)), settings, options.shards, options.documents)
        print(
            f"{options.shards * options.documents:,} documents in {options.shards} shards written "
            f"in {time.perf_counter() - start:.0f} s"
        )
        command = [sys.executable, "-m", "benchmarks.explain", "--lake", folder]
        sizes = ["--shards", str(options.shards), "--documents", str(options.documents)]
        subprocess.run([*command, *sizes], check=True)


def _write(store: Store, settings: Settings, n_shards: int, n_documents: int) -> None:
    """A pool, and the production mix made of it with a random theta."""
    criteria, domains = settings.criterion_names, settings.domain_names
    random = np.random.default_rng(0)
    words = np.array(_WORDS)
    texts = [" ".join(random.choice(words, size=40)) for _ in range(n_documents)]
    claims = DocumentIds(store)
    for shard in _keys(n_shards):
        ids = [f"{shard}/{number:016x}" for number in random.integers(0, 2**63, n_documents)]
        raw = {"input": {"file": shard, "checksum": "0" * 32}}
        documents = pl.DataFrame({"id": ids, "text": texts})
        documents = documents.with_columns(
            source=pl.lit("generated"), n_bytes=pl.col("text").str.len_bytes().cast(pl.Int64)
        )
        store.write_table(store.table_path(RAW_SHARDS, shard), documents, raw)
        with store.table_writer(store.table_path(QUARANTINE, shard), QUARANTINE_SCHEMA):
            pass
        inputs = {"inputs": {"raw_shard": "0" * 32}}
        scores = {name: random.normal(size=n_documents) for name in criteria}
        scored = pl.DataFrame({"id": ids, "n_tokens": [100] * n_documents, **scores})
        store.write_table(store.table_path(SCORED_SHARDS, shard), scored, inputs)
        names = random.choice(np.array(domains, dtype=object), size=n_documents).astype(str)
        labels = pl.DataFrame({"id": ids, "domain": names, "confidence": [0.9] * n_documents})
        store.write_table(store.table_path(DOMAIN_LABELS, shard), labels, inputs)
        with claims.lock():
            claims.accept(shard, ids, f"{len(claims._claims):032x}")
    # As the next run that reads a shard would: it moves the claims to their index.
    with DocumentIds(store).lock():
        pass
    for name in criteria:
        sigma = fit_normalizer("rank", scores[name], scored["n_tokens"], max_breakpoints=4096)
        store.write_table(store.table_path(SCORE_NORMALIZERS, name), sigma.to_frame())
    store.write_json(store.path(TOKENIZER, "tokenizer.json"), {})
    store.write_json(store.path(FITTED_MODELS, "models.json"), {})
    mix, first = settings.production_mix, _keys(n_shards)[0]
    pool = read_documents(store, [first], settings, mix)
    drawn = sample_parameters(1, len(criteria), len(domains), seed=1, omega_max=0.5)
    theta = Theta(drawn.alpha[0], drawn.lam[0], drawn.omega[0], drawn.eta[0], drawn.epsilon[0])
    rule = ThetaRule.fit(
        pool, theta, criteria=criteria, tokens=None, seed=0, max_breakpoints=100_000
    )
    write_rule(store, mix, rule.stored(), {"expected_tokens": [], "tokens": None})
    for shard in _keys(n_shards):
        mix_shard(store, shard, settings, mix.name, read_rule(store, settings, mix.name))


def _measure(store: Store, settings: Settings, n_shards: int, n_documents: int) -> None:
    """Explain documents all over the pool, in this process for the first time."""
    keys = _keys(n_shards)
    asked = []
    for number in range(1 + _REPEATS):
        shard = keys[number * (n_shards - 1) // _REPEATS]
        ids = store.read_table(store.table_path(RAW_SHARDS, shard), ["id"])["id"]
        asked.append(str(ids[number * (n_documents - 1) // _REPEATS]))
    mix = settings.production_mix.name
    for name, wanted in {
        "a document": asked,
        "one character wrong": [f"{name[:-1]}~" for name in asked],
        "like nothing": [f"unlike-{number}" for number in range(len(asked))],
    }.items():
        seconds, n_found = [], 0
        for document_id in wanted:
            start = time.perf_counter()
            found = explain(store, settings, document_id, mix)
            seconds.append(time.perf_counter() - start)
            n_found += isinstance(found, ExplainedDocument)
        print(
            f"{name}: first {seconds[0]:.3f} s, then median {statistics.median(seconds[1:]):.3f} "
            f"s; {n_found} of {len(wanted)} found"
        )


def _keys(n_shards: int) -> list[str]:
    return [f"shard-{number:05}.parquet" for number in range(n_shards)]


if __name__ == "__main__":
    main()
