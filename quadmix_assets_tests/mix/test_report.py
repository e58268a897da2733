from pathlib import Path

import polars as pl
import pytest

from quadmix_assets.mix.manifest import read_manifest, write_manifest
from quadmix_assets.mix.report import FailedCheck, failed_checks_text, summary_text
from quadmix_assets.outputs import PROXY_METRICS, RANDOM_COMPARISON
from quadmix_assets.search.optimum_check import read_check
from quadmix_assets_tests.conftest import Project


def lines_with(text: str, words: str) -> list[str]:
    return [line for line in text.splitlines() if words in line]


def test_numbers_are_those_of_manifest_and_proxies(tiny: Project) -> None:
    store = tiny.store
    text = summary_text(tiny.settings, store)
    manifest = read_manifest(store)
    metrics = pl.concat(
        store.read_table(store.table_path(PROXY_METRICS, f"batch-{n:05d}")) for n in range(2)
    )
    expected = {
        f"theta* ({manifest['prediction']['candidate']}), predicted": manifest["prediction"][
            "predicted_for_other_seeds"
        ],
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


def test_theta_star_is_shown_beside_what_it_has_to_beat(tiny: Project) -> None:
    text = summary_text(tiny.settings, tiny.store)
    check = read_check(tiny.store, tiny.settings, "planted")
    for sample in ("theta*", "quadmix_paper", "best of the first round"):
        (line,) = [line for line in lines_with(text, f"  {sample} ") if "predicted" not in line]
        if sample in check.same_as_theta_star:
            assert line.endswith("the same as theta*")
        else:
            assert f"{check.mean(sample)}" in line
        if sample in check.on_proof and sample != "theta*":
            assert line.endswith(str(check.gain_over(sample).gain))
    (line,) = lines_with(text, "best single criterion")
    assert str(check.best_criterion) in line
    (line,) = lines_with(text, "random documents")
    assert str(check.mean("uniform")) in line


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


def test_accepted_guards_come_before_all_numbers(tiny: Project, tmp_path: Path) -> None:
    text = summary_text(tiny.settings, tiny.store)
    (line,) = lines_with(text, "accepted: ")
    assert "regressor_learned_something. The mix is a guess" in line
    assert text.index("accepted: ") < text.index("documents")
    assert "train more proxies (parameters.n)" in " ".join(text.split())

    store = tiny.copy(tmp_path / "copy").store
    manifest = {**read_manifest(store), "guards": {"failed": [], "accepted": []}}
    write_manifest(store, tiny.settings, manifest)
    assert "accepted: " not in summary_text(tiny.settings, store)


def test_failed_checks_are_repeated_with_their_words_errors_first(tiny: Project) -> None:
    words = "one of many words, " * 20 + "the last of them"
    failed = [
        FailedCheck("a", "warned", "WARN", "it may be wrong"),
        FailedCheck("b", "wrong", "ERROR", words),
    ]
    text = failed_checks_text(failed)
    assert "2 checks failed:" in text
    assert text.index("ERROR  b: wrong") < text.index("WARN   a: warned")
    assert words in " ".join(text.split())
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "1 check failed:" in failed_checks_text(failed[:1])
    assert failed_checks_text([]) == ""
    assert summary_text(tiny.settings, tiny.store, failed).endswith(text)
