"""theta* is what was measured best, and all that follows uses it."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from quadmix_assets.mix.stored_rule import read_rule_values
from quadmix_assets.outputs import OPTIMAL_PARAMS, VERIFICATION
from quadmix_assets.sampling.theta_json import theta_from_json
from quadmix_assets.search.optimum import read_candidates, read_optimum, read_paper
from quadmix_assets.search.verification import VERIFICATION_SCHEMA, verify
from quadmix_assets.settings import load_settings
from quadmix_assets.training.loop import TrainedStack, train_on_streams
from quadmix_assets_tests.conftest import Project, write_profile


def test_heats_train_fewer_candidates_with_seeds_of_their_own(tiny: Project) -> None:
    table = tiny.store.read_table(tiny.store.table_path(VERIFICATION))
    assert dict(table.schema) == VERIFICATION_SCHEMA
    heats = table.group_by("heat", "seed").len().sort("heat", "seed").rows()
    # The second heat has one further seed, or two where noise hides what thetas differ by.
    assert heats in ([(1, 0, 4), (2, 1, 2)], [(1, 0, 4), (2, 1, 2), (2, 2, 2)])
    assert set(table["part"]) == {"search"}
    candidates, _ = read_candidates(tiny.store, tiny.settings, "planted")
    first = table.filter(heat=1)
    assert first["candidate"].to_list() == [one.name for one in candidates]
    assert not (tiny.store.root / f"{VERIFICATION}_unfinished").exists()


def test_theta_star_is_the_best_of_the_last_heat_and_follows_to_the_calibration(
    tiny: Project,
) -> None:
    table = tiny.store.read_table(tiny.store.table_path(VERIFICATION))
    last = table.filter(heat=2)["candidate"].unique()
    mean = (
        table.filter(pl.col("candidate").is_in(last.to_list()))
        .group_by("candidate")
        .agg(pl.col("loss_nats").mean())
        .sort("loss_nats")
    )
    theta, prediction = read_optimum(tiny.store, tiny.settings, "planted")
    assert prediction["candidate"] == mean["candidate"][0]
    assert prediction["measured"] == pytest.approx(mean["loss_nats"][0])
    assert prediction["measured_seeds"] == table["seed"].n_unique()
    optimism = prediction["predicted_for_other_seeds"] - prediction["measured"]
    assert prediction["optimism"] == pytest.approx(optimism)
    candidates, _ = read_candidates(tiny.store, tiny.settings, "planted")
    (won,) = (one for one in candidates if one.name == prediction["candidate"])
    assert won.theta.omega.tobytes() == theta.omega.tobytes()
    frozen = read_rule_values(tiny.store, "quadmix")["rule"]
    assert theta_from_json(frozen["theta"]).omega.tobytes() == theta.omega.tobytes()
    paper, of_paper = read_paper(tiny.store, tiny.settings, "planted")
    assert of_paper["measured_seeds"] >= 1
    (mine,) = (one for one in candidates if one.name == "quadmix_paper")
    assert paper.lam.tobytes() == mine.theta.lam.tobytes()


def test_the_ui_shows_every_candidate(tiny: Project) -> None:
    with tiny.instance() as instance:
        record = instance.fetch_materializations(dg.AssetKey(VERIFICATION), limit=1).records[0]
    assert record.asset_materialization is not None
    metadata = {name: v.value for name, v in record.asset_materialization.metadata.items()}
    _, prediction = read_optimum(tiny.store, tiny.settings, "planted")
    assert prediction["candidate"] in str(metadata["theta_star_planted"])
    assert metadata["optimism_planted"] == pytest.approx(prediction["optimism"])
    candidates, _ = read_candidates(tiny.store, tiny.settings, "planted")
    table = str(metadata["candidates_planted"]).replace("\\", "")
    assert all(one.name in table for one in candidates)


def test_measured_again_it_is_the_same_bytes(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    before = project.store.fingerprint(project.store.root / VERIFICATION)
    shutil.rmtree(Path(str(project.store.root / VERIFICATION)))
    verify(project.store, project.settings, lambda progress: None)
    assert project.store.fingerprint(project.store.root / VERIFICATION) == before


def test_a_killed_verification_trains_no_finished_stack_again(
    tiny: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tiny.copy(tmp_path / "copy")
    before = project.store.fingerprint(project.store.root / VERIFICATION)
    seen: list[int] = []

    def killed(progress: object) -> None:
        seen.append(1)
        if len(seen) == 2:  # at the end of the second heat's first report
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(project.store, project.settings, killed)
    unfinished = project.store.root / f"{VERIFICATION}_unfinished"
    done = [path for path in unfinished.iterdir() if path.name.endswith(".json")]
    assert done
    trained: list[Any] = []

    def counted(*arguments: Any, **options: Any) -> TrainedStack:
        trained.append(arguments)
        return train_on_streams(*arguments, **options)

    monkeypatch.setattr("quadmix_assets.training.train_stack.train_on_streams", counted)
    verify(project.store, project.settings, lambda progress: None)
    assert project.store.fingerprint(project.store.root / VERIFICATION) == before
    assert len(trained) <= 1, "the first heat was trained again"
    assert not unfinished.exists()


def test_a_single_candidate_is_theta_star_unmeasured(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    search = {
        **project.settings.search.model_dump(include={"n_points"}),
        "verify": {"candidates": 1},
    }
    objectives = [{"name": "planted", "targets": {"planted": 1.0}}]
    profile = write_profile(
        tmp_path / "single",
        lake=str(project.store.root),
        search={**search, "objectives": objectives},
    )
    settings = load_settings(profile)
    contests = verify(project.store, settings, lambda progress: None)
    assert project.store.n_rows(project.store.table_path(VERIFICATION)) == 0
    assert contests["planted"].ranking()["seeds"].to_list() == [0] * 4
    theta, prediction = read_optimum(project.store, settings, "planted")
    stored = project.store.read_json(project.store.path(OPTIMAL_PARAMS, "planted.json"))
    assert theta.omega.tolist() == stored["theta"]["omega"]
    assert prediction["measured"] is None
    assert prediction["predicted"] == pytest.approx(stored["candidates"][0]["predicted"])
