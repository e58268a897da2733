"""What is gone from the lake is made again by `--resume`; what is damaged, once it is deleted."""

import contextlib
import io
import os
import random
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from quadmix_assets.cli import main
from quadmix_assets.corpus.document_ids import accepted_checksums
from quadmix_assets.corpus.tokenizer import project_tokenizer
from quadmix_assets.features.learned.fit import load_models
from quadmix_assets.lake_files import FILES_KEY, files_gone, files_of, partitions_gone
from quadmix_assets.mix.manifest import read_manifest
from quadmix_assets.mix.stored_rule import read_rule
from quadmix_assets.outputs import per_shard
from quadmix_assets.proxies.proxy_pool import open_index, read_documents, token_folder
from quadmix_assets.search.fit import load_regressors
from quadmix_assets.search.optimum import read_candidates, read_optimum
from quadmix_assets.settings import Settings
from quadmix_assets.store import DamagedOutputError, Store
from quadmix_assets.training.token_file import TokenFile
from quadmix_assets_tests.conftest import Project, instance_in
from quadmix_assets_tests.lakes import damage

SHARDS = ["shard-00000.parquet", "shard-00001.jsonl.gz", "shard-00002.jsonl.zst"]
Read = Callable[[Store, Settings], object]
# Equal runs give other links, times and databases; the rest of the lake has equal bytes.
OF_A_RUN = (
    "mixes/quadmix/links/",
    "plots/",
    "proxy_metrics_seconds/",
    "population_shift/",
    "catalog/",
)


@pytest.fixture
def project(tiny: Project, tmp_path: Path) -> Project:
    return tiny.copy(tmp_path / "copy")


def contents(store: Store) -> dict[str, bytes]:
    """Name -> bytes of all outputs that are equal after equal runs."""
    root = Path(str(store.root))
    files = (path for path in root.rglob("*") if path.is_file())
    named = {str(path.relative_to(root)): path for path in files}
    return {
        name: path.read_bytes()
        for name, path in named.items()
        if not name.startswith(OF_A_RUN) and not path.name.startswith(".")
    }


def n_made(project: Project) -> int:
    """How many materialisations are on record, but for the first page, which every run writes."""
    with project.instance() as instance:
        return sum(
            len(instance.fetch_materializations(key, limit=1_000).records)
            for key in instance.all_asset_keys()
            if key != dg.AssetKey("overview")
        )


