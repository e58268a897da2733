"""Files that come, change, repeat others, break and go: the sensor and raw_shards, step by step."""

import importlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest

from quadmix_assets.corpus.document_ids import shards_set_aside
from quadmix_assets.corpus.raw_shard import read_summary
from quadmix_assets.outputs import RAW_SHARDS, files_of_a_shard, per_shard
from quadmix_assets_tests.conftest import Project, definitions_of
from quadmix_assets_tests.lakes import write_lines


class Pool:
    """A folder of files, and the daemon's part played by hand."""

    def __init__(
        self, project: Project, instance: dg.DagsterInstance, definitions: dg.Definitions
    ) -> None:
        self.project = project
        self.instance = instance
        self.raw = project.folder / "raw"
        self.definitions = definitions
        self.cursor: str | None = None
        self.words = ""
        self.checks: dict[str, dg.AssetCheckEvaluation] = {}
        self.discovery = module("discovery")
        self.resource = module("resources").ProjectResource(profile=str(project.profile))

    def put(self, name: str, word: str, n: int = 5) -> Path:
        """A file that was written a minute ago."""
        rows = [{"id": f"{word}-{i}", "text": f"The {word} number {i}."} for i in range(n)]
        return aged(write_lines(self.raw / name, rows))

    def look(self) -> dict[str, str]:
        """Evaluate the sensor and do what it asks; the versions that it reports, by shard."""
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, resources={"project": self.resource}
        )
        result = self.discovery.discover_shards(context)
        if isinstance(result, dg.SkipReason):
            self.words = str(result.skip_message)
            return {}
        assert isinstance(result, dg.SensorResult)
        assert result.skip_reason is not None
        self.words, self.cursor = str(result.skip_reason.skip_message), result.cursor
        for request in result.dynamic_partitions_requests or []:
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions("shard", list(request.partition_keys))
            else:
                for key in request.partition_keys:
                    self.instance.delete_dynamic_partition("shard", key)
        found = {}
        self.checks = {}
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
            if isinstance(event, dg.AssetCheckEvaluation):
                self.checks[event.check_name] = event
                continue
            if event.asset_key == self.discovery.INPUT_FILES:
                found[str(event.partition)] = str((event.tags or {})["dagster/data_version"])
        return found

    def make(self, *keys: str) -> dict[str, dg.AssetCheckEvaluation]:
        """Materialise raw_shards of some shards; its checks by name."""
        found: dict[str, dg.AssetCheckEvaluation] = {}
        for key in keys:
            result = self.execute(RAW_SHARDS, key)
            assert result.success, key
            found = {check.check_name: check for check in result.get_asset_check_evaluations()}
        return found

    def execute(self, asset: str, partition: str | None = None) -> dg.ExecuteInProcessResult:
        """Materialise one asset."""
        made = getattr(module(asset), asset)
        return dg.materialize(
            [made, self.discovery.input_files],
            selection=[made],
            instance=self.instance,
            partition_key=partition,
            resources={"project": self.resource},
            raise_on_error=False,
        )

    def step(self) -> set[str]:
        """Look, and make what is reported; the registered shards that it made."""
        made = set(self.look()) & self.shards
        self.make(*sorted(made))
        return made

    @property
    def shards(self) -> set[str]:
        return set(self.instance.get_dynamic_partitions("shard"))

    @property
    def set_aside(self) -> set[str]:
        return set(shards_set_aside(self.project.store))

    def listing(self) -> str | None:
        """The version of the list of shards that is on record."""
        records = self.instance.fetch_materializations(
            self.discovery.INPUT_LISTING, limit=1
        ).records
        if not records:
            return None
        return (records[0].event_log_entry.tags or {})["dagster/data_version"]

    def n_documents(self, key: str) -> int:
        return read_summary(self.project.store, key).n_documents


def module(name: str) -> ModuleType:
    """A module of definitions, as it was loaded last."""
    return importlib.import_module(f"quadmix_assets.defs.{name}")


def aged(path: Path, seconds: float = 60.0) -> Path:
    stamp = time.time() - seconds
    os.utime(path, (stamp, stamp))
    return path


def pool_in(folder: Path, **changes: object) -> Project:
    corpus = {"source": "files", "raw": "raw", "carried_columns": {}}
    return Project(
        folder,
        corpus=corpus,
        targets=[{"name": "instruct", "path": "instruct.jsonl"}],
        features={"criteria": [{"kind": "heuristics"}], "domains": {"kind": "clusters"}},
        search={"objectives": [{"name": "instruct", "targets": {"instruct": 1.0}}]},
        **changes,
    )


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """The definitions of a profile with files of its own."""
    return definitions_of(pool_in(tmp_path_factory.mktemp("definitions")).profile)


@pytest.fixture
def pool(tmp_path: Path, definitions: dg.Definitions) -> Iterator[Pool]:
    project = pool_in(tmp_path)
    with project.instance() as instance:
        yield Pool(project, instance, definitions)


