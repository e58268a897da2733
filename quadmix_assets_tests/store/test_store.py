import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import polars as pl
import pytest
from upath import UPath

from quadmix_assets.store import MissingOutputError, Store, atomic_file, atomic_folder

FRAME = pl.DataFrame({"id": ["a", "b", "c"], "score": [0.25, -1.5, 3.0]})


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return Store(UPath(tmp_path / "lake"))
    return Store(UPath(f"memory://{tmp_path.name}/lake"))


def test_table_comes_back_with_its_summary(store: Store) -> None:
    path = store.table_path("scored_shards", "shard-0.parquet")
    store.write_table(path, FRAME, {"counts": [1, 2]})
    assert store.read_table(path).equals(FRAME)
    assert store.read_table(path, ["score"]).columns == ["score"]
    assert store.summary(path) == {"counts": [1, 2]}
    assert store.n_rows(path) == 3
    assert store.read_schema(path) == dict(FRAME.schema)


def test_batches_put_together_are_the_table(store: Store) -> None:
    path = store.table_path("raw_shards", "s")
    frame = pl.DataFrame({"n": range(100)})
    store.write_table(path, frame)
    batches = list(store.iter_table(path, batch_rows=7))
    assert {batch.height for batch in batches} == {7, 100 % 7}
    assert pl.concat(batches).equals(frame)


def test_folder_of_files_comes_back(store: Store) -> None:
    target = store.root / "fitted_models"
    with atomic_folder(target) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "model.bin").write_bytes(b"12")
    with store.local_folder(target) as folder:
        assert (folder / "sub" / "model.bin").read_bytes() == b"12"


def test_missing_output_names_the_asset(store: Store) -> None:
    with pytest.raises(MissingOutputError, match="materialise the asset 'raw_shards'"):
        store.read_table(store.table_path("raw_shards", "shard-7"))


def test_fingerprint_follows_content_and_names(store: Store) -> None:
    first, second = store.path("a", "x.json"), store.path("b", "x.json")
    store.write_json(first, {"k": 1})
    store.write_json(second, {"k": 1})
    assert store.fingerprint(first) == store.fingerprint(second)
    assert store.fingerprint(store.root / "a") == store.fingerprint(store.root / "b")
    store.write_json(second, {"k": 2})
    assert store.fingerprint(first) != store.fingerprint(second)
    store.write_json(store.path("a", "y.json"), {"k": 2})
    assert store.fingerprint(store.root / "a") != store.fingerprint(store.root / "b")


def test_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = UPath(tmp_path / "out.bin")
    with atomic_file(path) as file:
        file.write(b"old")

    def write_half() -> None:
        with atomic_file(path) as file:
            file.write(b"half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.bin"]


def test_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    program = textwrap.dedent(f"""
        import time
        from upath import UPath
        from quadmix_assets.store import atomic_file
        with atomic_file(UPath({str(path)!r})) as file:
            file.write(b"half" * 100_000)
            file.flush()
            print("writing", flush=True)
            time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert path.read_bytes() == b"old"


def test_two_writers_at_once_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    program = textwrap.dedent(f"""
        import sys, time
        from upath import UPath
        from quadmix_assets.store import atomic_file
        for _ in range(20):
            with atomic_file(UPath({str(path)!r})) as file:
                for _ in range(50):
                    file.write(sys.argv[1].encode() * 1000)
    """)
    writers = [subprocess.Popen([sys.executable, "-c", program, letter]) for letter in "ab"]
    deadline = time.monotonic() + 60
    while any(writer.poll() is None for writer in writers) and time.monotonic() < deadline:
        if path.exists():
            content = path.read_bytes()
            assert content in (b"a" * 50_000, b"b" * 50_000)
    assert [writer.wait() for writer in writers] == [0, 0]