def quadmix(project: Project, *arguments: str) -> tuple[int, str]:
    """The exit status of a command, and what it printed.

    Not by capsys, whose streams the loggers of runs would keep after the test.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        status = main(["--profile", str(project.profile), *arguments])
    return status, printed.getvalue()


GONE = (
    "raw_shards_quarantine/shard-00000.parquet.parquet",
    f"document_ids/{SHARDS[1]}.npy",
    f"scored_shards/{SHARDS[2]}.parquet",
    f"mixes/quadmix/export/{SHARDS[0]}.parquet",
    "proxy_metrics/batch-00001.parquet",
    "score_normalizers/importance.parquet",
    "regressor/planted.json",
    "mixes/quadmix/made_from/made_from.json",
    "plots/optimum_check.check_planted.png",
)
DAMAGED = (
    f"raw_shards/{SHARDS[2]}.parquet",
    "parameter_sets/parameter_sets.parquet",
    "optimal_params/planted.json",
    "proxy_pool/tokens/tokens.npy",
    "fitted_models/domains/model.bin",
    "tokenizer/tokenizer.json",
    "catalog/catalog.duckdb",
)


def test_what_is_gone_or_damaged_is_told_and_made_again_and_nothing_else(
    project: Project,
) -> None:
    store = project.store
    before, n_before = contents(store), n_made(project)
    status, told = quadmix(project, "verify")
    assert status == 0
    assert "0 damaged, 0 unreadable, 0 missing, 0 without a checksum" in told
    for name in DAMAGED:
        damage(store.root / name)
    (store.root / "tokenizer" / ".DS_Store").write_bytes(b"1")
    status, told = quadmix(project, "verify")
    assert status == 1
    assert all(f"damaged: {name}: " in told for name in DAMAGED)
    assert "never read: tokenizer/.DS_Store" in told
    assert contents(store).keys() == before.keys(), "nothing is deleted without being asked"
    for name in GONE:
        (store.root / name).unlink()
    status, told = quadmix(project, "verify", "--delete")
    assert status == 1
    assert "deleted: proxy_pool\n" in told
    assert "missing: regressor/planted.json\n" in told
    assert project.run(resume=True)
    assert contents(store) == before
    assert (store.root / GONE[-1]).exists()
    assert quadmix(project, "verify")[0] == 0
    n_again = n_made(project) - n_before
    assert n_again == len(GONE) + len(DAMAGED), "the bytes are equal, so nothing follows"
    assert project.run(resume=True)
    assert n_made(project) - n_before == n_again, "nothing is left to make"


def open_pool(store: Store, settings: Settings) -> None:
    with store.local_folder(store.root / "proxy_pool") as folder:
        open_index(folder, settings)
        TokenFile.open(token_folder(folder))
        read_documents(folder, ["id_hash"])


def open_models(store: Store, settings: Settings) -> None:
    with store.local_folder(store.root / "fitted_models") as folder:
        load_models(folder, settings)


def read_table_of(asset: str, key: str) -> Read:
    return lambda store, settings: store.read_table(store.table_path(asset, key))


def hash_of(name: str) -> Read:
    return lambda store, settings: store.fingerprint(store.root / name)


KINDS: dict[str, Read] = {
    f"raw_shards/{SHARDS[0]}.parquet": read_table_of("raw_shards", SHARDS[0]),
    f"scored_shards/{SHARDS[0]}.parquet": read_table_of("scored_shards", SHARDS[0]),
    "proxy_metrics/batch-00000.parquet": read_table_of("proxy_metrics", "batch-00000"),
    f"document_ids/{SHARDS[0]}.npy": lambda store, _: accepted_checksums(store, [SHARDS[0]]),
    "tokenizer/tokenizer.json": lambda store, _: project_tokenizer(store),
    "fitted_models/domains/model.bin": open_models,
    "fitted_models/criteria/importance/log_ratios.npy": open_models,
    "proxy_pool/tokens/tokens.npy": open_pool,
    "proxy_pool/index/sigma.npy": open_pool,
    "proxy_pool/documents.parquet": open_pool,
    "regressor/planted.json": load_regressors,
    "optimal_params/planted.json": lambda store, chosen: read_candidates(store, chosen, "planted"),
    "verification/planted.json": lambda store, chosen: read_optimum(store, chosen, "planted"),
    "verification/verification.parquet": read_table_of("verification", "verification"),
    "mixes/quadmix/selection_rule/calibration.parquet": lambda store, chosen: read_rule(
        store, chosen, "quadmix"
    ),
    "mixes/quadmix/mix_manifest/mix_manifest.json": lambda store, _: read_manifest(
        store, "quadmix"
    ),
    f"mixes/quadmix/export/{SHARDS[0]}.parquet": hash_of(
        f"mixes/quadmix/export/{SHARDS[0]}.parquet"
    ),
    "catalog/catalog.duckdb": hash_of("catalog/catalog.duckdb"),
    "plots/overview.shares.png": hash_of("plots/overview.shares.png"),
}


def test_no_flip_in_a_file_of_any_kind_is_accepted(tiny: Project, tmp_path: Path) -> None:
    project = tiny.copy(tmp_path / "copy")
    store, settings = project.store, project.settings
    chosen = random.Random(0)
    for name, read in KINDS.items():
        path = Path(str(store.root / name))
        read(store, settings)
        size = path.stat().st_size
        with path.open("r+b", buffering=0) as file:
            for _ in range(200):
                place = chosen.randrange(size)
                byte = os.pread(file.fileno(), 1, place)[0]
                os.pwrite(file.fileno(), bytes([byte ^ 1 << chosen.randrange(8)]), place)
                with pytest.raises(DamagedOutputError, match="is damaged|has no checksum"):
                    read(store, settings)
                os.pwrite(file.fileno(), bytes([byte]), place)
        read(store, settings)


def test_a_step_that_reads_damage_fails_with_its_words(project: Project) -> None:
    store = project.store
    path = store.table_path("scored_shards", SHARDS[1])
    damage(path)
    definitions = project.definitions()
    with instance_in(project.folder / "dagster"), dg.DagsterInstance.get() as instance:
        job = definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey.from_user_string("mixes/quadmix/final_mix")],
            tags={
                "dagster/asset_partition_range_start": SHARDS[0],
                "dagster/asset_partition_range_end": SHARDS[2],
            },
            raise_on_error=False,
        )
        made = instance.get_records_for_run(
            result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        ).records
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    message = str(failure.event_specific_data)
    assert f"{SHARDS[1]}.parquet is damaged" in message
    assert "1 of 3 partitions failed" in message
    assert sorted(str(record.partition_key) for record in made) == [SHARDS[0], SHARDS[2]]
    manifest = store.root / "mixes/quadmix/mix_manifest/mix_manifest.json"
    damage(manifest)
    status, told = quadmix(project, "summary")
    assert status == 2
    assert "mix_manifest.json is damaged" in told


def test_files_are_named_and_looked_for(project: Project) -> None:
    store, settings = project.store, project.settings
    files = files_of(store, "mixes/quadmix/selection_rule")
    assert "mixes/quadmix/made_from/made_from.json" in files
    assert files_gone(store, files) == []
    (store.root / "mixes/quadmix/selection_rule/rule.json").unlink()
    assert files_gone(store, files) == ["mixes/quadmix/selection_rule/rule.json"]
    assert files_of(store, "mixes/quadmix/selection_rule") == files, "its card is still there"
    for asset in per_shard(["quadmix"]):
        assert partitions_gone(store, settings, asset, [*SHARDS, "new"]) == {"new"}
    with project.instance() as instance:
        (record,) = instance.fetch_materializations(dg.AssetKey("regressor"), limit=1).records
    made = record.asset_materialization
    assert made is not None
    assert made.metadata[FILES_KEY].value == files_of(store, "regressor")
