"""The demo as its user runs it: does it find the truth that was planted?"""

import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from upath import UPath

from quadmix_assets.corpus.planted import TARGET_BLEND
from quadmix_assets.mix.manifest import read_manifest
from quadmix_assets.outputs import FINAL_MIX, RAW_SHARDS, mix_output
from quadmix_assets.search.optimum_check import THETA_STAR, UNIFORM, best_by, read_check
from quadmix_assets.settings import load_settings
from quadmix_assets.store import Store


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    """The lake of `quadmix --profile demo run`, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    environment = {
        **os.environ,
        "QUADMIX_LAKE": str(folder / "lake"),
        "DAGSTER_HOME": str(folder / "dagster"),
    }
    (folder / "dagster").mkdir()
    result = subprocess.run(
        [sys.executable, "-m", "quadmix_assets.cli", "--profile", "demo", "run"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-5_000:]
    return Store(UPath(folder / "lake")), result.stdout


def read_all(store: Store, asset: str, columns: list[str]) -> pl.DataFrame:
    paths = sorted((store.root / asset).glob("*.parquet"))
    return pl.concat(store.read_table(path, columns) for path in paths)


@pytest.mark.slow
def test_demo_is_of_the_promised_size(demo: tuple[Store, str]) -> None:
    store, _ = demo
    pool = read_all(store, RAW_SHARDS, ["id", "planted_domain"])
    assert pool.height == 20_000
    assert pool["planted_domain"].n_unique() >= 8
    assert len(list((store.root / RAW_SHARDS).glob("*.parquet"))) >= 8


@pytest.mark.slow
def test_planted_good_domains_go_up(demo: tuple[Store, str]) -> None:
    store, _ = demo
    manifest = read_manifest(store, "quadmix")
    tokens_in = np.array(manifest["n_tokens_in_per_domain"])
    tokens_out = np.array(manifest["n_tokens_out_per_domain"])
    share_in = dict(zip(manifest["domains"], tokens_in / tokens_in.sum(), strict=True))
    share_out = dict(zip(manifest["domains"], tokens_out / tokens_out.sum(), strict=True))
    good = sorted(TARGET_BLEND)
    assert sum(share_out[d] for d in good) > 1.5 * sum(share_in[d] for d in good)
    heaviest = max(TARGET_BLEND, key=lambda domain: TARGET_BLEND[domain])
    assert share_out[heaviest] > 1.5 * share_in[heaviest]
    others = [d for d in manifest["domains"] if d not in good]
    assert sum(share_out[d] for d in others) < sum(share_in[d] for d in others)


@pytest.mark.slow
def test_planted_bad_quality_goes_down(demo: tuple[Store, str]) -> None:
    store, _ = demo
    pool = read_all(store, RAW_SHARDS, ["planted_quality"])["planted_quality"].to_numpy()
    documents = read_all(store, RAW_SHARDS, ["id", "planted_quality"])
    mix = read_all(store, mix_output("quadmix", FINAL_MIX), ["id", "copies"]).join(
        documents, on="id", validate="1:1"
    )
    quality, copies = mix["planted_quality"].to_numpy(), mix["copies"].to_numpy()
    assert np.average(quality, weights=copies) > pool.mean() + 0.15
    bad_before = (pool < 0.25).mean()
    bad_after = np.average(quality < 0.25, weights=copies)
    assert bad_after < bad_before / 2


@pytest.mark.slow
def test_theta_star_beats_random_and_the_first_round_where_nothing_was_chosen(
    demo: tuple[Store, str],
) -> None:
    store, _ = demo
    check = read_check(store, load_settings("demo"), "planted")
    assert check.mean(THETA_STAR).seeds == 8
    assert check.gain_over(UNIFORM).is_better
    assert check.passed, check.in_words()
    assert check.best_criterion == best_by("importance")


@pytest.mark.slow
def test_demo_ends_with_places_and_a_table(demo: tuple[Store, str]) -> None:
    store, printed = demo
    for words in (
        str(store.root / mix_output("quadmix", FINAL_MIX)),
        "mix_manifest.json",
        "plots",
        "tokens",
    ):
        assert words in printed
    for words in ("theta*  ", "quadmix_paper", "importance alone", "best of the first round"):
        assert words in printed
    assert "of the gain of theta* over random documents" in " ".join(printed.split())
