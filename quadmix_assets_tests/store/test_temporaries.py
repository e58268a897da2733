import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from upath import UPath

from quadmix_assets.store import atomic_file, atomic_folder, sweep_temporaries

WRITE = textwrap.dedent("""
    import sys, time
    from upath import UPath
    from quadmix_assets.store import atomic_file, atomic_folder
    with atomic_file(UPath(sys.argv[1], "a", "out.bin")) as file:
        file.write(b"half")
        with atomic_folder(UPath(sys.argv[1], "b")) as folder:
            (folder / "part").write_bytes(b"half")
            print("writing", flush=True)
            time.sleep(60)
""")


def names(lake: Path) -> list[str]:
    return sorted(str(path.relative_to(lake)) for path in lake.rglob("*"))


def test_what_a_killed_writer_leaves_is_swept_and_what_a_living_one_writes_is_not(
    tmp_path: Path,
) -> None:
    strangers = ["a/x.tmp", f"a/.{'0' * 32}.tmp", f"{'0' * 32}.tmp", "a/notes.txt"]
    (tmp_path / "a").mkdir()
    for name in strangers:
        (tmp_path / name).write_bytes(b"")
    before = names(tmp_path)
    command = [sys.executable, "-c", WRITE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        assert sweep_temporaries(UPath(tmp_path)) == []
        assert len(names(tmp_path)) == len(before) + 3
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    swept = sweep_temporaries(UPath(tmp_path))
    assert len(swept) == 2
    assert names(tmp_path) == before


def test_outputs_are_not_swept(tmp_path: Path) -> None:
    with atomic_file(UPath(tmp_path / "a" / "out.bin")) as file:
        file.write(b"12")
        assert sweep_temporaries(UPath(tmp_path)) == []
    for content in (b"old", b"new"):
        with atomic_folder(UPath(tmp_path / "b")) as folder:
            (folder / "part").write_bytes(content)
            assert sweep_temporaries(UPath(tmp_path)) == []
    assert sweep_temporaries(UPath(tmp_path)) == []
    assert (tmp_path / "b" / "part").read_bytes() == b"new"
    assert names(tmp_path) == ["a", "a/out.bin", "b", "b/_listing.json", "b/part"]
