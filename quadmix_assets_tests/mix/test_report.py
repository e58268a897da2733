import re
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import yaml

from quadmix_assets.corpus.target_sets import SEARCH
from quadmix_assets.mix.loss_lines import check_lines
from quadmix_assets.mix.manifest import read_manifest, write_manifest
from quadmix_assets.mix.report import FailedCheck, failed_checks_text, summary_text
from quadmix_assets.outputs import OPTIMUM_CHECK, PROXY_METRICS
from quadmix_assets.search.intervals import Mean
from quadmix_assets.search.objective import Objective
from quadmix_assets.search.optimum_check import CheckResult, read_check
from quadmix_assets.settings import SettingsError
from quadmix_assets_tests.conftest import Project


def lines_with(text: str, words: str) -> list[str]:
    return [line for line in text.splitlines() if words in line]


def cells(line: str) -> list[str]:
    """The columns of a line, which two spaces or more lie between."""
    return re.split(r" {2,}", line.strip())


def shown(mean: Mean) -> str:
    return f"{mean.value:.3f} ± {mean.high - mean.value:.3f}"


def test_numbers_are_those_of_the_manifest(tiny: Project) -> None:
    text = summary_text(tiny.settings, tiny.store)
    manifest = read_manifest(tiny.store, "quadmix")
    totals = sum(manifest["n_tokens_out_per_domain"])
    found = []
    for domain, n_tokens in zip(
        manifest["domains"], manifest["n_tokens_out_per_domain"], strict=True
    ):
        (line,) = lines_with(text, f"  {domain} ")
        assert line.split()[-1] == f"{n_tokens / totals:.1%}"
        found.append((text.index(line), -n_tokens))
    assert [n for _, n in sorted(found)] == sorted(n for _, n in found), "largest first"


def test_theta_star_is_shown_beside_what_it_has_to_beat(tiny: Project) -> None:
    text = summary_text(tiny.settings, tiny.store)
    check = read_check(tiny.store, tiny.settings, "planted")
    names = {
        "theta*": "theta*",
        "quadmix_paper": "the paper's search (quadmix_paper)",
        "best of the first round": "best of the first round of proxies",
        str(check.best_criterion): "the best criterion",
        "uniform": "random documents",
    }
    places = []
    for sample, words in names.items():
        (line,) = [line for line in lines_with(text, f"{words}  ") if line.startswith("  ")]
        places.append(text.index(line))
        _, *numbers = cells(line)
        same = sample in check.same_as_theta_star
        measured = "theta*" if same else sample
        assert f"{check.mean(measured, SEARCH).value:.3f}" in numbers
        assert shown(check.mean(measured)) in numbers
        if same:
            assert numbers[-1] == "the same"
        elif sample != "theta*":
            assert numbers[-1] == shown(check.gain_over(sample).gain)
        if measured in check.predicted:
            assert numbers[0] == f"{check.predicted[measured]:.3f}"
    assert places == sorted(places), "theta* first, random documents last"
    # Paths are as long as they are.
    assert max(len(line) for line in text.splitlines() if "/" not in line) <= 100
    candidate = read_manifest(tiny.store, "quadmix")["prediction"]["candidate"]
    assert f"theta* is '{candidate}'" in " ".join(text.split())


def made_up_check(gain: float, of_criterion: float) -> CheckResult:
    """theta* at 3 nats, random documents worse by `gain`, a criterion by `of_criterion`."""
    values = {"theta*": 3.0, "uniform": 3.0 + gain, "best by taste": 3.0 + of_criterion}
    losses = {name: {0: value, 1: value + 0.1} for name, value in values.items()}
    objective = Objective("planted", "nats", {"planted": 1.0}, 0.0)
    return CheckResult(objective, losses, losses, {"theta*": 2.5}, ("quadmix_paper",), 12_345.0)


def test_the_share_of_the_best_criterion_is_told_where_there_is_a_gain() -> None:
    prediction = {"candidate": "search (cma_es)"}
    text = "\n".join(check_lines(made_up_check(2.0, 0.5), prediction))
    words = " ".join(text.split())
    assert "taste alone has 75% of the gain of theta* over random documents" in words
    assert "mixes of equal size (12,000 tokens)" in words
    assert "it is the same as the paper's search (quadmix_paper)" in words
    assert cells(lines_with(text, "random documents  ")[0]) == [
        "random documents",
        "5.050",
        "5.050 ± 0.316",
        "2.000 ± 0.000",
    ]
    assert "of the gain" not in "\n".join(check_lines(made_up_check(-1.0, 0.5), prediction))


def test_a_failed_training_is_called_so() -> None:
    check = made_up_check(2.0, 0.5)
    check = replace(check, on_search={}, on_proof={**check.on_proof, "uniform": {}})
    text = "\n".join(check_lines(check, {"candidate": "theta 3"}))
    assert cells(lines_with(text, "random documents  ")[0])[1:] == ["failed"] * 3
    assert "nan" not in text and "inf" not in text


