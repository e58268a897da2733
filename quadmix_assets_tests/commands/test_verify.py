import io
from pathlib import Path

from upath import UPath

from quadmix_assets.commands.verify import _Progress, verify, verify_text
from quadmix_assets.store import LakeReport, Store


def test_every_finding_has_its_line_and_its_remedy() -> None:
    report = LakeReport(
        n_files=1_200,
        n_bytes=3_400_000,
        damaged={"raw_shards/a.parquet": "its footer has changed"},
        unreadable={"raw_shards/b.parquet": "Input/output error"},
        missing=["regressor/a.json"],
        unchecked=["plots/old.png"],
        strangers=["tokenizer/.DS_Store"],
        incomplete=["proxy_pool"],
    )
    store = Store(UPath("lake"))
    text = verify_text(store, report, [], delete=False)
    for line in (
        "damaged: raw_shards/a.parquet: its footer has changed",
        "unreadable: raw_shards/b.parquet: Input/output error",
        "missing: regressor/a.json",
        "without a checksum: plots/old.png",
        "incomplete: proxy_pool: a run is writing it, or was killed",
        "not of this project, never read: tokenizer/.DS_Store",
        "`quadmix verify --delete` deletes what is damaged",
        "`quadmix run --resume` makes again what is missing",
    ):
        assert line in text.splitlines()
    assert "1200 files of 3.4 MB in lake: 1 damaged, 1 unreadable, 1 missing, 1 without" in text
    deleted = verify_text(store, report, ["raw_shards/a.parquet"], delete=True)
    assert "deleted: raw_shards/a.parquet" in deleted.splitlines()
    assert "verify --delete" not in deleted


def test_an_empty_lake_is_sound(tmp_path: Path) -> None:
    assert verify(Store(UPath(tmp_path / "lake")), delete=True) == 0


def test_the_progress_says_how_much_is_left() -> None:
    out = io.StringIO()
    progress = _Progress(out)
    progress(1, 10, 4, 40)
    assert out.getvalue() == "", "not due yet"
    progress._start -= 10
    progress._told -= 10
    progress(2, 20_000_000, 4, 40_000_000)
    assert out.getvalue() == "verified 2 of 4 files, 20 of 40 MB, 2 MB/s, 10 s left\n"
