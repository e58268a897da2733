from typing import Any

import numpy as np
import polars as pl
import pytest

from quadmix_assets.proxies.archive import OldBatch
from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.sampling import PoolIndex, sample_parameters
from quadmix_assets.search.regressor_inputs import MixtureInputs, PoolDocuments
from quadmix_assets.search.reuse import Reused, nothing_reused, reuse

CRITERIA, DOMAINS, TARGETS = ["a", "b"], ["law", "food", "news"], ["chat", "exams"]
RNG = np.random.default_rng(0)
N = 300
SIGMA, OF_DOMAIN = RNG.random((N, 2)), RNG.integers(0, 3, N)
TOKENS = RNG.integers(50, 500, N)
HASHES = RNG.integers(0, 2**63, N).astype(np.uint64)
INPUTS_OF = MixtureInputs.of(PoolIndex.build(SIGMA, OF_DOMAIN, TOKENS, 3), CRITERIA, DOMAINS)
DOCUMENTS = PoolDocuments.of(
    {"id_hash": HASHES, "domain": OF_DOMAIN, "sigma_a": SIGMA[:, 0], "sigma_b": SIGMA[:, 1]},
    CRITERIA,
)


def make_metrics(losses: dict[int, tuple[float | None, float | None]]) -> pl.DataFrame:
    rows: list[dict[str, Any]] = [
        {
            "theta_id": theta_id,
            "target": target,
            "loss_nats": loss,
            "status": "failed" if loss is None else "trained",
            "n_tokens_sample": 10_000 + theta_id,
        }
        for theta_id, of_theta in losses.items()
        for target, loss in zip(TARGETS, of_theta, strict=True)
    ]
    return pl.DataFrame(rows)


def make_evidence(losses: dict[int, tuple[float | None, float | None]]) -> Evidence:
    thetas = sample_parameters(len(losses), 2, 3, seed=0)
    ids = np.array(list(losses))
    return Evidence(make_metrics(losses), ids, np.zeros(len(ids), int), thetas, 0, 0)


def make_reads(
    of: dict[int, list[int]], *, strangers: dict[int, float] | None = None
) -> pl.DataFrame:
    """Proxies that read whole documents of the pool, and tokens of one that it does not hold."""
    rows = [(k, HASHES[d], float(TOKENS[d])) for k, documents in of.items() for d in documents]
    rows += [(k, np.uint64(7), tokens) for k, tokens in (strangers or {}).items()]
    schema = {"theta_id": pl.Int32, "id_hash": pl.UInt64, "n_tokens": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


PRESENT = make_evidence({0: (4.0, 5.0), 1: (4.1, 5.1)})
READ = {0: [1, 2, 3, 4], 1: [5, 6, 7], 2: [8, 9, 10, 11, 12]}


def run(*batches: OldBatch) -> Reused:
    return reuse(batches, PRESENT, INPUTS_OF, DOCUMENTS, TARGETS)


def test_old_proxies_are_described_by_present_scores_and_domains_of_what_they_read() -> None:
    losses = {0: (3.9, 4.9), 1: (None, None), 2: (3.7, 4.7)}
    found = run(OldBatch(make_metrics(losses), make_reads(READ)))
    assert (len(found), found.n_found, found.n_unrecorded, found.n_uncovered) == (2, 2, 0, 0)
    assert found.losses["chat"].tolist() == [3.9, 3.7]
    assert found.losses["exams"].tolist() == [4.9, 4.7]
    names = list(INPUTS_OF.names)
    for row, (theta_id, read) in enumerate(((0, READ[0]), (2, READ[2]))):
        tokens = TOKENS[read]
        for m, domain in enumerate(DOMAINS):
            share = tokens[OF_DOMAIN[read] == m].sum() / tokens.sum()
            assert found.inputs[row, names.index(f"share[{domain}]")] == pytest.approx(share)
        for k, criterion in enumerate(CRITERIA):
            mean = tokens @ SIGMA[read, k] / tokens.sum()
            assert found.inputs[row, names.index(f"sigma[{criterion}]")] == pytest.approx(mean)
        size = found.inputs[row, names.index("log_tokens")]
        assert size == pytest.approx(np.log(10_000 + theta_id))
    assert str(found).startswith(
        "2 of 2 proxies of earlier thetas, by what they read (at most 0.0%"
    )


def test_proxies_that_read_what_the_pool_no_longer_holds_are_left_out_and_counted() -> None:
    whole = {k: float(TOKENS[READ[k]].sum()) for k in READ}
    strangers = {0: 0.04 * whole[0], 1: 0.2 * whole[1]}
    losses: dict[int, tuple[float | None, float | None]] = {
        0: (3.9, 4.9), 1: (3.8, 4.8), 2: (3.7, 4.7)
    }  # fmt: skip
    found = run(OldBatch(make_metrics(losses), make_reads(READ, strangers=strangers)))
    assert found.losses["chat"].tolist() == [3.9, 3.7]
    assert (found.n_found, found.n_uncovered) == (3, 1)
    np.testing.assert_allclose(found.covered, [1 / 1.04, 1.0])
    assert "2 of 3 proxies" in str(found)
    assert "at most 3.8% of their tokens are not in the proxy pool" in str(found)
    assert "1 read more than 5% of their tokens in documents" in str(found)


def test_a_training_counts_once() -> None:
    """More thetas make all losses stale, and the first of them are trained again as they were."""
    losses: dict[int, tuple[float | None, float | None]] = {0: (4.0, 5.0), 1: (3.8, 4.8)}
    batch = OldBatch(make_metrics(losses), make_reads(READ))
    found = run(batch, batch)
    assert found.losses["chat"].tolist() == [3.8]
    assert found.n_found == 1


def test_without_a_record_of_what_was_read_nothing_is_reused() -> None:
    losses: dict[int, tuple[float | None, float | None]] = {0: (3.9, 4.9), 2: (3.7, 4.7)}
    found = run(OldBatch(make_metrics(losses), None))
    assert (len(found), found.n_found, found.n_unrecorded) == (0, 2, 2)
    assert str(found) == (
        "none of 2 proxies of earlier thetas; left out: of 2 it is not recorded what they read"
    )
    # Losses on other target sets than the present ones.
    other = make_metrics(losses).filter(pl.col("target") == "chat")
    assert run(OldBatch(other, make_reads(READ))).n_found == 0
    assert str(run()) == "no proxies of earlier thetas or of another proxy pool"


def test_rows_come_after_those_of_the_swarm() -> None:
    losses: dict[int, tuple[float | None, float | None]] = {0: (3.9, 4.9)}
    found = run(OldBatch(make_metrics(losses), make_reads(READ)))
    inputs = np.zeros((2, len(INPUTS_OF.names)))
    x, y = found.rows("exams", inputs, np.array([5.0, 5.1]))
    assert y.tolist() == [5.0, 5.1, 4.9]
    np.testing.assert_array_equal(x, np.concatenate([inputs, found.inputs]))
    none = nothing_reused(len(INPUTS_OF.names), TARGETS)
    assert none.rows("chat", inputs, np.array([5.0, 5.1]))[1].tolist() == [5.0, 5.1]
