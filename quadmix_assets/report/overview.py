"""The state of a pool and of its mixes in numbers, from footers and small files alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from quadmix_assets.corpus.target_sets import PROOF
from quadmix_assets.outputs import (
    OPTIMUM_CHECK,
    SCORE_REPORT,
    VERIFICATION,
)
from quadmix_assets.report.mixes import MixState, read_mixes, read_pool
from quadmix_assets.settings import UNKNOWN_DOMAIN, Settings
from quadmix_assets.store import Described, Store


class Swarm(Protocol):
    """How far the training of the proxies is."""

    @property
    def n_batches(self) -> int:
        """Batches of the swarm."""

    @property
    def n_done(self) -> int:
        """Batches that are trained."""

    @property
    def n_proxies(self) -> int:
        """Proxies of the swarm."""

    @property
    def n_failed(self) -> int:
        """Failed proxies of the batches that are trained."""

    @property
    def eta_seconds(self) -> float:
        """Time that is left; NaN where no rate is known."""


class FailedCheck(Protocol):
    """A check that failed when it was made last."""

    @property
    def asset(self) -> str:
        """The asset that it belongs to."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def severity(self) -> str:
        """ERROR or WARN."""

    @property
    def description(self) -> str:
        """What was found, and what to do."""


@dataclass(frozen=True)
class Made:
    """How much of an asset is there.

    Attributes:
        asset: its name.
        n_made: partitions that are materialised; 0 or 1 of an asset without partitions.
        n_all: registered partitions; 1 of an asset without partitions.
        is_partitioned: whether it has partitions.
    """

    asset: str
    n_made: int
    n_all: int
    is_partitioned: bool


@dataclass(frozen=True)
class SetAside:
    """A shard that is not part of the pool.

    Attributes:
        shard: its key.
        kind: the cause in one word.
        message: the cause, and what to do.
    """

    shard: str
    kind: str
    message: str


@dataclass(frozen=True)
class Pool:
    """What the normalized shards hold.

    Attributes:
        n_shards: registered shards.
        n_read: those that have been normalized, without those set aside.
        n_rows: rows of their files.
        n_documents: rows that became documents.
        n_bytes: bytes of the documents' texts in UTF-8.
        quarantined: rows that could not be used, by reason, most frequent first.
        set_aside: shards that are not part of the pool.
    """

    n_shards: int
    n_read: int
    n_rows: int
    n_documents: int
    n_bytes: int
    quarantined: Mapping[str, int]
    set_aside: Sequence[SetAside]


@dataclass(frozen=True)
class ThetaStar:
    """theta* of the objective of the mix in production.

    Attributes:
        objective: its name.
        unit: of the objective.
        predicted: objective that the regressors predict.
        standard_deviation: of the prediction.
        best_proxy: lowest objective that was measured in the swarm.
        measured: columns sample, target, loss_nats (mean of the seeds on the proof part), seeds;
            empty until `optimum_check` is made.
    """

    objective: str
    unit: str
    predicted: float
    standard_deviation: float
    best_proxy: float
    measured: pl.DataFrame


@dataclass(frozen=True)
class Overview:
    """The state of a project.

    Attributes:
        profile: name of the profile.
        lake: where the outputs lie.
        raw: where the input lies.
        pool: what the shards hold.
        domains: columns domain, n_tokens_pool, n_tokens_mix, the last of the mix in production and
            null without it; without rows until domains are known.
        mixes: the mixes of the settings, in their order.
        theta_star: None until the search is done.
        swarm: None until thetas are drawn.
        made: per asset how much of it is there, in the order of the graph.
        failed_checks: checks that failed, errors first.
        accepted: names of failed checks that mixes do not wait for (mix.accept).
        changed_settings: per asset the settings that were changed since it was made, in words.
    """

    profile: str
    lake: str
    raw: str
    pool: Pool
    domains: pl.DataFrame
    mixes: Sequence[MixState]
    theta_star: ThetaStar | None
    swarm: Swarm | None
    made: Sequence[Made]
    failed_checks: Sequence[FailedCheck]
    accepted: Sequence[str]
    changed_settings: Mapping[str, Sequence[str]]

    @property
    def production(self) -> MixState:
        """The mix in production."""
        return next(mix for mix in self.mixes if mix.is_production)

    @property
    def n_tokens(self) -> int:
        """Tokens of the pool, as far as domains are known."""
        return int(self.domains["n_tokens_pool"].sum())

    @property
    def unknown_share(self) -> float | None:
        """Share of the pool's tokens whose domain is unknown; None until domains are known."""
        if not self.n_tokens:
            return None
        unknown = self.domains.filter(pl.col("domain") == UNKNOWN_DOMAIN)["n_tokens_pool"].sum()
        return float(unknown) / self.n_tokens


