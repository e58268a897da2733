"""`quadmix verify`: reads every file of the lake, and says which are not what was written."""

import sys
import time
from collections.abc import Iterable
from typing import TextIO

from quadmix_assets.corpus.document_ids import LOCK_FILE
from quadmix_assets.outputs import DOCUMENT_IDS, TENSORBOARD
from quadmix_assets.store import LakeReport, Store, delete_damaged, verify_lake

_SECONDS = 5.0
# Of the project, but not read by it as data.
_NO_OUTPUTS = frozenset({TENSORBOARD, f"{DOCUMENT_IDS}/{LOCK_FILE}"})
_MEGABYTE = 1e6


def verify(store: Store, *, delete: bool) -> int:
    """Verify the lake, and print what was found.

    Args:
        store: the lake.
        delete: delete what is damaged, so that `quadmix run --resume` makes it again.

    Returns:
        The exit status: 0 if every output is what was written, else 1.
    """
    report = verify_lake(store.root, _Progress(sys.stderr), _NO_OUTPUTS)
    deleted = delete_damaged(store.root, report) if delete else []
    sys.stdout.write(verify_text(store, report, deleted, delete=delete))
    return 0 if report.is_sound else 1


def verify_text(store: Store, report: LakeReport, deleted: Iterable[str], *, delete: bool) -> str:
    """What was found, one line per file that is not in order."""
    lines = [f"damaged: {name}: {found}" for name, found in sorted(report.damaged.items())]
    lines += [f"unreadable: {name}: {why}" for name, why in sorted(report.unreadable.items())]
    lines += [f"missing: {name}" for name in report.missing]
    lines += [f"without a checksum: {name}" for name in report.unchecked]
    lines += [
        f"incomplete: {name}: a run is writing it, or was killed" for name in report.incomplete
    ]
    lines += [f"not of this project, never read: {name}" for name in report.strangers]
    lines += [f"deleted: {name}" for name in deleted]
    lines.append(
        f"{report.n_files} files of {report.n_bytes / _MEGABYTE:,.1f} MB in {store.root}: "
        f"{len(report.damaged)} damaged, {len(report.unreadable)} unreadable, "
        f"{len(report.missing)} missing, {len(report.unchecked)} without a checksum"
    )
    if report.damaged and not delete:
        lines.append("`quadmix verify --delete` deletes what is damaged")
    if report.damaged or report.missing:
        lines.append("`quadmix run --resume` makes again what is missing")
    if report.unchecked:
        lines.append(
            "what has no checksum is not read: materialise its asset again, or delete it and "
            "`quadmix run --resume`"
        )
    return "\n".join(lines) + "\n"


class _Progress:
    """Writes the progress, a line now and then."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._start = self._told = time.monotonic()

    def __call__(self, n_files: int, n_bytes: int, n_files_all: int, n_bytes_all: int) -> None:
        """Write a line if it is due."""
        now = time.monotonic()
        if now - self._told < _SECONDS:
            return
        self._told = now
        rate = n_bytes / (now - self._start)
        left = (n_bytes_all - n_bytes) / rate if rate else float("inf")
        self._out.write(
            f"verified {n_files} of {n_files_all} files, {n_bytes / _MEGABYTE:,.0f} of "
            f"{n_bytes_all / _MEGABYTE:,.0f} MB, {rate / _MEGABYTE:,.0f} MB/s, {left:,.0f} s left\n"
        )
        self._out.flush()
