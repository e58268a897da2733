"""A lake with two finished mixes, a target set and a held-out set, made without the graph."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.corpus.overlap import SCHEMA, TargetRuns
from quadmix_assets.corpus.target_tables import write_target_tables
from quadmix_assets.corpus.tokenizer import project_tokenizer, tokenizer_path, train_tokenizer
from quadmix_assets.evidence.held_out import write_held_out_tables
from quadmix_assets.evidence.overlap import searched_texts, searched_versions
from quadmix_assets.outputs import RAW_SHARDS, TARGET_OVERLAP
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets.store import Store, carded_file
from quadmix_assets_tests.conftest import write_profile
from quadmix_assets_tests.finished_mixes import Row, put_mix
from quadmix_assets_tests.lakes import put_raw, write_lines

SHARDS = ("a", "b")
WORDS = [f"{start}{end}" for start in ("stone", "river", "cloud", "ember") for end in "aeiou"]
N_DOCUMENTS = 30
# Documents of the target set and the held-out set that stand in the pool, as `<shard>-<number>`.
TARGET_IN_POOL, HELD_OUT_IN_POOL = "a-3", "b-5"


def text_of(rng: np.random.Generator, n_words: int = 24) -> str:
    return " ".join(rng.choice(WORDS, n_words))


def pool_texts() -> dict[str, str]:
    """The texts of the pool by id."""
    rng = np.random.default_rng(0)
    return {f"{shard}-{n}": text_of(rng) for shard in SHARDS for n in range(N_DOCUMENTS)}


def question(rng: np.random.Generator) -> dict[str, Any]:
    choices = [str(word) for word in rng.choice(WORDS, 3, replace=False)]
    return {
        "question": f"{text_of(rng, 9)}?",
        "choices": choices,
        "answer": int(rng.integers(0, 3)),
    }


def write_small_lake(folder: Path, **evidence: Any) -> tuple[Settings, Store]:
    """A profile and its lake, up to what language models need.

    The mix `all` takes every document, `half` those with an even number, twice.
    """
    rng = np.random.default_rng(7)
    pool = pool_texts()
    targets = [{"text": pool[TARGET_IN_POOL]}, *({"text": text_of(rng)} for _ in range(40))]
    write_lines(folder / "target.jsonl", targets)
    held_out = [{"text": pool[HELD_OUT_IN_POOL]}, *({"text": text_of(rng)} for _ in range(20))]
    write_lines(folder / "held_out.jsonl", held_out)
    write_lines(folder / "questions.jsonl", [question(rng) for _ in range(12)])
    profile = write_profile(
        folder,
        corpus={
            "source": "files",
            "raw": "raw",
            "carried_columns": {"topic": "string"},
            "max_target_overlap": 0.1,
        },
        targets=[{"name": "planted", "path": "target.jsonl", "fit_share": 0.2}],
        features={
            "domains": {"kind": "column", "column": "topic", "names": ["law", "cooking"]},
            "criteria": [{"kind": "heuristics"}],
        },
        mixes=[{"method": "random", "name": name, "tokens": 1_000} for name in ("all", "half")],
        proxies={"max_target_tokens": 400},
        evidence={
            "enabled": True,
            "budgets": [512, 2_048],
            "n_seeds": 2,
            "model": {"architecture": "tiny", "context": 32, "batch_windows": 4},
            "held_out": [
                {"name": "stories", "path": "held_out.jsonl"},
                {"name": "quiz", "path": "questions.jsonl", "format": "mmlu"},
            ],
            **evidence,
        },
    )
    settings = load_settings(profile)
    store = Store(settings.resolve(settings.lake))
    for shard in SHARDS:
        rows = [{"id": id_, "text": text} for id_, text in pool.items() if id_.startswith(shard)]
        put_raw(store, shard, rows)
    with carded_file(tokenizer_path(store)) as file:
        tokenizer = train_tokenizer([*pool.values()], vocab_size=320)
        file.write(tokenizer.to_str().encode())
    put_sets(store, settings)
    everything = {shard: [row(store, id_, 1) for id_ in _ids(shard)] for shard in SHARDS}
    put_mix(store, "all", everything)
    half = {shard: [row(store, id_, 2) for id_ in _ids(shard)[::2]] for shard in SHARDS}
    put_mix(store, "half", half)
    return settings, store


def put_sets(store: Store, settings: Settings) -> None:
    """Make target sets and held-out sets, and look for them in the pool."""
    tokenizer = project_tokenizer(store)
    write_target_tables(store, settings, tokenizer)
    write_held_out_tables(store, settings, tokenizer)
    runs = TargetRuns.of(searched_texts(store, settings))
    for shard in SHARDS:
        documents = store.read_table(store.table_path(RAW_SHARDS, shard))
        found = pl.concat(
            [pl.DataFrame(schema=SCHEMA), runs.found_in(documents["id"], documents["text"])]
        )
        versions: Mapping[str, str] = searched_versions(store, settings)
        store.write_table(store.table_path(TARGET_OVERLAP, shard), found, {"inputs": versions})


def row(store: Store, id_: str, copies: int) -> Row:
    n_tokens = len(project_tokenizer(store).encode(pool_texts()[id_]).ids)
    return Row(id_, "law", n_tokens, 0.0, 0.0, copies)


def _ids(shard: str) -> list[str]:
    return [f"{shard}-{n}" for n in range(N_DOCUMENTS)]
