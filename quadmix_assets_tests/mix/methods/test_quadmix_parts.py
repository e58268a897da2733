"""quadmix_shares and quadmix_quality: each takes one part of theta* and leaves the other flat."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from quadmix_assets.features.scored_reference_pool import read_scored_reference_pool
from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.fit_rule import fit_rule
from quadmix_assets.mix.guards import guards_of
from quadmix_assets.mix.lineage import column_tree
from quadmix_assets.mix.methods.domain_rule import DomainRule
from quadmix_assets.mix.methods.quadmix_quality import QuadmixQualityMethod
from quadmix_assets.mix.methods.quadmix_shares import QuadmixSharesMethod
from quadmix_assets.mix.methods.theta_rule import ThetaRule
from quadmix_assets.mix.pool import read_documents
from quadmix_assets.sampling import Theta, uniform_of_ids
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.settings.constraints import ConstraintsSettings, DomainConstraintSettings
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.mix.methods.pools import SEED, pool_of, random_pool, tokens_of

PARTS = ("quadmix_shares", "quadmix_quality")
N_DOMAINS = 4


@pytest.fixture(scope="module")
def project(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The finished project with both parts in its settings, and its mix by quadmix."""
    project = tiny.copy(tmp_path_factory.mktemp("parts") / "copy")
    profile = yaml.safe_load(project.profile.read_text())
    sized: list[dict[str, Any]] = [
        {"method": part, "name": f"{part}_sized", "tokens": 40_000} for part in PARTS
    ]
    profile["mixes"] = ["quadmix", *PARTS, *sized]
    project.profile.write_text(yaml.safe_dump(profile))
    return project


def scored_pool(project: Project, mix: str) -> Documents:
    settings = project.settings
    shards = read_scored_reference_pool(project.store)
    return read_documents(project.store, shards, settings, settings.mix_named(mix))


def test_shares_are_those_of_theta_star_and_draws_decide_within(project: Project) -> None:
    store, settings = project.store, project.settings
    by_theta = fit_rule(store, settings, "quadmix").expected_tokens
    made = fit_rule(store, settings, "quadmix_shares")
    pool = scored_pool(project, "quadmix_shares")
    longest = int(pool.n_tokens.max())
    assert np.abs(made.expected_tokens - by_theta).max() <= longest
    assert by_theta.sum() - longest < made.expected_tokens.sum() <= by_theta.sum()
    assert isinstance(made.rule, DomainRule)
    decided = made.rule.decide(pool)
    assert decided.merged_score is None
    method = QuadmixSharesMethod(settings.mix_named("quadmix_shares"), store, settings)
    draws = uniform_of_ids(pool.id_hashes, made.rule.seed)
    for domain in range(pool.n_domains):
        members = np.flatnonzero(pool.domains == domain)
        copies = decided.copies[members[np.argsort(draws[members])]]
        assert (np.diff(copies) <= 0).all(), "an early draw is taken before a later one"
    assert len(np.unique(method.quality(pool))) == len(pool)


def test_quality_is_that_of_theta_star_and_shares_are_those_of_the_pool(project: Project) -> None:
    store, settings = project.store, project.settings
    theta, _ = read_optimum(store, settings, "planted")
    size = fit_rule(store, settings, "quadmix").expected_tokens.sum()
    made = fit_rule(store, settings, "quadmix_quality")
    pool = scored_pool(project, "quadmix_quality")
    longest = int(pool.n_tokens.max())
    assert size - longest < made.expected_tokens.sum() <= size
    goals = made.pool_tokens / made.pool_tokens.sum() * size
    # The budget of a domain ends within a document, and copies of one can differ by two.
    assert np.abs(made.expected_tokens - goals).max() <= 3 * longest
    assert isinstance(made.rule, ThetaRule)
    for name in ("alpha", "lam", "eta", "epsilon", "scale"):
        np.testing.assert_array_equal(getattr(made.rule.theta, name), getattr(theta, name))


@pytest.mark.parametrize("part", PARTS)
def test_a_number_of_tokens_is_met_to_a_document(project: Project, part: str) -> None:
    made = fit_rule(project.store, project.settings, f"{part}_sized")
    longest = int(scored_pool(project, part).n_tokens.max())
    assert 40_000 - longest < made.expected_tokens.sum() <= 40_000
    assert made.prediction is None, "the search predicted the whole of theta*"