def test_before_the_check_theta_star_stands_beside_the_swarm(tiny: Project, tmp_path: Path) -> None:
    store = tiny.copy(tmp_path / "copy").store
    store.table_path(OPTIMUM_CHECK).unlink()
    text = summary_text(tiny.settings, store)
    prediction = read_manifest(store, "quadmix")["prediction"]
    metrics = pl.concat(
        store.read_table(store.table_path(PROXY_METRICS, f"batch-{n:05d}")) for n in range(2)
    )
    expected = {
        f"theta* ({prediction['candidate']}), predicted": prediction["predicted_for_other_seeds"],
        "best of 16 proxies": metrics["loss_nats"].min(),
        "mean of the proxies": metrics["loss_nats"].mean(),
    }
    for words, loss in expected.items():
        (line,) = lines_with(text, words)
        assert line.split()[-1] == f"{loss:.4f}"


def with_a_second_mix(project: Project, folder: Path) -> Project:
    """A copy of a project with a second mix, which is made of the same documents."""
    copy = project.copy(folder)
    profile = yaml.safe_load(copy.profile.read_text())
    names = [{"method": "quadmix"}, {"method": "quadmix", "name": "second", "export": "none"}]
    copy.profile.write_text(yaml.safe_dump(profile | {"mixes": names, "production": "quadmix"}))
    mixes = Path(str(copy.store.root)) / "mixes"
    for what in ("selection_rule", "final_mix"):
        shutil.copytree(mixes / "quadmix" / what, mixes / "second" / what)
    manifest = {**read_manifest(copy.store, "quadmix"), "mix": "second", "export": "none"}
    write_manifest(copy.store, copy.settings, manifest)
    return copy


def test_a_mix_is_named_with_its_own_places(tiny: Project, tmp_path: Path) -> None:
    project = with_a_second_mix(tiny, tmp_path / "copy")
    settings, store = project.settings, project.store
    text = summary_text(settings, store)
    assert "quadmix (method quadmix, in production)" in text
    assert lines_with(text, "export  ")
    other = summary_text(settings, store, mix="second")
    assert "second (method quadmix)" in other
    assert lines_with(other, "documents")[0].endswith("mixes/second/final_mix")
    assert not lines_with(other, "export  ")
    with pytest.raises(SettingsError, match="no mix 'third'; .* are: quadmix, second"):
        summary_text(settings, store, mix="third")


def test_of_other_thetas_the_prediction_stands_beside_theta_star(
    tiny: Project, tmp_path: Path
) -> None:
    project = with_a_second_mix(tiny, tmp_path / "copy")
    store = project.store
    manifest = {**read_manifest(store, "second"), "prediction": {"predicted": 1.25}}
    write_manifest(store, project.settings, manifest)
    text = summary_text(project.settings, store, mix="second")
    (line,) = lines_with(text, "theta of this mix, predicted for 'planted'")
    assert line.split()[-1] == "1.2500"
    assert "random documents" in text
    # A method without a theta.
    write_manifest(store, project.settings, {**manifest, "rule": {"seed": 1}, "prediction": None})
    text = summary_text(project.settings, store, mix="second")
    assert "predicted" not in text and "random documents" not in text


def test_what_was_left_out_as_duplicates_is_told(tiny: Project, tmp_path: Path) -> None:
    assert "near-duplicates" not in summary_text(tiny.settings, tiny.store)
    store = tiny.copy(tmp_path / "copy").store
    dropped = {"n_documents": 1_200, "n_tokens": 34_000}
    manifest = {**read_manifest(store, "quadmix"), "dropped_duplicates": dropped}
    write_manifest(store, tiny.settings, manifest)
    assert "better documents: 1,200 documents, 34,000 tokens" in summary_text(tiny.settings, store)


def test_every_place_that_is_named_is_there(tiny: Project) -> None:
    text = summary_text(tiny.settings, tiny.store)
    places = [line.rsplit(maxsplit=1)[-1] for line in text.splitlines() if "/" in line]
    assert len(places) == 4
    assert all(Path(place).exists() for place in places)


def test_accepted_guards_come_before_all_numbers(tiny: Project, tmp_path: Path) -> None:
    text = summary_text(tiny.settings, tiny.store)
    (line,) = lines_with(text, "accepted: ")
    assert "regressor_learned_something. The mix is a guess" in line
    assert text.index("accepted: ") < text.index("tokens  ")
    assert "train more proxies (parameters.n)" in " ".join(text.split())

    store = tiny.copy(tmp_path / "copy").store
    manifest = {**read_manifest(store, "quadmix"), "guards": {"failed": [], "accepted": []}}
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
