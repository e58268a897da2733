"""Proxies of earlier thetas as further rows for the regressors.

After a criterion or a domain was added, split or removed, the losses of old proxies still belong to
what those proxies read, and of these documents the present scores and domains are known. What is
lost are the thetas: an old proxy cannot be theta*, nor the best of the first round.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from quadmix_assets.proxies.archive import OldBatch, old_batches
from quadmix_assets.proxies.evidence import Evidence
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.search.regressor_inputs import (
    MixtureInputs,
    PoolDocuments,
    RegressorInputs,
    read_pool_documents,
)
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

LEAST_COVERED = 0.95
"""Of the tokens that an old proxy read, the share that the present proxy pool must hold."""


@dataclass(frozen=True, eq=False)
class Reused:
    """Rows for the regressors beside those of the swarm.

    Attributes:
        inputs: (r, F) regressor inputs, by the present scores and domains.
        losses: by target set, (r,) losses in nats per token.
        n_found: old proxies that were measured like the present ones.
        n_unrecorded: of those, the ones whose record of what they read is gone.
        n_uncovered: the ones that read too much that the proxy pool does not hold.
        covered: (r,) share of the tokens that the pool holds, of the rows that are used.
    """

    inputs: FloatArray
    losses: dict[str, FloatArray]
    n_found: int = 0
    n_unrecorded: int = 0
    n_uncovered: int = 0
    covered: FloatArray = field(default_factory=lambda: np.empty(0))

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.inputs)

    def __str__(self) -> str:
        """In one sentence, which proxies are reused and what is lost."""
        if not self.n_found:
            return "no proxies of earlier thetas or of another proxy pool"
        lost = []
        if self.n_uncovered:
            lost.append(
                f"{self.n_uncovered} read more than {1 - LEAST_COVERED:.0%} of their tokens in "
                "documents that the proxy pool does not hold"
            )
        if self.n_unrecorded:
            lost.append(f"of {self.n_unrecorded} it is not recorded what they read")
        without = f"; left out: {', '.join(lost)}" if lost else ""
        if not len(self):
            return f"none of {self.n_found} proxies of earlier thetas{without}"
        gone = 1 - float(self.covered.min())
        return (
            f"{len(self)} of {self.n_found} proxies of earlier thetas, by what they read (at most "
            f"{gone:.1%} of their tokens are not in the proxy pool); as their thetas are of other "
            f"criteria, domains or pools, they cannot become theta*{without}"
        )

    def rows(self, target: str, inputs: FloatArray, losses: FloatArray) -> tuple[FloatArray, ...]:
        """Rows (n, F) and losses (n,) of the swarm with those of the reused proxies after them."""
        return (
            np.concatenate([inputs, self.inputs]),
            np.concatenate([losses, self.losses[target]]),
        )


def nothing_reused(n_inputs: int, targets: Sequence[str]) -> Reused:
    """No rows."""
    return Reused(np.empty((0, n_inputs)), {target: np.empty(0) for target in targets})


def reuse(
    batches: Iterable[OldBatch],
    evidence: Evidence,
    inputs_of: MixtureInputs,
    documents: PoolDocuments,
    targets: Sequence[str],
) -> Reused:
    """The rows that old batches give for the regressors of the present swarm.

    The same training is one row: a proxy whose losses are all those of another one, such as of a
    theta that is in the present swarm again, is left out.

    Args:
        batches: measured like the swarm.
        evidence: of the present swarm.
        inputs_of: the present regressor inputs.
        documents: of the present proxy pool.
        targets: names of target sets; proxies that lack one of them are left out.
    """
    seen = {tuple(row) for row in zip(*(evidence.losses(t).tolist() for t in targets), strict=True)}
    inputs: list[FloatArray] = []
    losses: list[tuple[float, ...]] = []
    covered: list[float] = []
    n_found = n_unrecorded = n_uncovered = 0
    for batch in batches:
        measured = _measured(batch.metrics, targets)
        is_new = [row not in seen for row in measured.select(targets).rows()]
        measured = measured.filter(pl.Series(is_new, dtype=pl.Boolean))
        seen |= set(measured.select(targets).rows())
        n_found += measured.height
        if batch.reads is None:
            n_unrecorded += measured.height
            continue
        shares = _shares_covered(batch.reads, documents, measured)
        n_uncovered += int((shares < LEAST_COVERED).sum())
        kept = measured.filter(pl.Series(shares >= LEAST_COVERED))
        if kept.height:
            samples = kept.select("theta_id", "n_tokens_sample")
            inputs.append(inputs_of.realised(documents, batch.reads, samples))
            losses += kept.select(targets).rows()
            covered += shares[shares >= LEAST_COVERED].tolist()
    if not inputs:
        none = nothing_reused(len(inputs_of.names), targets)
        return Reused(none.inputs, none.losses, n_found, n_unrecorded, n_uncovered)
    columns = np.array(losses).reshape(-1, len(targets)).T
    return Reused(
        np.concatenate(inputs),
        dict(zip(targets, columns, strict=True)),
        n_found,
        n_unrecorded,
        n_uncovered,
        np.array(covered),
    )


def read_reused(
    store: Store, settings: Settings, evidence: Evidence, inputs_of: RegressorInputs
) -> Reused:
    """What the regressors of the present swarm can reuse; nothing where the settings say so.

    Entries of thetas of other criteria or domains mean something else, so that with
    `regressor_inputs: theta` nothing is reused.

    Raises:
        MissingOutputError: an input of the proxies is not there.
    """
    if not settings.search.reuse_proxies or not isinstance(inputs_of, MixtureInputs):
        return nothing_reused(len(inputs_of.names), settings.target_names)
    documents = read_pool_documents(store, settings)
    batches = old_batches(store, settings)
    return reuse(batches, evidence, inputs_of, documents, settings.target_names)


def _measured(metrics: pl.DataFrame, targets: Sequence[str]) -> pl.DataFrame:
    """theta_id, n_tokens_sample and a column of losses per target set, of what was trained."""
    trained = metrics.filter(
        (pl.col("status") == "trained") & pl.col("target").is_in(list(targets))
    )
    wide = trained.pivot(
        "target", index=["theta_id", "n_tokens_sample"], values="loss_nats", maintain_order=True
    )
    if any(target not in wide.columns for target in targets):
        return (
            wide.clear()
            .select("theta_id", "n_tokens_sample")
            .with_columns(pl.lit(None, dtype=pl.Float64).alias(target) for target in targets)
        )
    return wide.drop_nulls(list(targets))


def _shares_covered(
    reads: pl.DataFrame, documents: PoolDocuments, proxies: pl.DataFrame
) -> FloatArray:
    """(r,) share of the tokens that each proxy read in documents of the present proxy pool."""
    is_there = documents.find(reads["id_hash"].to_numpy()) >= 0
    totals = (
        reads.with_columns(there=pl.Series(is_there))
        .group_by("theta_id")
        .agg(
            whole=pl.col("n_tokens").sum(),
            held=pl.col("n_tokens").filter(pl.col("there")).sum(),
        )
    )
    found = proxies.select("theta_id").join(
        totals, on="theta_id", how="left", maintain_order="left"
    )
    share = found["held"] / found["whole"]
    return share.fill_null(0.0).fill_nan(0.0).to_numpy()
