from collections.abc import Callable
from pathlib import Path

import pytest

from quadmix_assets.mix.completeness import incomplete_entries
from quadmix_assets.mix.manifest import read_manifest, usable_shards
from quadmix_assets.outputs import (
    FINAL_MIX,
    MIX_EXPORT,
    MIX_MANIFEST,
    RAW_SHARDS,
    SELECTION_RULE,
    mix_output,
)
from quadmix_assets.store import Store
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.lakes import change_output, damage, put_raw

MIX = "quadmix"
DOCUMENTS, EXPORT = mix_output(MIX, FINAL_MIX), mix_output(MIX, MIX_EXPORT)
SHARDS = ["shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst"]


@pytest.fixture
def store(tiny: Project, tmp_path: Path) -> Store:
    return tiny.copy(tmp_path / "copy").store


def problems(store: Store, registered: list[str] = SHARDS) -> list[str]:
    return incomplete_entries(store, read_manifest(store, MIX), usable_shards(store, registered))


def other_counts(store: Store) -> None:
    path = store.table_path(DOCUMENTS, SHARDS[0])
    summary = store.summary(path)
    store.write_table(path, store.read_table(path), {**summary, "n_documents_out": 1})


TABLE = f"{SELECTION_RULE}/calibration.parquet"
DAMAGE: dict[str, tuple[Callable[[Store], None], list[str]]] = {
    "mix gone": (
        lambda store: store.table_path(DOCUMENTS, SHARDS[1]).unlink(),
        [f"{SHARDS[1]}.parquet is gone: materialise {DOCUMENTS} for the shard"],
    ),
    "another mix": (other_counts, [f"{SHARDS[0]}.parquet is not the table"]),
    "export gone": (
        lambda store: store.path(EXPORT, f"{SHARDS[2]}.parquet").unlink(),
        [f"{EXPORT}/{SHARDS[2]}.parquet is gone"],
    ),
    "another table": (
        lambda store: change_output(store, "mixes", MIX, *TABLE.split("/")),
        [f"lake/tiny/mixes/{MIX}/{TABLE} is not the table"],
    ),
    "damaged copy": (
        lambda store: damage(store.root / mix_output(MIX, MIX_MANIFEST) / TABLE),
        [f"{MIX_MANIFEST}/{TABLE}, the manifest's copy, is gone or changed"],
    ),
    "nothing": (lambda store: None, []),
}


@pytest.mark.parametrize(("change", "expected"), DAMAGE.values(), ids=DAMAGE.keys())
def test_every_kind_of_damage_is_named(
    store: Store, change: Callable[[Store], None], expected: list[str]
) -> None:
    change(store)
    found = problems(store)
    assert len(found) == len(expected)
    for problem, words in zip(found, expected, strict=True):
        assert words in problem
        assert "materialise" in problem


def test_every_usable_shard_has_to_be_in_the_mix(store: Store) -> None:
    put_raw(store, "new.jsonl", [{"id": "n", "text": "words"}])
    empty = store.read_table(store.table_path(RAW_SHARDS, SHARDS[0])).clear()
    store.write_table(store.table_path(RAW_SHARDS, "bad"), empty, {"set_aside": {"reason": "x"}})
    (found,) = problems(store, [*SHARDS, "new.jsonl", "bad", "unread"])
    assert "the shard 'new.jsonl' is not in the manifest" in found
