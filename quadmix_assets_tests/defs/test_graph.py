"""The whole graph on a small planted corpus, compared with what the method says it must be."""

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.features.scored_documents import read_scored
from quadmix_assets.mix.manifest import manifest_path, read_manifest, table_in_lake
from quadmix_assets.mix.stored_rule import read_rule_values
from quadmix_assets.outputs import (
    CATALOG,
    FINAL_MIX,
    MIX_COMPARISON,
    MIX_EXPORT,
    MIX_LINKS,
    MIX_MANIFEST,
    MIX_VERSIONS,
    PROXY_METRICS,
    PROXY_SECONDS,
    RAW_SHARDS,
    REPORT,
    RULE_MADE_FROM,
    SAMPLED_SUBSET,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets.sampling import (
    draw_copies,
    merge_scores,
    rank_within_domains,
    sampling_value,
)
from quadmix_assets.sampling.theta_json import theta_from_json
from quadmix_assets.seeds import derive_seed
from quadmix_assets.whole_graph import graph_of
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.s3 import BUCKET, s3_server

# Sixteen proxies of some thousand tokens cannot tell one theta from another.
OF_TOO_SMALL_A_SWARM = {
    "regressor_learned_something",
    "targets_tell_thetas_apart",
    "theta_star_beats_the_swarm",
    "mix_beats_random",
    "directions_are_plausible",
}
SHARDS = ("shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst")


DOCUMENTS = mix_output("quadmix", FINAL_MIX)
RULE = mix_output("quadmix", SELECTION_RULE)


def final_mix(project: Project, shards: tuple[str, ...] = SHARDS) -> pl.DataFrame:
    store = project.store
    return pl.concat(store.read_table(store.table_path(DOCUMENTS, shard)) for shard in shards)


def test_every_asset_is_materialised(tiny: Project) -> None:
    _, partitions = graph_of(tiny.definitions())
    registered = {"shard": set(SHARDS), "proxy_batch": {"batch-00000", "batch-00001"}}
    with tiny.instance() as instance:
        assert set(instance.get_dynamic_partitions("shard")) == registered["shard"]
        for asset, kind in partitions.items():
            key = dg.AssetKey.from_user_string(asset)
            if kind is not None:
                assert instance.get_materialized_partitions(key) == registered[kind], asset
            else:
                assert instance.get_latest_materialization_event(key), asset


def test_events_of_shards_are_small_and_columns_are_described(tiny: Project) -> None:
    graph = tiny.definitions().resolve_asset_graph()
    described = dict(graph.get(dg.AssetKey.from_user_string(DOCUMENTS)).metadata)
    names = [column.name for column in described["dagster/column_schema"].columns]
    assert names == final_mix(tiny).columns
    with tiny.instance() as instance:
        for asset in (DOCUMENTS, RAW_SHARDS, "scored_shards"):
            key = dg.AssetKey.from_user_string(asset)
            records = instance.fetch_materializations(key, limit=3).records
            shown = records[0].asset_materialization
            assert shown is not None
            if asset == DOCUMENTS:
                sizes = [len(dg.serialize_value(each.event_log_entry)) for each in records]
                assert max(sizes) <= 3_000, "the last of a run too"
            else:
                assert {"first_rows", "dagster/column_schema"} <= shown.metadata.keys()


def test_documents_are_neither_lost_nor_doubled(tiny: Project) -> None:
    store = tiny.store
    ids = pl.concat(
        store.read_table(store.table_path(RAW_SHARDS, shard), ["id"]) for shard in SHARDS
    )
    assert ids["id"].n_unique() == ids.height == tiny.settings.corpus.planted.n_documents


def test_final_mix_is_what_equations_1_to_3_say(tiny: Project) -> None:
    """The mix, from scores and theta* alone, ranked exactly and in one piece."""
    settings, store = tiny.settings, tiny.store
    pool = read_scored(store, SHARDS, settings.criterion_names, settings.domain_names)
    theta = theta_from_json(read_rule_values(store, "quadmix")["rule"]["theta"])
    sigma = pool.sigma(load_normalizers(store, settings.criterion_names))
    merged = merge_scores(sigma, pool.domains, theta.alpha)
    ranks = rank_within_domains(merged, pool.domains, pool.n_tokens)
    values = sampling_value(ranks, pool.domains, theta.lam, theta.omega, theta.eta, theta.epsilon)
    copies = draw_copies(values, pool.ids.to_list(), derive_seed(settings.seed, FINAL_MIX))
    expected = pl.DataFrame({"id": pool.ids, "rank": ranks, "copies": copies}).filter(
        pl.col("copies") > 0
    )
    mix = final_mix(tiny)
    assert mix["id"].to_list() == expected["id"].to_list()
    assert mix["copies"].to_list() == expected["copies"].to_list()
    np.testing.assert_array_equal(mix["rank"].to_numpy(), expected["rank"].to_numpy())


def test_export_repeats_texts_by_copies(tiny: Project) -> None:
    store = tiny.store
    for shard in SHARDS:
        mix = store.read_table(store.table_path(DOCUMENTS, shard))
        texts = dict(store.read_table(store.table_path(RAW_SHARDS, shard), ["id", "text"]).rows())
        export = store.read_table(store.table_path(mix_output("quadmix", MIX_EXPORT), shard))
        expected = [
            (document, texts[document])
            for document, copies in mix.select("id", "copies").rows()
            for _ in range(copies)
        ]
        assert export.rows() == expected


def test_sampled_subset_is_what_the_public_functions_give(tiny: Project) -> None:
    settings, store = tiny.settings, tiny.store
    documents = pl.read_parquet(str(store.path("proxy_pool", "documents.parquet")))
    sigma = documents.select(f"sigma_{name}" for name in settings.criterion_names).to_numpy()
    domains, tokens = documents["domain"].to_numpy(), documents["n_tokens"].to_numpy()
    from quadmix_assets.proxies.parameter_sets import read_batch

    for batch in ("batch-00000", "batch-00001"):
        subset = store.read_table(store.table_path(SAMPLED_SUBSET, batch))
        for number, theta in read_batch(store, settings, batch).items():
            ranks = rank_within_domains(merge_scores(sigma, domains, theta.alpha), domains, tokens)
            values = sampling_value(
                ranks, domains, theta.lam, theta.omega, theta.eta, theta.epsilon
            )
            copies = draw_copies(
                values,
                documents["id"].to_list(),
                derive_seed(settings.seed, f"{SAMPLED_SUBSET}:{number}"),
            )
            rows = subset.filter(pl.col("theta_id") == number)
            assert rows["document"].to_list() == np.flatnonzero(copies).tolist()
            assert rows["copies"].to_list() == copies[copies > 0].tolist()


def test_manifest_adds_up_and_names_every_input(tiny: Project) -> None:
    store = tiny.store
    manifest = read_manifest(store, "quadmix")
    mix = final_mix(tiny)
    assert manifest["totals"]["n_documents_out"] == mix.height
    assert manifest["totals"]["n_tokens_out"] == (mix["n_tokens"] * mix["copies"]).sum()
    assert manifest["totals"]["n_documents_in"] == tiny.settings.corpus.planted.n_documents
    per_domain = dict(zip(manifest["domains"], manifest["n_tokens_out_per_domain"], strict=True))
    counted = mix.group_by("domain").agg((pl.col("n_tokens") * pl.col("copies")).sum())
    assert {k: v for k, v in per_domain.items() if v} == dict(counted.rows())
    assert set(manifest["shards"]) == set(SHARDS)
    assert manifest["stale_shards"] == {}
    for shard, entry in manifest["shards"].items():
        assert entry["checksum"] == store.seal(store.table_path(DOCUMENTS, shard))
        assert entry["input"]["file"] == shard
    assert manifest["settings"]["parameters"]["n"] == tiny.settings.parameters.n
    assert manifest["packages"]["polars"] == pl.__version__
    assert manifest["objective"] == "planted"
    assert manifest["guards"]["accepted"] == ["regressor_learned_something"]
    for asset in ("target_sets", "parameter_sets", "regressor", "optimal_params", "verification"):
        assert manifest["made_from"][asset] == store.fingerprint(store.root / asset)
    assert set(manifest["made_from"][PROXY_METRICS]) == {"batch-00000", "batch-00001"}
    assert manifest["optimum_check"] == store.fingerprint(store.table_path("optimum_check"))
    assert manifest["git"] is None or len(manifest["git"]["commit"]) == 40


def test_tables_that_made_the_mix_lie_beside_the_manifest(tiny: Project) -> None:
    store = tiny.store
    manifest = read_manifest(store, "quadmix")
    assert len(manifest["tables"]) == len(tiny.settings.criterion_names) + 2
    for name, checksum in manifest["tables"].items():
        assert store.fingerprint(table_in_lake(store, "quadmix", name)) == checksum
        copy = store.root / mix_output("quadmix", MIX_MANIFEST) / name
        assert store.fingerprint(copy) == checksum


def test_checks_passed(tiny: Project) -> None:
    graph = tiny.definitions().resolve_asset_graph()
    with tiny.instance() as instance:
        failed = set()
        for key in graph.asset_check_keys:
            history = instance.event_log_storage.get_asset_check_execution_history(key, 1)
            assert history, f"{key} was not made"
            if history[0].status.value != "SUCCEEDED":
                failed.add(key.name)
    assert failed <= OF_TOO_SMALL_A_SWARM


def test_summary_names_places_and_numbers(tiny: Project) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "quadmix_assets.cli", "--profile", str(tiny.profile), "summary"],
        capture_output=True,
        text=True,
        check=True,
    )
    for words in ("mix ", "manifest", "plots", "tokens", "which won the verification"):
        assert words in result.stdout
    for sample in ("  theta*", "best of the first round of proxies", "random documents"):
        assert sample in result.stdout
    assert "checks failed" not in result.stdout, "the profile has no instance of its own"


