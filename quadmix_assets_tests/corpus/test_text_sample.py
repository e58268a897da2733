import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from quadmix_assets.corpus.text_sample import in_sample, sample_texts
from quadmix_assets.outputs import RAW_SHARDS
from quadmix_assets.store import MissingOutputError, Store

IDS = [f"document-{n}" for n in range(20_000)]
SMALL = IDS[:600]


def write_shards(root: Path, shards: dict[str, Sequence[str]], group_rows: int = 50) -> Store:
    store = Store(UPath(root))
    for key, ids in shards.items():
        table = pa.table({"id": ids, "text": [f"text of {i}" for i in ids], "n": range(len(ids))})
        with store.table_writer(store.table_path(RAW_SHARDS, key), table.schema) as writer:
            for start in range(0, len(ids), group_rows):
                writer.write(table.slice(start, group_rows))
    return store


def sampled(store: Store, shards: Sequence[str], share: float, **change: Any) -> pl.DataFrame:
    arguments = {"purpose": "fit", "seed": 0, **change}
    empty = pl.DataFrame(schema={"id": pl.String, "text": pl.String})
    return pl.concat([empty, *sample_texts(store, shards, share, **arguments)])


@pytest.mark.parametrize("share", [0.01, 0.2, 0.9])
def test_share_of_the_documents(share: float) -> None:
    """Within four standard deviations of a binomial."""
    count = in_sample(IDS, share, purpose="fit", seed=0).sum()
    deviation = np.sqrt(len(IDS) * share * (1 - share))
    assert abs(count - len(IDS) * share) < 4 * deviation


def test_nothing_and_everything() -> None:
    assert not in_sample(IDS, 0.0, purpose="fit", seed=0).any()
    assert in_sample(IDS, 1.0, purpose="fit", seed=0).all()
    assert in_sample([], 0.5, purpose="fit", seed=0).shape == (0,)


def test_larger_share_holds_every_smaller_one() -> None:
    samples = [in_sample(IDS, share, purpose="fit", seed=0) for share in (0.1, 0.3, 0.31, 1.0)]
    for smaller, larger in itertools.pairwise(samples):
        assert (larger | ~smaller).all()
        assert larger.sum() > smaller.sum()


@pytest.mark.parametrize("other", [{"purpose": "tokenizer"}, {"seed": 1}])
def test_samples_of_other_purposes_and_seeds_are_independent(other: dict[str, Any]) -> None:
    """Chi-square of the four cells that two samples cut the pool into."""
    first = in_sample(IDS, 0.3, purpose="fit", seed=0)
    second = in_sample(IDS, 0.3, **{"purpose": "fit", "seed": 0, **other})
    observed = np.histogram2d(first, second, bins=2)[0]
    expected = np.outer(observed.sum(1), observed.sum(0)) / len(IDS)
    assert ((observed - expected) ** 2 / expected).sum() < 15


def test_layout_of_shards_changes_nothing(tmp_path: Path) -> None:
    one = write_shards(tmp_path / "one", {"all": SMALL})
    shuffled = list(np.random.default_rng(0).permutation(SMALL))
    many = write_shards(
        tmp_path / "many", {f"s{n}": shuffled[n::7] for n in range(7)}, group_rows=13
    )
    first = sampled(one, ["all"], 0.2)
    second = sampled(many, [f"s{n}" for n in (3, 1, 0, 6, 5, 2, 4)], 0.2)
    assert first.sort("id").equals(second.sort("id"))
    chosen = in_sample(SMALL, 0.2, purpose="fit", seed=0)
    assert first["id"].to_list() == [i for i, c in zip(SMALL, chosen, strict=True) if c]
    assert first["text"].to_list() == [f"text of {i}" for i in first["id"]]


def test_shards_come_in_the_order_given(tmp_path: Path) -> None:
    store = write_shards(tmp_path, {"a": SMALL[:100], "b": SMALL[100:200]})
    assert sampled(store, ["b", "a"], 1.0)["id"].to_list() == [*SMALL[100:200], *SMALL[:100]]


def test_reads_text_only_of_row_groups_with_a_sampled_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = write_shards(tmp_path, {"a": SMALL}, group_rows=20)
    read: list[int] = []
    read_row_group = pq.ParquetFile.read_row_group

    def spy(self: pq.ParquetFile, group: int, columns: list[str], **more: Any) -> pa.Table:
        if "text" in columns:
            read.append(group)
        return read_row_group(self, group, columns=columns, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", spy)
    sample = sampled(store, ["a"], 0.02)
    expected = sorted({SMALL.index(i) // 20 for i in sample["id"]})
    assert 0 < len(expected) < 30
    assert read == expected


def test_empty_shard_and_missing_shard(tmp_path: Path) -> None:
    store = write_shards(tmp_path, {"empty": [], "a": SMALL[:10]})
    assert sampled(store, ["empty", "a"], 1.0).height == 10
    with pytest.raises(MissingOutputError, match="raw_shards"):
        sampled(store, ["a", "b"], 1.0)
