"""What a pool of any size costs, stage by stage, from the rates that were measured.

    python -m benchmarks.scale.projection

Prints the tables of docs/scale.md. Nothing is measured here: every rate is that of one core, or of
one H100, from benchmarks/RESULTS.md, and is taken to hold at every size. Prices are assumptions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

DOLLARS_PER_CORE_HOUR, DOLLARS_PER_GPU_HOUR = 0.04, 2.5
"""Of a rented machine, as an order of magnitude."""

# One core, measured on real documents of 1.7 kB by `benchmarks.scale.rates`; MB of text a second.
MB_PER_CORE_SECOND = {
    "raw_shards": 61.0,
    "target_overlap": 11.7,
    "scored_shards, no network": 3.03,
    "duplicate_signatures": 27.6,
    "mix_export": 342.0,
}
# One core, tables of scores alone; documents a second.
DOCUMENTS_PER_CORE_SECOND = {
    "score_normalizers and selection_rule": 9.5e5,
    "final_mix": 246_000.0,
}
# One H100 in bfloat16 with networks of 100 million parameters, as `quadmix plan` takes it.
_GPU_FLOPS = 2.2e14
# An encoder like BERT-base, which reads at most 512 tokens of a document.
_ENCODER_PARAMETERS, _ENCODER_TOKENS = 86e6, 512
# Dagster's own work for a partition of an asset, and the assets that are made of every shard.
SECONDS_PER_PARTITION, ASSETS_PER_SHARD = 0.03, 7
# The paper's proxies: 3,000 of a billion tokens, measured seconds of an H100 each.
_N_PROXIES, _SECONDS_PER_PROXY = 3_000, 390.0
# Shares of the text's bytes: compressed, and what a mix keeps of it.
_COMPRESSED, _KEPT = 0.38, 0.1
_BYTES_PER_DOCUMENT = {"scores and labels": 16 + 8 * 5, "signatures": 310, "ids": 8}


@dataclass(frozen=True)
class PoolSize:
    """A pool.

    Attributes:
        name: in words.
        n_documents, n_tokens, n_bytes: of its text.
        n_shards: that it is cut into.
    """

    name: str
    n_documents: float
    n_tokens: float
    n_bytes: float
    n_shards: int


POOLS = (
    PoolSize("the corpus of this page", 149_359, 81e6, 259e6, 34),
    PoolSize("100M documents", 1e8, 5.4e10, 1.73e11, 1_000),
    PoolSize("RefinedWeb", 9.2e8, 5.7e11, 2.66e12, 2_700),
    PoolSize("100T tokens", 9.2e10, 1e14, 4.2e14, 100_000),
)
"""RefinedWeb and the web pool of 100T tokens with the lengths that their publishers state."""


@dataclass(frozen=True)
class Line:
    """What a stage costs.

    Attributes:
        stage: the asset, or what of it.
        core_hours, gpu_hours: 0 where it needs none.
    """

    stage: str
    core_hours: float = 0.0
    gpu_hours: float = 0.0

    @property
    def dollars(self) -> float:
        """At the assumed prices."""
        return self.core_hours * DOLLARS_PER_CORE_HOUR + self.gpu_hours * DOLLARS_PER_GPU_HOUR


def project(pool: PoolSize) -> Iterator[Line]:
    """Every stage of a pool, in the order of the graph."""
    for stage, rate in MB_PER_CORE_SECOND.items():
        share = _KEPT if stage == "mix_export" else 1.0
        yield Line(stage, core_hours=share * pool.n_bytes / 1e6 / rate / 3600)
    n_read = min(pool.n_tokens / pool.n_documents, _ENCODER_TOKENS) * pool.n_documents
    gpu_hours = 2 * _ENCODER_PARAMETERS * n_read / _GPU_FLOPS / 3600
    yield Line("scored_shards, each encoder", gpu_hours=gpu_hours)
    for stage, rate in DOCUMENTS_PER_CORE_SECOND.items():
        yield Line(stage, core_hours=pool.n_documents / rate / 3600)
    yield Line("Dagster's events", pool.n_shards * ASSETS_PER_SHARD * SECONDS_PER_PARTITION / 3600)
    yield Line("the paper's proxies", gpu_hours=_N_PROXIES * _SECONDS_PER_PROXY / 3600)


def stored_bytes(pool: PoolSize) -> dict[str, float]:
    """Bytes of the lake."""
    return {
        "text": _COMPRESSED * pool.n_bytes,
        "export of a mix": _COMPRESSED * _KEPT * pool.n_bytes,
        **{name: each * pool.n_documents for name, each in _BYTES_PER_DOCUMENT.items()},
    }


def main() -> None:
    """Print the tables."""
    print("| | " + " | ".join(pool.name for pool in POOLS) + " |")
    print("| --- " * (len(POOLS) + 1) + "|")
    for name, shown in (
        ("documents", [f"{pool.n_documents:.2g}" for pool in POOLS]),
        ("tokens", [f"{pool.n_tokens:.2g}" for pool in POOLS]),
        ("text, TB", [f"{pool.n_bytes / 1e12:.3g}" for pool in POOLS]),
        ("shards", [f"{pool.n_shards:,}" for pool in POOLS]),
    ):
        print(f"| {name} | " + " | ".join(shown) + " |")
    columns = [list(project(pool)) for pool in POOLS]
    for lines in zip(*columns, strict=True):
        unit = "GPU-hours" if lines[0].gpu_hours else "core-hours"
        hours = [line.gpu_hours or line.core_hours for line in lines]
        shown = [f"{each:,.0f}" if each >= 10 else f"{each:.2g}" for each in hours]
        print(f"| {lines[0].stage}, {unit} | " + " | ".join(shown) + " |")
    totals = [sum(line.dollars for line in column) for column in columns]
    print("| all of it, dollars | " + " | ".join(f"{total:,.0f}" for total in totals) + " |")
    for name in stored_bytes(POOLS[0]):
        sizes = [stored_bytes(pool)[name] / 1e12 for pool in POOLS]
        print(f"| {name}, TB stored | " + " | ".join(f"{size:.2g}" for size in sizes) + " |")


if __name__ == "__main__":
    main()