def test_the_parts_have_the_guards_of_theta_star_and_a_lineage(project: Project) -> None:
    settings = project.settings
    for part in PARTS:
        mix = settings.mix_named(part)
        assert guards_of(settings, mix) == guards_of(settings, settings.mix_named("quadmix"))
        assert "and on verification" in column_tree(mix, settings)
    shares = column_tree(settings.mix_named("quadmix_shares"), settings)
    quality = column_tree(settings.mix_named("quadmix_quality"), settings)
    assert "merged_score" in quality
    assert "merged_score" not in shares
    assert "domain_labels.domain" in shares
    assert "scored_shards" not in shares


def test_constraints_on_domains_do_not_concern_the_pools_shares(project: Project) -> None:
    asked = ConstraintsSettings(
        mix_tokens=5_000,
        max_copies=2.0,
        max_epochs=1.5,
        domains={"law": DomainConstraintSettings(min_share=0.5)},
    )
    settings = project.settings
    limits = settings.mix_named("quadmix_quality").constrained_by(asked)
    assert limits == ConstraintsSettings(mix_tokens=5_000, max_copies=2.0)
    assert settings.mix_named("quadmix_shares").constrained_by(asked) == asked


class OfTheta(QuadmixQualityMethod):
    """The method with a theta of the test's own."""

    def __init__(self, project: Project, theta: Theta) -> None:
        settings = project.settings
        super().__init__(settings.mix_named("quadmix_quality"), project.store, settings)
        self.own = theta

    def theta(self) -> Theta:
        return self.own


@pytest.fixture
def two_criteria(tiny: Project, tmp_path: Path) -> Project:
    """Settings whose criteria are those of the small pools."""
    project = tiny.copy(tmp_path / "copy")
    profile = yaml.safe_load(project.profile.read_text())
    profile["features"]["criteria"] = [
        {"kind": "column", "name": name, "column": "planted_quality"} for name in ("fine", "coarse")
    ]
    profile["mixes"] = ["quadmix_quality"]
    profile["production"] = "quadmix_quality"
    project.profile.write_text(yaml.safe_dump(profile))
    return project


def theta_of(omega: list[float], *, epsilon: float = 0.0, scale: float = 1.0) -> Theta:
    return Theta(
        alpha=np.tile([1.0, 0.0], (N_DOMAINS, 1)),
        lam=np.full(N_DOMAINS, 5.0),
        omega=np.array(omega),
        eta=np.full(N_DOMAINS, 0.5),
        epsilon=np.full(N_DOMAINS, epsilon),
        scale=np.full(N_DOMAINS, scale),
    )


def test_a_domain_that_theta_leaves_out_gets_its_share_of_the_pool(two_criteria: Project) -> None:
    pool = random_pool(4_000)
    tokens = int(0.3 * pool.n_tokens.sum())
    theta = theta_of([0.9, 0.0, 0.01, 0.3])
    rule = OfTheta(two_criteria, theta).fit(pool, tokens=tokens, seed=SEED)
    taken = pool.tokens_per_domain(rule.decide(pool).copies)
    goals = tokens * pool.tokens_per_domain() / pool.n_tokens.sum()
    assert np.abs(taken - goals).max() <= 3 * pool.n_tokens.max()
    copies, fine = rule.decide(pool).copies, pool.score("fine")
    for domain in range(N_DOMAINS):
        members = pool.domains == domain
        assert fine[members & (copies > 0)].min() > fine[members & (copies == 0)].max()


def test_a_small_domain_that_epsilon_fills_stops_nothing(two_criteria: Project) -> None:
    pool = pool_of(
        [10] * 500 + [400],
        [0] * 500 + [1],
        {"fine": range(501), "coarse": [1] * 501},
    )
    theta = theta_of([0.5, 0.5, 0.5, 0.5], epsilon=0.01)
    seed = next(s for s in range(999) if uniform_of_ids(pool.id_hashes, s)[-1] < 0.01)
    rule = OfTheta(two_criteria, theta).fit(pool, tokens=1_000, seed=seed)
    assert rule.decide(pool).copies[-1] == 1
    assert 990 < tokens_of(rule, pool) <= 1_000


def test_more_than_theta_can_take_of_a_domain_is_told(two_criteria: Project) -> None:
    pool = random_pool(500)
    method = OfTheta(two_criteria, theta_of([0.5] * 4))
    with pytest.raises(ValueError, match=r"of the domain 'domain0', of which theta takes [\d,]+ a"):
        method.fit(pool, tokens=2 * int(pool.n_tokens.sum()), seed=SEED)
    more = OfTheta(two_criteria, theta_of([0.5] * 4, scale=4.0))
    rule = more.fit(pool, tokens=2 * int(pool.n_tokens.sum()), seed=SEED)
    assert 1.9 < tokens_of(rule, pool) / pool.n_tokens.sum() <= 2
