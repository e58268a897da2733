"""The space of the settings, and what of the planted corpus it can reach."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quadmix_assets.corpus.planted import TARGET_BLEND
from quadmix_assets.sampling import Parameters
from quadmix_assets.search.constraints import Constraints, InfeasibleError, make_constraints
from quadmix_assets.search.space import make_space
from quadmix_assets.search.strategies.base import Predict, Prediction
from quadmix_assets.search.strategies.cma_es import cma_es
from quadmix_assets.settings import Settings, load_settings
from quadmix_assets_tests.conftest import Project, write_profile

# A mix as large as a tenth of the pool.
_BUDGET_SHARE = 0.1


def settings_with(tiny: Project, folder: Path, **sections: Any) -> Settings:
    """The tiny project's settings with some of them changed, for the same lake."""
    return load_settings(write_profile(folder, lake=str(tiny.store.root), **sections))


def distance_to(blend: np.ndarray, constraints: Constraints) -> Predict:
    """How far the domains (M,) of mixes are from a blend, as a share of their tokens."""

    def distance(thetas: Parameters) -> Prediction:
        tokens = constraints.tokens(thetas)
        shares = tokens / tokens.sum(axis=1, keepdims=True)
        gap = np.abs(shares - blend).sum(axis=1) / 2
        return Prediction(gap, np.zeros(len(gap)))

    return distance


def test_without_constraints_there_are_none(tiny: Project) -> None:
    space = make_space(tiny.store, tiny.settings)
    assert space.constraints is None
    assert space.n_tokens.sum() > 200_000, "of the whole pool, not of its sample"


def test_settings_become_limits_of_their_domains(tiny: Project, tmp_path: Path) -> None:
    settings = settings_with(
        tiny,
        tmp_path,
        search={
            "constraints": {
                "max_copies": 1.5,
                "max_epochs": 3.0,
                "domains": {
                    "law": {"share": 0.2},
                    "sports": {"off": True},
                    "travel": {"min_share": 0.1, "max_share": 0.3, "max_epochs": 1.0},
                },
                "criteria_off": ["heuristics"],
            }
        },
    )
    m = len(settings.domain_names)
    found = make_constraints(settings, np.full(m, 1_000.0))
    assert found is not None
    at = settings.domain_names.index
    assert found.max_epochs.tolist() == [1.0 if k == at("travel") else 3.0 for k in range(m)]
    assert (found.min_share[at("law")], found.max_share[at("law")]) == (0.2, 0.2)
    assert (found.min_share[at("travel")], found.max_share[at("travel")]) == (0.1, 0.3)
    assert found.domains_off.tolist() == [k == at("sports") for k in range(m)]
    assert found.criteria_off.tolist() == [c == "heuristics" for c in settings.criterion_names]
    assert found.max_copies == 1.5


def test_a_small_domain_can_take_a_large_share_only_with_a_scale(
    tiny: Project, tmp_path: Path
) -> None:
    """Half of the planted target is astronomy, which is a sixteenth of the pool.

    In the paper's space a mix holds less than 2 x 0.1 of a domain's tokens.
    """
    whole = make_space(tiny.store, tiny.settings).n_tokens
    budget = round(_BUDGET_SHARE * whole.sum())
    asked = {
        "mix_tokens": budget,
        "domains": {name: {"min_share": share * 0.9} for name, share in TARGET_BLEND.items()},
    }
    papers = settings_with(
        tiny, tmp_path, parameters={"omega_max": 0.1}, search={"constraints": asked}
    )
    with pytest.raises(InfeasibleError, match=r"has min_share .*omega_max 0\.1 \(S is 2 at most\)"):
        make_space(tiny.store, papers)
    extended = settings_with(
        tiny,
        tmp_path,
        parameters={"omega_max": 0.1, "scale_max": 16.0},
        search={"constraints": asked},
    )
    space = make_space(tiny.store, extended)
    assert space.constraints is not None
    tokens = space.constraints.tokens(space.draw(20, seed=0))
    np.testing.assert_allclose(tokens.sum(axis=1), budget, rtol=1e-6)
    names = extended.domain_names
    for name, share in TARGET_BLEND.items():
        assert (tokens[:, names.index(name)] >= 0.9 * share * budget * (1 - 1e-6)).all()


def test_a_search_gets_nearer_to_the_planted_blend_with_a_scale(
    tiny: Project, tmp_path: Path
) -> None:
    """The distance between a mix's domains and the target's, searched in both spaces."""
    whole = make_space(tiny.store, tiny.settings).n_tokens
    budget = round(_BUDGET_SHARE * whole.sum())
    distances = []
    for scale_max in (1.0, 16.0):
        settings = settings_with(
            tiny,
            tmp_path,
            parameters={"omega_max": 0.1, "scale_max": scale_max},
            search={"constraints": {"mix_tokens": budget}},
        )
        space = make_space(tiny.store, settings)
        assert space.constraints is not None
        blend = np.array([TARGET_BLEND.get(name, 0.0) for name in settings.domain_names])
        distance = distance_to(blend, space.constraints)
        result = cma_es(distance, space, n_points=3_000, top=10, seed=0, caution=0.0)
        distances.append(result.predicted)
    papers, extended = distances
    # All that the paper's space can take of the good domains, as a share of the budget.
    good = [settings.domain_names.index(name) for name in TARGET_BLEND]
    reachable = np.minimum(0.2 * whole[good] / budget, [TARGET_BLEND[n] for n in TARGET_BLEND])
    assert papers >= 1 - reachable.sum() - 1e-3
    assert extended < papers / 2
