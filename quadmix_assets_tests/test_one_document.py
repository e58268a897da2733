"""One document followed through all of a project, by public functions and plain arithmetic."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quadmix_assets.corpus.discovery import discover
from quadmix_assets.corpus.inputs import raw_folder
from quadmix_assets.corpus.readers import read_sample
from quadmix_assets.corpus.tokenizer import count_tokens, project_tokenizer
from quadmix_assets.features.learned.fit import load_models
from quadmix_assets.features.normalize_pool import load_normalizers
from quadmix_assets.mix.explain import explain
from quadmix_assets.mix.explanation import ExplainedDocument, UnknownDocument
from quadmix_assets.mix.export import export_path
from quadmix_assets.mix.manifest import read_manifest
from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    FINAL_MIX,
    FITTED_MODELS,
    RAW_SHARDS,
    SCORED_SHARDS,
    mix_output,
)
from quadmix_assets.sampling import Theta, uniform_of_ids
from quadmix_assets.search.optimum import read_optimum
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import Project


@dataclass(frozen=True)
class Followed:
    """A document of the finished project, and everything that the lake holds beside it."""

    settings: Settings
    store: Store
    shard: str
    row: int
    pool: pl.DataFrame
    taken: pl.DataFrame

    @property
    def document(self) -> dict[str, object]:
        """Its row of the pool: id, text, n_tokens, raw scores, domain."""
        return self.pool.filter(pl.col("shard") == self.shard).row(self.row, named=True)


def pool_of(project: Project) -> pl.DataFrame:
    """All documents of the pool with texts, scores and domains, shard after shard."""
    store = project.store
    shards = sorted(read_manifest(store, project.settings.production_mix.name)["shards"])
    return pl.concat(
        [
            pl.concat(
                [
                    store.read_table(store.table_path(RAW_SHARDS, shard), ["id", "text"]),
                    store.read_table(store.table_path(SCORED_SHARDS, shard)).drop("id"),
                    store.read_table(store.table_path(DOMAIN_LABELS, shard)).drop("id"),
                ],
                how="horizontal",
            ).with_columns(shard=pl.lit(shard))
            for shard in shards
        ]
    )


def documents_of(project: Project) -> list[Followed]:
    """One document that the mix takes more than once or once, and one that it leaves out."""
    settings, store = project.settings, project.store
    asset = mix_output(settings.production_mix.name, FINAL_MIX)
    pool = pool_of(project)
    taken = pl.concat(
        store.read_table(store.table_path(asset, shard)) for shard in pool["shard"].unique().sort()
    )
    most = str(taken.sort("copies", "id", descending=[True, False])["id"][0])
    left = str(pool.join(taken, on="id", how="anti")["id"].sort()[0])
    found = []
    for document_id in (most, left):
        shard = str(pool.filter(pl.col("id") == document_id)["shard"][0])
        row = pool.filter(pl.col("shard") == shard)["id"].index_of(document_id)
        assert row is not None
        found.append(Followed(settings, store, shard, row, pool, taken))
    return found


@pytest.fixture(scope="module", params=["in the mix", "left out"])
def followed(tiny: Project, request: pytest.FixtureRequest) -> Followed:
    return documents_of(tiny)[0 if request.param == "in the mix" else 1]


def theta_of(followed: Followed) -> Theta:
    settings = followed.settings
    objective = settings.objective_of(settings.production_mix)
    return read_optimum(followed.store, settings, objective)[0]


def sigma_of(followed: Followed) -> list[float]:
    """The share of the pool's tokens in documents that score as well or better, by a plain loop."""
    shares = []
    for name in followed.settings.criterion_names:
        own = followed.document[name]
        better = total = 0
        for score, n_tokens in followed.pool.select(name, "n_tokens").iter_rows():
            total += n_tokens
            better += n_tokens * (score >= own)
        shares.append(better / total)
    return shares


def merged_of(followed: Followed, theta: Theta) -> np.ndarray:
    """Equation 1 for every document of the pool."""
    settings, pool = followed.settings, followed.pool
    sigma = np.column_stack(
        [
            normalizer.apply(pool[name].to_numpy())
            for name, normalizer in zip(
                settings.criterion_names,
                load_normalizers(followed.store, settings.criterion_names),
                strict=True,
            )
        ]
    )
    domains = [settings.domain_names.index(name) for name in pool["domain"]]
    return (sigma * theta.alpha[domains]).sum(axis=1)


def place_of(followed: Followed) -> tuple[float, float, float, float, int]:
    """Merged score, rank, S, the draw and copies, by the equations of the paper."""
    settings, pool, document = followed.settings, followed.pool, followed.document
    theta = theta_of(followed)
    domain = settings.domain_names.index(str(document["domain"]))
    merged = sum(w * s for w, s in zip(theta.alpha[domain], sigma_of(followed), strict=True))
    own = pool["id"].index_of(str(document["id"]))
    assert own is not None
    all_merged = merged_of(followed, theta)
    assert merged == pytest.approx(all_merged[own])
    n_better = n_domain = 0
    rows = zip(pool["domain"], pool["n_tokens"], all_merged, strict=True)
    for name, n_tokens, score in rows:
        if name == document["domain"]:
            n_domain += n_tokens
            n_better += n_tokens * (score <= all_merged[own])
    rank = n_better / n_domain
    # The sixth parameter is this project's extension, which the paper has as 1.
    assert np.all(theta.scale == 1)
    lam, omega, eta, epsilon = (float(values[domain]) for values in theta[1:5])
    value = epsilon
    if rank <= omega:
        value += (2 / (1 + math.exp(-lam * (omega - rank)))) ** eta
    seed = derive_seed(settings.seed_of(settings.production_mix), FINAL_MIX)
    draw = float(uniform_of_ids([str(document["id"])], seed)[0])
    copies = int(value) + (draw < value - int(value))
    return merged, rank, value, draw, copies