def test_a_missing_folder_is_a_reason_and_no_traceback(pool: Pool) -> None:
    assert pool.look() == {}
    assert "there is no such folder" in pool.words
    pool.raw.mkdir()
    assert pool.look() == {}
    assert pool.words.startswith("0 input files; none new")


def test_what_repeats_is_set_aside_alone_and_heals(pool: Pool) -> None:
    """The story of a copied file, a new one with known ids, and a broken one."""
    pool.put("a.jsonl", "anchor")
    pool.put("z.jsonl", "zebra")
    assert pool.step() == {"a.jsonl", "z.jsonl"}
    healthy = pool.listing()

    aged(Path(shutil.copyfile(pool.raw / "a.jsonl", pool.raw / "copy.jsonl")))
    pool.put("known.jsonl", "anchor", n=3)
    pool.put("fresh.jsonl", "fresh")
    (pool.raw / "broken.jsonl.gz").write_bytes(b"this is no gzip")
    aged(pool.raw / "broken.jsonl.gz")
    new = {"copy.jsonl", "known.jsonl", "fresh.jsonl", "broken.jsonl.gz"}
    assert set(pool.look()) == new
    checks = pool.make(*sorted(new))
    assert pool.set_aside == new - {"fresh.jsonl"}
    assert pool.n_documents("fresh.jsonl") == pool.n_documents("a.jsonl") == 5
    assert pool.listing() != healthy

    usable, unique = checks["shards_are_usable"], checks["ids_are_unique"]
    for check in (usable, unique):
        assert not check.passed and not check.blocking
        assert check.severity is dg.AssetCheckSeverity.ERROR
    words = str(usable.description).splitlines()
    assert words[0] == "3 of 6 shards are set aside:"
    assert words[1].startswith("broken.jsonl.gz: ")
    assert "byte for byte" in words[2] and "'a.jsonl'" in words[2]
    assert words[3].startswith("known.jsonl: 3 of its 3 ids are those of documents in 'a.jsonl'")
    assert "broken" not in str(unique.description)
    assert checks["shards_have_the_schema"].passed
    assert checks["few_rows_in_quarantine"].passed
    assert pool.look() == {}, "none is tried again while the cause is there"

    (pool.raw / "copy.jsonl").unlink()
    (pool.raw / "broken.jsonl.gz").unlink()
    pool.put("known.jsonl", "known")
    assert pool.look().keys() == {"known.jsonl"}
    assert "2 not there at this look: broken.jsonl.gz, copy.jsonl" in pool.words
    checks = pool.make("known.jsonl")
    removed = pool.look()
    assert removed == {"broken.jsonl.gz": "deleted", "copy.jsonl": "deleted"}
    assert len(pool.checks) == 4
    assert all(check.passed for check in pool.checks.values()), "healed without a run"
    assert pool.shards == {"a.jsonl", "fresh.jsonl", "known.jsonl", "z.jsonl"}
    assert pool.set_aside == set()
    checks = pool.make("z.jsonl")
    assert all(check.passed for check in checks.values())
    pool.look()
    assert pool.checks == {}, "told once"


def test_a_duplicate_is_accepted_when_the_first_one_goes(pool: Pool) -> None:
    for name, word in (("a.jsonl", "anchor"), ("b.jsonl", "anchor"), ("c.jsonl", "crane")):
        pool.put(name, word)
    pool.step()
    assert pool.set_aside == {"b.jsonl"}
    (pool.raw / "a.jsonl").unlink()
    assert pool.look() == {}
    with_a = pool.listing()
    assert pool.look() == {"a.jsonl": "deleted"}
    assert pool.listing() != with_a, "the mix is told"
    lake = pool.project.store.root
    assert not [f for name in files_of_a_shard(["quadmix"]) for f in (lake / name).glob("a.jsonl*")]
    assert pool.step() == {"b.jsonl"}, "tried again by itself, once"
    assert pool.n_documents("b.jsonl") == 5
    assert pool.look() == {}

    pool.put("a.jsonl", "anchor")
    assert pool.step() == {"a.jsonl"}
    assert pool.set_aside == {"a.jsonl"}, "what is accepted stays accepted"


def test_a_shard_that_comes_back_is_made_again(pool: Pool) -> None:
    path = pool.put("a.jsonl", "anchor")
    pool.put("b.jsonl", "boat")
    first = pool.look()
    pool.make("a.jsonl", "b.jsonl")
    path.rename(pool.project.folder / "elsewhere")
    pool.look()
    assert pool.look() == {"a.jsonl": "deleted"}
    (pool.project.folder / "elsewhere").rename(path)
    again = pool.look()
    assert again.keys() == {"a.jsonl"}
    assert again["a.jsonl"] not in ("deleted", first["a.jsonl"]), "its old results do not count"
    pool.make("a.jsonl")
    assert pool.n_documents("a.jsonl") == 5


