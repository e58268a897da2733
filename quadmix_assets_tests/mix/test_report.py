from pathlib import Path

import polars as pl
import pytest

from quadmix_assets.mix.report import summary_text
from quadmix_assets.outputs import MIX_MANIFEST, PROXY_METRICS, RANDOM_COMPARISON
from quadmix_assets_tests.conftest import Project


def lines_with(text: str, words: str) -> list[str]:
    return [line for line in text.splitlines() if words in line]


def test_numbers_are_those_of_manifest_and_proxies(tiny: Project) -> None:
    store = tiny.store
    text = summary_text(tiny.settings, store)
    manifest = store.read_json(store.path(MIX_MANIFEST, "mix_manifest.json"))
    metrics = pl.concat(
        store.read_table(store.table_path(PROXY_METRICS, f"batch-{n:05d}")) for n in range(2)
    )
    expected = {
        "theta*, predicted": manifest["prediction"]["predicted"],
        "best of 16 proxies": metrics["loss_nats"].min(),
        "mean of the proxies": metrics["loss_nats"].mean(),
    }
    for words, loss in expected.items():
        (line,) = lines_with(text, words)
        assert line.split()[-1] == f"{loss:.4f}"
    totals = sum(manifest["n_tokens_out_per_domain"])
    shown = []
    for domain, n_tokens in zip(
        manifest["domains"], manifest["n_tokens_out_per_domain"], strict=True
    ):
        (line,) = lines_with(text, f"  {domain} ")
        assert line.split()[-1] == f"{n_tokens / totals:.1%}"
        shown.append((text.index(line), -n_tokens))
    assert [n for _, n in sorted(shown)] == sorted(n for _, n in shown), "largest first"


def test_every_place_that_is_named_is_there(tiny: Project) -> None:
    text = summary_text(tiny.settings, tiny.store)
    places = [line.rsplit(maxsplit=1)[-1] for line in text.splitlines() if "/" in line]
    assert len(places) == 4
    assert all(Path(place).exists() for place in places)


def test_comparison_is_a_mean_over_the_seeds_that_were_trained(
    tiny: Project, tmp_path: Path
) -> None:
    store = tiny.copy(tmp_path / "copy").store
    path = store.table_path(RANDOM_COMPARISON)
    rows = [
        ("final mix", 0, 2.0),
        ("final mix", 1, 3.0),
        ("random mix", 0, None),
        ("random mix", 1, 4.0),
    ]
    losses = pl.DataFrame(rows, schema=["mix", "seed", "loss_nats"], orient="row").with_columns(
        target=pl.lit("planted"),
        status=pl.when(pl.col("loss_nats").is_null())
        .then(pl.lit("failed"))
        .otherwise(pl.lit("trained")),
    )
    store.write_table(path, losses)
    text = summary_text(tiny.settings, store)
    (line,) = lines_with(text, "final mix, planted")
    assert line.split()[-1] == "2.5000"
    assert "mean of 2 seeds" in line
    (line,) = lines_with(text, "random mix, planted")
    assert line.split()[-1] == "4.0000"
    assert "mean of 1 seeds" in line

    store.write_table(path, losses.filter(pl.col("status") == "failed"))
    assert lines_with(summary_text(tiny.settings, store), "random mix") == []


@pytest.mark.parametrize("lost", [RANDOM_COMPARISON])
def test_comparison_may_be_missing(tiny: Project, tmp_path: Path, lost: str) -> None:
    store = tiny.copy(tmp_path / "copy").store
    store.table_path(lost).unlink()
    text = summary_text(tiny.settings, store)
    assert "random mix" not in text
    assert "best of 16 proxies" in text
