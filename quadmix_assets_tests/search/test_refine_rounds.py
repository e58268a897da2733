"""Rounds of refinement: what is proposed, what is kept, and what an interruption costs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from quadmix_assets.outputs import (
    MERGED_RANKS,
    OPTIMAL_PARAMS,
    PROXY_METRICS,
    PROXY_POOL,
    REFINEMENT,
    REGRESSOR,
    SAMPLED_SUBSET,
    UNFINISHED_REFINEMENT,
)
from quadmix_assets.proxies.evidence import read_evidence
from quadmix_assets.proxies.parameter_sets import (
    batch_names,
    n_rounds,
    read_parameter_sets,
    write_parameter_sets,
)
from quadmix_assets.sampling import Parameters
from quadmix_assets.sampling.theta_json import theta_from_json
from quadmix_assets.search import refine_rounds
from quadmix_assets.search.acquisitions.base import Known
from quadmix_assets.search.find import find_optima
from quadmix_assets.search.fit import (
    fit_target_regressors,
    load_regressors,
    make_regressor_inputs,
    measured_inputs,
    objective_predictor,
)
from quadmix_assets.search.objective import Objective, objective_losses
from quadmix_assets.search.optimum import write_optimum
from quadmix_assets.search.refine import propose
from quadmix_assets.search.refine_rounds import (
    RefinementSummary,
    RoundsProgress,
    refine,
    refinement_version,
)
from quadmix_assets.search.space import make_space
from quadmix_assets.search.support import make_support
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import RefineSettings, Settings
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import change_output

FIRST = ["round-1-batch-00000", "round-1-batch-00001"]
SECOND = ["round-2-batch-00000", "round-2-batch-00001"]


class KilledError(Exception):
    """What ends a refinement in the middle."""


def settings_of(project: Project, rounds: int) -> Settings:
    """Rounds of 12 thetas, in batches of 8 and 4."""
    settings = project.settings
    wanted = RefineSettings(rounds=rounds, share=0.75)
    search = settings.search.model_copy(update={"refine": wanted})
    return settings.model_copy(update={"search": search})


def run(
    project: Project, rounds: int, further: int = 0, heard: list[RoundsProgress] | None = None
) -> RefinementSummary:
    hear = heard.append if heard is not None else lambda progress: None
    return refine(project.store, settings_of(project, rounds), further, hear)


def files(project: Project, *outputs: str) -> dict[str, bytes]:
    root = Path(str(project.store.root))
    return {
        str(path.relative_to(root)): path.read_bytes()
        for output in outputs or (REFINEMENT, MERGED_RANKS, SAMPLED_SUBSET, PROXY_METRICS)
        for path in sorted((root / output).iterdir())
    }


@pytest.fixture(scope="module")
def heard() -> list[RoundsProgress]:
    return []


@pytest.fixture(scope="module")
def after_one(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = tiny.copy(tmp_path_factory.mktemp("one") / "copy")
    assert run(project, 1).trained == tuple(FIRST)
    return project


@pytest.fixture(scope="module")
def after_two(
    after_one: Project,
    tmp_path_factory: pytest.TempPathFactory,
    heard: list[RoundsProgress],
) -> Iterator[Project]:
    project = after_one.copy(tmp_path_factory.mktemp("two") / "copy")
    summary = run(project, 2, heard=heard)
    assert (summary.trained, summary.kept) == (tuple(SECOND), tuple(FIRST))
    yield project


def as_the_stored_search_proposes(project: Project, number: int) -> Parameters:
    """Round `number`, from regressors and optima that are stored and read again."""
    settings, store = settings_of(project, number), project.store
    evidence, space = read_evidence(store, settings), make_space(store, settings)
    inputs_of = make_regressor_inputs(store, settings)
    fit_target_regressors(store, settings, evidence, inputs_of)
    regressors = load_regressors(store, settings)
    optima = {}
    for name, found in find_optima(settings, evidence, space, regressors, inputs_of).items():
        write_optimum(store, settings, name, found, [])
        stored = store.read_json(store.path(OPTIMAL_PARAMS, f"{name}.json"))
        optima[name] = Parameters.stack([theta_from_json(stored["theta"])])
    support = make_support(settings, evidence, inputs_of, space.n_tokens)
    known = [
        Known(
            predict=objective_predictor(
                Objective.of(wanted, evidence.metrics), regressors, inputs_of, support
            ),
            optimum=optima[wanted.name],
            trained=evidence.parameters,
            inputs=measured_inputs(store, settings, evidence, inputs_of),
            measured=objective_losses(evidence.metrics, wanted),
            inputs_of=inputs_of,
        )
        for wanted in settings.objectives
    ]
    return propose(
        known,
        space,
        settings.search.refine.acquisition,
        n=12,
        explore=0.3,
        seed=derive_seed(settings.seed, f"refinement:{number}") % 2**31,
        start=settings.search.n_points,
    )


def test_thetas_are_those_of_the_search_on_the_losses_so_far(
    tiny: Project, after_one: Project, after_two: Project, tmp_path: Path
) -> None:
    _, thetas = read_parameter_sets(after_two.store, after_two.settings)
    assert len(thetas) == 16 + 12 + 12
    for number, before in ((1, tiny), (2, after_one)):
        expected = as_the_stored_search_proposes(before.copy(tmp_path / str(number)), number)
        first = 16 + 12 * (number - 1)
        found = thetas[np.arange(first, first + 12)]
        np.testing.assert_array_equal(found.as_features(), expected.as_features())


def test_regressors_learn_from_all_rounds_and_the_search_is_not_touched(
    tiny: Project, after_two: Project
) -> None:
    evidence = read_evidence(after_two.store, after_two.settings)
    assert np.unique(evidence.rounds, return_counts=True)[1].tolist() == [16, 12, 12]
    assert evidence.n_stale == 0
    outputs = (REGRESSOR, OPTIMAL_PARAMS)
    assert files(after_two, *outputs) == files(tiny, *outputs)


def test_progress_is_told_over_all_rounds(heard: list[RoundsProgress], after_two: Project) -> None:
    shares = [progress.share_done for progress in heard]
    assert shares == sorted(shares)
    # The first round was there: half of the work, then 8 of 24 proxies and 4 of 24 more.
    ends = [progress for progress in heard if progress.training.eta_seconds == 0.0]
    assert [round(progress.share_done, 3) for progress in ends] == [round(20 / 24, 3), 1.0]
    assert str(ends[0]).startswith("round 2 of 2, batch 1 of 2, 83% done, ETA ")
    # Four proxies of the eight that it just trained are left.
    assert ends[0].eta_seconds == pytest.approx(
        ends[0].training.n_tokens / ends[0].training.tokens_per_second / 2
    )
    assert ends[1].eta_seconds == 0.0


@pytest.mark.parametrize("killed_at", [FIRST[1], SECOND[0]])
def test_an_interrupted_refinement_goes_on_and_gives_the_same_bytes(
    tiny: Project, after_two: Project, tmp_path: Path, killed_at: str
) -> None:
    project = tiny.copy(tmp_path / "copy")
    trained: list[str] = []
    train = refine_rounds.train_batch

    def until_killed(store: object, settings: object, batch: str, tell: object) -> None:
        if batch == killed_at and not trained.count(batch):
            trained.append(batch)
            raise KilledError
        trained.append(batch)
        train(store, settings, batch, tell)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refine_rounds, "train_batch", until_killed)
        with pytest.raises(KilledError):
            run(project, 2)
        summary = run(project, 2)
    everything = [*FIRST, *SECOND]
    assert trained == sorted([*everything, killed_at]), "nothing was trained twice"
    assert list(summary.trained) == everything[everything.index(killed_at) :]
    assert files(project) == files(after_two)
    assert refinement_version(project.store) == refinement_version(after_two.store)


def test_nothing_is_done_where_nothing_is_asked_for(tiny: Project, after_two: Project) -> None:
    before = files(after_two)
    for rounds in (0, 1, 2):
        summary = run(after_two, rounds)
        assert (summary.n_rounds, summary.trained) == (2, ())
    assert files(after_two) == before
    summary = run(tiny, 0)
    assert (summary.n_rounds, summary.trained, summary.kept) == (0, (), ())
    assert n_rounds(tiny.store) == 0
    assert not (tiny.store.root / REFINEMENT).exists()


def test_a_further_round_comes_on_top_and_once_though_interrupted(
    after_one: Project, after_two: Project, tmp_path: Path
) -> None:
    project = after_one.copy(tmp_path / "copy")

    train = refine_rounds.train_batch

    def before_the_first(*_: object) -> None:
        raise KilledError

    def after_the_last(store: object, settings: object, batch: str, tell: object) -> None:
        train(store, settings, batch, tell)  # type: ignore[arg-type]
        if batch == SECOND[-1]:
            raise KilledError

    for killed in (before_the_first, after_the_last):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(refine_rounds, "train_batch", killed)
            with pytest.raises(KilledError):
                run(project, 0, further=1)
    assert run(project, 0, further=1).n_rounds == 2
    assert files(project) == files(after_two)
    assert not (project.store.root / UNFINISHED_REFINEMENT).exists()


def test_rounds_stay_with_thetas_drawn_again_and_go_with_other_ones_or_another_pool(
    after_two: Project, tmp_path: Path
) -> None:
    project = after_two.copy(tmp_path / "copy")
    store, settings = project.store, project.settings
    write_parameter_sets(store, settings)
    assert n_rounds(store) == 2
    write_parameter_sets(store, settings.model_copy(update={"seed": settings.seed + 1}))
    assert n_rounds(store) == 0
    assert read_parameter_sets(store, settings)[0].height == 16
    write_parameter_sets(store, settings)
    assert n_rounds(store) == 2
    change_output(store, PROXY_POOL, "axes.json")
    assert n_rounds(store) == 0


def test_losses_of_another_recipe_are_measured_again_for_the_same_thetas(
    after_one: Project, tmp_path: Path
) -> None:
    project = after_one.copy(tmp_path / "copy")
    settings = settings_of(project, 1)
    training = settings.proxies.training.model_copy(update={"learning_rate": 1e-3})
    proxies = settings.proxies.model_copy(update={"training": training})
    before = files(project, REFINEMENT)
    summary = refine(
        project.store,
        settings.model_copy(update={"proxies": proxies}),
        0,
        lambda progress: None,
    )
    assert summary.trained == tuple(batch_names(project.store, 1)) == tuple(FIRST)
    assert files(project, REFINEMENT) == before
