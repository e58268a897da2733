"""A lake of two small shards with every table that views read, made without training anything."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from quadmix_assets.comparison.ablations import ABLATIONS_SCHEMA
from quadmix_assets.comparison.budgets import BUDGETS_SCHEMA
from quadmix_assets.comparison.comparison_tables import ComparisonTables, write_comparison_tables
from quadmix_assets.comparison.method_table import METHODS_SCHEMA
from quadmix_assets.comparison.mix_tables import MixComparison, write_comparison
from quadmix_assets.comparison.pairs import PAIRS_SCHEMA
from quadmix_assets.comparison.published import published_results
from quadmix_assets.comparison.regressor_ablation import REGRESSORS_SCHEMA
from quadmix_assets.corpus.target_sets import PROOF, SEARCH
from quadmix_assets.evidence.language_model import MODELS_SCHEMA, models_path
from quadmix_assets.evidence.results import results_frame, results_path
from quadmix_assets.features.normalizers import NormalizerKind, fit_normalizer
from quadmix_assets.outputs import (
    CLIMB_PROXIES,
    DOMAIN_PROXIES,
    FINAL_MIX,
    NEAR_DUPLICATES,
    OPTIMUM_CHECK,
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_FIDELITY,
    PROXY_METRICS,
    PROXY_POOL,
    PROXY_READS,
    PROXY_REPEATS,
    REFINEMENT,
    SAMPLED_SUBSET,
    SCORE_NORMALIZERS,
    SELECTION_RULE,
    TARGET_OVERLAP,
    TARGET_SETS,
    VERIFICATION,
    mix_output,
)
from quadmix_assets.sampling import feature_names, hash_ids
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import put_raw, put_scored

CRITERIA, DOMAINS = ("heuristics", "importance"), ("law", "travel", "unknown")
SHARDS = ("one.jsonl", "two.jsonl")
N = 12
N_TOKENS = np.arange(1, N + 1)
LABELS = ["law", "travel", "travel"] * (N // 3)
# Mixes that take every document of a domain twice, by name.
MIXES = {"quadmix": "law", "random": "travel"}
# Of round 0 and of a round of refinement.
BATCHES = {"batch-00000": [0, 1, 2], "round-1-batch-00000": [3]}


def make_project(folder: Path, **changes: Any) -> Project:
    """A project of two criteria and three domains with an empty lake."""
    importance = {"kind": "importance", "target": "planted"}
    return Project(
        folder,
        features={
            "criteria": [{"kind": "heuristics"}, importance],
            "domains": {"kind": "fasttext", "names": list(DOMAINS[:2])},
            "near_duplicates": {"enabled": True},
        },
        **changes,
    )


def fill_lake(store: Store) -> None:
    """Write every table."""
    put_pool(store)
    put_near_duplicates(store)
    put_normalizers(store)
    put_targets(store)
    put_swarm(store)
    put_mixes(store)
    put_comparison(store)
    put_models(store)
    put_comparison_by_models(store)


def put_pool(store: Store) -> None:
    """Documents <shard>/0 to <shard>/11 of 1 to 12 tokens; shard one has a row without text."""
    random = np.random.default_rng(1)
    for shard in SHARDS:
        rows: list[dict[str, Any]] = [
            {"id": f"{shard}/{n}", "text": f"Text {n}.", "year": 2000 + n} for n in range(N)
        ]
        bad = [{"id": "bad", "text": " "}] if shard == SHARDS[0] else []
        put_raw(store, shard, rows + bad, id_column="id", carried_columns={"year": "int"})
        scores = {name: random.normal(size=N).round(1) for name in CRITERIA}
        put_scored(store, shard, scores, LABELS, N_TOKENS)


def put_near_duplicates(store: Store) -> None:
    """The first documents of both shards are near-duplicates."""
    ids = [f"{shard}/0" for shard in SHARDS]
    hashes = np.sort(hash_ids(ids))
    table = pl.DataFrame(
        {
            "id_hash": hashes,
            "cluster": np.repeat(hashes[:1], 2),
            "id": ids,
            "shard": list(SHARDS),
            "n_tokens": [9, 9],
        }
    )
    store.write_table(store.table_path(NEAR_DUPLICATES), table)


def put_normalizers(
    store: Store, kind: NormalizerKind = "rank", *, max_breakpoints: int = 100
) -> None:
    """Fit sigma to the first shard alone, so that the second one goes beyond its tables."""
    scores = store.read_table(store.table_path("scored_shards", SHARDS[0]))
    for name in CRITERIA:
        normalizer = fit_normalizer(kind, scores[name], N_TOKENS, max_breakpoints=max_breakpoints)
        store.write_table(store.table_path(SCORE_NORMALIZERS, name), normalizer.to_frame())


def put_targets(store: Store) -> None:
    """A target set, of which one evaluated document shares words with the first document."""
    for part, ids in (("fit", ["t-0"]), ("search", ["t-1"]), ("proof", ["t-2"])):
        documents = pl.DataFrame({"id": ids, "text": ["Words of a target."] * len(ids)})
        store.write_table(store.table_path(TARGET_SETS, f"planted.{part}"), documents)
    found = {"target": ["planted"], "target_id": ["t-1"], "id": [f"{SHARDS[0]}/0"], "n_runs": [3]}
    table = pl.DataFrame(found)
    store.write_table(store.table_path(TARGET_OVERLAP, SHARDS[0]), table)
    store.write_table(store.table_path(TARGET_OVERLAP, SHARDS[1]), table.clear())


def put_swarm(store: Store) -> None:
    """Thetas and proxies; proxy k takes document k of shard one twice and the next one once."""
    pool = {
        "id": [f"{SHARDS[0]}/{n}" for n in range(N)],
        "id_hash": pl.int_range(N, dtype=pl.UInt64, eager=True),
        "shard": [SHARDS[0]] * N,
        "domain": [DOMAINS.index(label) for label in LABELS],
        "n_tokens": N_TOKENS,
        **{f"sigma_{name}": np.linspace(0.1, 1.0, N) for name in CRITERIA},
    }
    store.write_table(store.path(PROXY_POOL, "documents.parquet"), pl.DataFrame(pool))
    names = feature_names(CRITERIA, DOMAINS)
    for batch, numbers in BATCHES.items():
        entries = {name: [number + k / 100 for number in numbers] for k, name in enumerate(names)}
        thetas = pl.DataFrame(
            {"theta_id": numbers, "proxy_batch": [batch] * len(numbers), **entries}
        )
        path = store.table_path(PARAMETER_SETS)
        if batch.startswith("round-1"):
            path = store.table_path(REFINEMENT, "round-1")
        store.write_table(path, thetas)
        rows = [row for n in numbers for row in ((n, n, 2), (n, n + 1, 1))]
        subset = pl.DataFrame(rows, schema=["theta_id", "document", "copies"], orient="row")
        store.write_table(store.table_path(SAMPLED_SUBSET, batch), subset)
        reads = pl.DataFrame(
            [(n, n + k, 3.0) for n in numbers for k in range(2)],
            schema={"theta_id": pl.Int32, "id_hash": pl.UInt64, "n_tokens": pl.Float64},
            orient="row",
        )
        store.write_table(store.table_path(PROXY_READS, batch), reads)
        metrics = losses({"theta_id": numbers}, [5.0 - n / 10 for n in numbers])
        version = {"version": {"recipe": batch}}
        for output in (PROXY_METRICS, PROXY_EVALUATION):
            store.write_table(store.table_path(output, batch), metrics, version)
    repeats = {"theta_id": [0, 0, 1], "seed": [0, 1, 0]}
    store.write_table(store.table_path(PROXY_REPEATS), losses(repeats, [5.0, 5.1, 4.8]))
    weights = {f"weight[{name}]": [0.5, 0.25] for name in DOMAINS}
    drawn = losses({"mixture_id": [0, 1], **weights}, [4.5, 4.6])
    store.write_table(store.table_path(DOMAIN_PROXIES), drawn)
    further = drawn.tail(1).select(pl.lit(1).alias("round"), pl.all())
    path = store.path(mix_output("climb", CLIMB_PROXIES), f"{CLIMB_PROXIES}.parquet")
    store.write_table(path, further)
    candidates = {"objective": ["planted"] * 2, "candidate": ["search", "quadmix_paper"]}
    heat = {**candidates, "heat": [1, 1], "seed": [0, 0]}
    store.write_table(store.table_path(VERIFICATION), losses(heat, [4.1, 4.3]))
    second = {"theta_id": [0, 1], "seed": [0, 0]}
    store.write_table(store.table_path(PROXY_FIDELITY), losses(second, [3.1, 3.3], PROOF))
    check = {
        "objective": ["planted"] * 4,
        "sample": ["theta*"] * 2 + ["uniform"] * 2,
        "seed": [0, 1, 0, 1],
    }
    store.write_table(store.table_path(OPTIMUM_CHECK), losses(check, [4.0, 4.2, 5.0, 5.2], PROOF))


def put_mixes(store: Store) -> None:
    """Two mixes: every document of one domain twice; the others are left out."""
    breakpoints = {"domain": [0, 0, 1], "value": [0.1, 0.2, 0.1], "share": [0.5, 1.0, 1.0]}
    calibration = pl.DataFrame({**breakpoints, "share_below": [0.0, 0.5, 0.0]})
    for name, domain in MIXES.items():
        # A method without merged scores has no such table.
        if name == "quadmix":
            rule = mix_output(name, SELECTION_RULE)
            store.write_table(store.path(rule, "calibration.parquet"), calibration)
        for shard in SHARDS:
            put_mix(store, name, domain, shard)


def put_mix(store: Store, name: str, domain: str, shard: str) -> None:
    """A mix of one shard."""
    scored = store.read_table(store.table_path("scored_shards", shard))
    labels = store.read_table(store.table_path("domain_labels", shard)).select("domain")
    decided = pl.DataFrame({"merged_score": 0.5, "rank": 0.5, "sampling_value": 2.0, "copies": 2})
    decided = pl.concat([decided] * N)
    mix = pl.concat([scored, labels, decided], how="horizontal").filter(pl.col("domain") == domain)
    counts = {
        "n_documents_in": N,
        "n_tokens_in": int(N_TOKENS.sum()),
        "n_documents_out": mix.height,
        "n_copies_out": 2 * mix.height,
        "n_tokens_out": int(2 * mix["n_tokens"].sum()),
        "max_copies": 2,
    }
    store.write_table(store.table_path(mix_output(name, FINAL_MIX), shard), mix, counts)


def put_comparison(store: Store) -> None:
    """The mixes side by side: each holds what the other one does not."""
    names, n = list(MIXES), len(MIXES)
    sizes = {"n_documents": 8, "n_copies": 16, "n_tokens": 104, "max_copies": 2}
    mixes = pl.DataFrame({"mix": names, "method": names, "version": ["0123456789ab"] * n})
    shares = {"n_documents": 8, "n_tokens": 104, "share": 0.5, "share_pool": 0.3, "epochs": 1.0}
    means = {"mean": 0.5, "mean_pool": 0.4, "deviation_pool": 0.1}
    write_comparison(
        store,
        MixComparison(
            mixes.with_columns(
                (pl.col("mix") == names[0]).alias("is_production"),
                *(pl.lit(value).alias(name) for name, value in sizes.items()),
                pl.lit(0.5).alias("epochs"),
                pl.lit(6.5).alias("tokens_per_document"),
                pl.lit(None, pl.Int64).alias("n_duplicates"),
                pl.lit(1).alias("n_target_documents"),
            ),
            pl.DataFrame({"mix": names}).join(
                pl.DataFrame({"domain": DOMAINS, **shares}), how="cross"
            ),
            pl.DataFrame({"mix": names}).join(
                pl.DataFrame({"criterion": CRITERIA, **means}), how="cross"
            ),
            pl.DataFrame({"mix": names})
            .join(pl.DataFrame({"other": names}), how="cross")
            .with_columns(
                pl.when(pl.col("mix") == pl.col("other"))
                .then(52)
                .otherwise(0)
                .alias("n_tokens_shared"),
                *(
                    (pl.col("mix") == pl.col("other")).cast(pl.Float64).alias(name)
                    for name in ("share_shared", "jaccard")
                ),
            ),
        ),
    )


def put_models(store: Store) -> None:
    """Two language models of each mix, of which the first is measured and the second failed."""
    for mix in MIXES:
        table = pl.DataFrame(
            [
                {
                    "mix": mix,
                    "budget": 1_000,
                    "seed": seed,
                    "status": status,
                    "reason": None if status == "trained" else "its loss was not finite",
                    "n_tokens": 1_000,
                    "n_tokens_mix": 500,
                    "epochs": 2.0,
                    "train_loss_nats": 4.0,
                    "n_parameters": 100_000,
                    "engine": "stack",
                    "precision": "float32",
                    "folder": f"1000_{seed}" if status == "trained" else None,
                }
                for seed, status in enumerate(("trained", "failed"))
            ],
            schema=MODELS_SCHEMA,
        )
        store.write_table(models_path(store, mix), table)
        key = {"mix": mix, "model": "language_model", "budget": 1_000, "seed": 0}
        metrics = {"loss_nats": 4.0, "bits_per_byte": 1.5}
        store.write_table(
            results_path(store, mix),
            results_frame(
                [
                    {**key, "set": which, "kind": kind, "metric": name, "value": value,
                     "standard_error": 0.1, "n": 10}
                    for which, kind in (("planted", "target"), ("riddles", "held_out"))
                    for name, value in metrics.items()
                ]
            ),
        )  # fmt: skip


def losses(
    names: Mapping[str, Any], loss_nats: Sequence[float], part: str = SEARCH
) -> pl.DataFrame:
    """What the training of models gives, one row a model, after columns that name the models."""
    return pl.DataFrame({**names, "target": ["planted"] * len(loss_nats)}).with_columns(
        pl.lit(part).alias("part"),
        pl.Series("loss_nats", loss_nats),
        pl.Series("bits_per_byte", loss_nats) / 3,
        pl.lit("trained").alias("status"),
        pl.lit(None, pl.String).alias("reason"),
        pl.lit(100).alias("n_tokens"),
        pl.lit(50).alias("n_tokens_sample"),
        pl.lit(2.0).alias("epochs"),
        pl.lit("float32").alias("precision"),
    )


def put_comparison_by_models(store: Store) -> None:
    """Two mixes of one size and one of another, compared by models."""

    def rows(schema: Mapping[str, Any], *names: dict[str, Any]) -> pl.DataFrame:
        return pl.DataFrame(list(names), schema=dict(schema))

    methods = {**METHODS_SCHEMA, "mean[objective planted]": pl.Float64}
    mixes = [
        {"mix": name, "method": name, "mean[objective planted]": 3.0 + n}
        for n, name in enumerate(MIXES)
    ]
    pair = {"sizes": "equal", "measure": "objective planted", "model": "language_model",
            "budget": 4_000, "gain": 1.0, "n_sets": 1, "n_seeds": 3}  # fmt: skip
    one, two = MIXES
    budgets = {"measure": "objective planted", "budget": 1_000, "other_budget": 4_000}
    ablation = {"option": "seed", "mix": one, "other": two, "measure": "objective planted"}
    tables = ComparisonTables(
        methods=rows(methods, *mixes),
        natural=rows(methods, {"mix": "natural", "method": "quadmix"}),
        pairs=rows(
            PAIRS_SCHEMA, {"mix": one, "other": two, **pair}, {"mix": two, "other": one, **pair}
        ),
        budgets=rows(BUDGETS_SCHEMA, budgets),
        ablations=rows(ABLATIONS_SCHEMA, ablation),
        regressors=rows(REGRESSORS_SCHEMA, {"target": "planted", "learned_from": "theta"}),
        published=published_results(),
    )
    write_comparison_tables(store, tables)