def test_summary_repeats_every_failed_check(tiny: Project) -> None:
    with tiny.instance():
        result = subprocess.run(
            [sys.executable, "-m", "quadmix_assets.cli", "--profile", str(tiny.profile), "summary"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert "ERROR  regressor: regressor_learned_something" in result.stdout
    assert "train more proxies" in result.stdout


@pytest.mark.slow
def test_same_bytes_again_with_other_workers(tiny: Project, tmp_path: Path) -> None:
    again = Project(tmp_path, proxies={"n_workers": 2, "stack_size": 4})
    assert again.run()
    folders = {path.name for path in tiny.store.root.iterdir()} - {"mixes"}
    folders |= {f"mixes/quadmix/{p.name}" for p in (tiny.store.root / "mixes/quadmix").iterdir()}
    # The manifest holds the settings, and so does the recipe in the footers of proxy_metrics, which
    # the record of what the rule was made from holds fingerprints of; links hold runs and
    # times, which are never the same, and the views of the catalog the lake's path.
    of_mix = (MIX_MANIFEST, RULE_MADE_FROM, MIX_LINKS, MIX_VERSIONS)
    differing = {PROXY_METRICS, PROXY_SECONDS, CATALOG, MIX_COMPARISON, REPORT}
    differing |= {mix_output("quadmix", what) for what in of_mix}
    for name in sorted(folders - differing):
        first, second = tiny.store.root / name, again.store.root / name
        assert tiny.store.fingerprint(first) == again.store.fingerprint(second), name
    for batch in ("batch-00000", "batch-00001"):
        path = tiny.store.table_path(PROXY_METRICS, batch)
        other = again.store.table_path(PROXY_METRICS, batch)
        assert tiny.store.read_table(path).equals(again.store.read_table(other))


@pytest.mark.slow
def test_mix_does_not_depend_on_how_documents_are_spread(tiny: Project, tmp_path: Path) -> None:
    planted = {**tiny.settings.corpus.planted.model_dump(), "n_shards": 2}
    regrouped = Project(tmp_path, corpus={"planted": planted})
    assert regrouped.run()
    columns = ["id", "copies", "rank", "sampling_value", "domain"]
    shards = ("shard-00000.parquet", "shard-00001.jsonl.gz")
    first = final_mix(tiny).select(columns).sort("id")
    second = final_mix(regrouped, shards).select(columns).sort("id")
    assert first.equals(second)


@pytest.mark.slow
def test_lake_on_object_storage(tiny: Project, tmp_path: Path) -> None:
    """The same graph with its lake on S3, byte for byte."""
    with s3_server():
        remote = Project(tmp_path, lake=f"s3://{BUCKET}/lake")
        assert remote.run()
        for name in ("tokenizer", "scored_shards", "proxy_pool", RULE, DOCUMENTS):
            assert remote.store.fingerprint(remote.store.root / name) == tiny.store.fingerprint(
                tiny.store.root / name
            ), name


def test_manifest_is_json_without_nan(tiny: Project) -> None:
    path = manifest_path(tiny.store, "quadmix")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    json.loads(path.read_text(), parse_constant=refuse)