def test_nothing_is_removed_when_the_folder_may_have_failed(pool: Pool) -> None:
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        pool.put(name, name[0])
    pool.step()
    for name in ("a.jsonl", "b.jsonl"):
        (pool.raw / name).unlink()
    for _ in range(3):
        assert pool.look() == {}
    assert "the files of 2 of 3 shards are gone" in pool.words
    assert "automation.max_removed_share (50%)" in pool.words
    assert not pool.execute(RAW_SHARDS, "a.jsonl").success
    assert pool.n_documents("a.jsonl") == 5, "and no table is emptied"
    shutil.rmtree(pool.raw)
    assert pool.look() == {}
    assert "The 3 registered shards stay as they are." in pool.words


def test_removal_waits_for_runs_on_shards(pool: Pool) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        pool.put(name, name[0])
    pool.step()
    (pool.raw / "a.jsonl").unlink()
    pool.look()
    job = pool.definitions.resolve_implicit_global_asset_job_def()
    run = pool.instance.create_run_for_job(
        job,
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=frozenset({dg.AssetKey(RAW_SHARDS)}),
    )
    assert pool.look() == {}
    assert f"the run {run.run_id} works on shards" in pool.words
    assert pool.shards == {"a.jsonl", "b.jsonl"}
    pool.instance.delete_run(run.run_id)
    assert pool.look() == {"a.jsonl": "deleted"}


def test_half_written_files_wait(pool: Pool) -> None:
    os.utime(pool.put("a.jsonl", "anchor"))
    assert pool.look() == {}
    assert "1 may still be written: a.jsonl" in pool.words
    aged(pool.raw / "a.jsonl")
    assert pool.look().keys() == {"a.jsonl"}


def test_done_markers(tmp_path: Path, definitions: dg.Definitions) -> None:
    project = pool_in(tmp_path, automation={"done_marker": ".done"})
    with project.instance() as instance:
        pool = Pool(project, instance, definitions)
        pool.put("a.jsonl", "anchor")
        assert pool.look() == {}
        assert "1 may still be written: a.jsonl" in pool.words
        os.utime(pool.raw / "a.jsonl")
        (pool.raw / "a.jsonl.done").touch()
        assert pool.step() == {"a.jsonl"}, "at once"
        assert "ignored" not in pool.words
        (pool.raw / "a.jsonl.done").unlink()
        for _ in range(2):
            assert pool.look() == {}
        assert pool.shards == {"a.jsonl"}, "it is written again, not gone"


def test_a_vanished_file_is_set_aside_by_its_run(pool: Pool) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        pool.put(name, name[0])
    pool.look()
    path = pool.raw / "a.jsonl"
    content, times = path.read_bytes(), path.stat()
    path.unlink()
    checks = pool.make("a.jsonl", "b.jsonl")
    assert pool.set_aside == {"a.jsonl"}
    assert "is not there any more" in str(checks["shards_are_usable"].description)
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert pool.step() == {"a.jsonl"}, "back with the same bytes and time"
    assert pool.set_aside == set()


def test_files_are_registered_and_reported_once(pool: Pool) -> None:
    pool.put("a.jsonl", "anchor")
    settings, store = pool.project.settings, pool.project.store
    for _ in range(2):
        pool.discovery.register_shards(pool.instance, settings, store)
    assert pool.shards == {"a.jsonl"}
    records = pool.instance.fetch_observations(pool.discovery.INPUT_FILES, limit=10).records
    assert len(records) == 1
    assert pool.listing() is not None
    assert pool.look() == {}, "the sensor has nothing to add"
    (pool.raw / "a.jsonl").unlink()
    pool.discovery.register_shards(pool.instance, settings, store)
    assert pool.shards == {"a.jsonl"}, "nothing is removed"


def test_the_lists_of_folders_are_those_of_the_graph(pool: Pool) -> None:
    graph = pool.definitions.resolve_asset_graph()
    partitioned = {
        key.to_user_string()
        for key in graph.materializable_asset_keys
        if isinstance(graph.get(key).partitions_def, dg.DynamicPartitionsDefinition)
    }
    assert set(per_shard(["quadmix"])) == partitioned


def test_shards_of_the_planted_corpus_are_known_before_it_is_made(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with project.instance() as instance:
        pool = Pool(project, instance, definitions_of(project.profile))
        pool.discovery.register_shards(instance, project.settings, project.store)
        suffixes = ("parquet", "jsonl.gz", "jsonl.zst")
        assert pool.shards == {f"shard-{n:05d}.{suffix}" for n, suffix in enumerate(suffixes)}
        assert pool.look() == {}
        assert "materialise planted_corpus" in pool.words
        assert pool.execute("planted_corpus").success
        assert pool.look() == {}, "the corpus has reported its files"
        pool.make(*sorted(pool.shards))
        assert pool.look() == {}
        assert pool.set_aside == set()
