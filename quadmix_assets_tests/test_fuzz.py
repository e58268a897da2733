"""Thousands of broken inputs, targets and settings, in a process that one of them might end."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from quadmix_assets.corpus import normalize as normalizing
from quadmix_assets.corpus.normalize import LostRowsError
from quadmix_assets.corpus.readers import ReadBatch
from quadmix_assets.settings.load import PACKAGE
from quadmix_assets_tests import fuzz
from quadmix_assets_tests.corpus.reading import read
from quadmix_assets_tests.lakes import write_lines


def test_only_named_errors_and_no_row_is_lost() -> None:
    command = [sys.executable, "-m", fuzz.__name__, "--cases", "5000"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=PACKAGE.parent, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-500:]
    assert "5000 cases, 0 wrong" in done.stdout


def test_a_case_depends_on_its_number_alone(tmp_path: Path) -> None:
    for kind in set(fuzz.KINDS):
        contents = []
        for name in ("one", "two"):
            folder = tmp_path / name / kind.__name__
            folder.mkdir(parents=True)
            kind(random.Random(7), folder)
            contents.append([path.read_bytes() for path in sorted(folder.iterdir())])
        assert contents[0] == contents[1]


@pytest.mark.parametrize("way", ["dropped", "doubled"])
def test_a_reader_that_loses_rows_stops_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"id": str(n), "text": "x"} for n in range(9)])
    assert read(path)[0].num_rows == 9
    honest = normalizing.read_shard

    def losing(*args: Any, **kwargs: Any) -> Any:
        for batch in honest(*args, **kwargs):
            rows = [0, 1, 2, 4, 5] if way == "dropped" else [0, 1, 1, 2]
            take = pa.array(rows)
            yield ReadBatch(
                batch.rows.take(take),
                batch.text.take(take),
                batch.ids.take(take),
                batch.source.take(take),
                {},
                batch.rejected,
                batch.present,
            )

    monkeypatch.setattr(normalizing, "read_shard", losing)
    with pytest.raises(LostRowsError, match=r"a\.jsonl: of rows 1 to"):
        read(path)


def test_a_step_that_loses_rows_while_it_normalizes_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": "x"}, {"text": ""}])
    monkeypatch.setattr(
        normalizing, "_quarantine", lambda *_: normalizing.QUARANTINE_SCHEMA.empty_table()
    )
    with pytest.raises(LostRowsError, match="2 were read and 1 were written"):
        read(path)