def test_its_text_is_that_of_the_input(followed: Followed) -> None:
    folder = raw_folder(followed.settings, followed.store)
    shards = {each.key: each for each in discover(folder, followed.settings.corpus.patterns).shards}
    sample = read_sample(shards[followed.shard].path, n_rows=1_000)
    texts = {row["id"]: row["text"] for row in sample.rows.values()}
    assert texts[followed.document["id"]] == followed.document["text"]


def test_its_tokens_scores_and_domain_are_those_of_its_text_alone(followed: Followed) -> None:
    store, settings, document = followed.store, followed.settings, followed.document
    alone = pl.DataFrame({"text": [document["text"]]})
    assert count_tokens(project_tokenizer(store), [str(document["text"])]) == [document["n_tokens"]]
    with store.local_folder(store.root / FITTED_MODELS) as folder:
        models = load_models(Path(folder), settings)
    for criterion in models.criteria:
        assert criterion.score(alone)[0] == pytest.approx(document[criterion.name])
    labelled = models.domains.classify(alone).row(0, named=True)
    assert labelled["confidence"] == pytest.approx(document["confidence"])
    assert document["domain"] in (labelled["domain"], "unknown")


def test_its_normalized_scores_are_shares_of_the_pool(followed: Followed) -> None:
    settings = followed.settings
    normalizers = load_normalizers(followed.store, settings.criterion_names)
    by_table = [
        float(normalizer.apply(np.array([followed.document[name]], dtype=np.float64))[0])
        for name, normalizer in zip(settings.criterion_names, normalizers, strict=True)
    ]
    assert sigma_of(followed) == pytest.approx(by_table)


def test_the_mix_has_it_as_the_equations_say(followed: Followed) -> None:
    merged, rank, value, _, copies = place_of(followed)
    rows = followed.taken.filter(pl.col("id") == followed.document["id"])
    assert rows.height == (1 if copies else 0)
    if copies:
        row = rows.row(0, named=True)
        assert row["copies"] == copies
        assert row["merged_score"] == pytest.approx(merged)
        assert row["rank"] == pytest.approx(rank)
        assert row["sampling_value"] == pytest.approx(value)
        assert row["n_tokens"] == followed.document["n_tokens"]


def test_the_export_holds_its_text_once_per_copy(followed: Followed) -> None:
    settings, store, document = followed.settings, followed.store, followed.document
    mix = settings.production_mix
    assert settings.export_of(mix) == "parquet"
    exported = store.read_table(export_path(store, followed.shard, mix.name, "parquet"))
    own = exported.filter(pl.col("id") == document["id"])
    assert own.height == place_of(followed)[-1]
    assert set(own["text"]) <= {document["text"]}


def test_its_explanation_says_all_of_it(followed: Followed) -> None:
    settings, store, document = followed.settings, followed.store, followed.document
    merged, rank, value, draw, copies = place_of(followed)
    mix = settings.production_mix.name
    found = explain(store, settings, str(document["id"]), mix)
    assert isinstance(found, ExplainedDocument)
    known, (one,) = found.known, found.in_mixes
    assert (known.place.shard, known.place.row) == (followed.shard, followed.row)
    assert str(document["text"]).startswith(known.excerpt)
    assert known.scores == {name: document[name] for name in settings.score_names}
    assert (known.domain, known.n_tokens) == (document["domain"], document["n_tokens"])
    assert one.sigma is not None
    assert list(one.sigma.values()) == pytest.approx(sigma_of(followed))
    assert one.merged_score == pytest.approx(merged)
    assert one.rank == pytest.approx(rank)
    assert one.sampling_value == pytest.approx(value)
    assert one.copies == one.stored_copies == copies
    assert one.why is not None
    assert one.why.curve is not None
    assert one.why.curve.place == pytest.approx(rank)
    assert any(draw == pytest.approx(number) for number in one.why.numbers.values())
    assert one.why.would_flip


def test_the_manifest_names_what_it_is_in(followed: Followed) -> None:
    settings, store = followed.settings, followed.store
    mix = settings.production_mix.name
    manifest = read_manifest(store, mix)
    entry = manifest["shards"][followed.shard]
    path = store.table_path(mix_output(mix, FINAL_MIX), followed.shard)
    assert entry["checksum"] == store.seal(path)
    assert entry["counts"]["n_documents_out"] == store.n_rows(path)
    assert manifest["totals"]["n_copies_out"] == followed.taken["copies"].sum()
    raw = store.summary(store.table_path(RAW_SHARDS, followed.shard))
    assert entry["input"]["checksum"] == raw["input"]["checksum"]


def test_a_name_like_it_leads_to_it(followed: Followed) -> None:
    document_id = str(followed.document["id"])
    for wrong in (document_id.upper(), f"{document_id}x", document_id.replace("-", "_")):
        found = explain(followed.store, followed.settings, wrong)
        assert isinstance(found, UnknownDocument)
        assert found.nearest[0] == document_id