def read_overview(
    store: Store,
    settings: Settings,
    shards: Sequence[str],
    *,
    swarm: Swarm | None,
    made: Sequence[Made],
    failed_checks: Sequence[FailedCheck] = (),
    changed_settings: Mapping[str, Sequence[str]] | None = None,
) -> Overview:
    """Read the state of a project; no documents are read.

    Args:
        store: the lake.
        settings: of the profile.
        shards: that are registered.
        swarm: how far the training of the proxies is.
        made: per asset how much of it is there.
        failed_checks: checks that failed when they were made last.
        changed_settings: per asset the settings that were changed since it was made, in words.
    """
    tables = read_pool(store, shards)
    mixes = read_mixes(store, settings, tables)
    source = settings.corpus
    return Overview(
        profile=settings.profile,
        lake=str(store.root),
        raw="generated" if source.source == "planted" else str(settings.resolve(source.raw)),
        pool=_pool(tables, len(shards)),
        domains=_domains(store, settings, mixes),
        mixes=mixes,
        theta_star=_theta_star(store, settings),
        swarm=swarm,
        made=made,
        failed_checks=sorted(failed_checks, key=lambda c: (c.severity != "ERROR", c.asset, c.name)),
        accepted=[c.name for c in failed_checks if c.name in settings.mix.accept],
        changed_settings=changed_settings or {},
    )


def _pool(tables: Mapping[str, Described], n_shards: int) -> Pool:
    found = {shard: table.summary for shard, table in tables.items()}
    aside = [
        SetAside(shard, str(summary["set_aside"]["kind"]), str(summary["set_aside"]["message"]))
        for shard, summary in found.items()
        if summary.get("set_aside")
    ]
    quarantined: dict[str, int] = {}
    for summary in found.values():
        for reason, n_rows in summary["quarantined"].items():
            quarantined[reason] = quarantined.get(reason, 0) + n_rows
    return Pool(
        n_shards=n_shards,
        n_read=len(found) - len(aside),
        n_rows=sum(summary["n_rows"] for summary in found.values()),
        n_documents=sum(summary["n_documents"] for summary in found.values()),
        n_bytes=sum(summary["n_bytes"] for summary in found.values()),
        quarantined=dict(sorted(quarantined.items(), key=lambda item: (-item[1], item[0]))),
        set_aside=aside,
    )


def _domains(store: Store, settings: Settings, mixes: Sequence[MixState]) -> pl.DataFrame:
    schema = {"domain": pl.String, "n_tokens_pool": pl.Int64, "n_tokens_mix": pl.Int64}
    (production,) = (mix for mix in mixes if mix.is_production)
    if production.tokens_in:
        columns = [settings.domain_names, production.tokens_in, production.tokens_out]
        return pl.DataFrame(columns, schema=schema)
    # Before the first mix, the score report knows how many tokens a domain has.
    report = store.path(SCORE_REPORT, f"{SCORE_REPORT}.json")
    counted = store.read_json(report)["tokens_per_domain"] if report.exists() else {}
    rows = {"domain": list(counted), "n_tokens_pool": list(counted.values())}
    return pl.DataFrame(rows | {"n_tokens_mix": [None] * len(counted)}, schema=schema)


def _theta_star(store: Store, settings: Settings) -> ThetaStar | None:
    path = store.path(VERIFICATION, f"{settings.mix_objective}.json")
    if not path.exists():
        return None
    prediction = store.read_json(path)["prediction"]
    return ThetaStar(
        objective=settings.mix_objective,
        unit=prediction["unit"],
        predicted=prediction["predicted"],
        standard_deviation=prediction["standard_deviation"],
        best_proxy=prediction["best_proxy_measured"],
        measured=_measured(store, settings.mix_objective),
    )


def _measured(store: Store, objective: str) -> pl.DataFrame:
    path = store.table_path(OPTIMUM_CHECK)
    schema = pl.Schema(
        {
            "sample": pl.String(),
            "target": pl.String(),
            "loss_nats": pl.Float64(),
            "seeds": pl.UInt32(),
        }
    )
    if not path.exists():
        return pl.DataFrame(schema=schema)
    names = ["objective", "part", "sample", "seed", "target", "status", "loss_nats"]
    trained = store.read_table(path, names)
    return (
        trained.filter(
            pl.col("objective") == objective,
            pl.col("part") == PROOF,
            pl.col("status") == "trained",
        )
        .group_by("sample", "target", maintain_order=True)
        .agg(pl.col("loss_nats").mean(), pl.col("seed").n_unique().alias("seeds"))
        .cast(schema)
    )
