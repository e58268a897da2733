"""The progress of a batch in training, summed over the reports of its stacks."""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from quadmix_assets.store.temporaries import write_at_once

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class StackReport:
    """The progress of one stack of a batch.

    Attributes:
        n_tokens: tokens that its proxies together have been trained to predict.
        n_tokens_resumed: those of them that an earlier, interrupted run trained.
        mean_loss_nats: mean training loss, since the last report, of its proxies that have not
            failed; None before the first step.
        n_failed: proxies that failed.
    """

    n_tokens: int
    n_tokens_resumed: int
    mean_loss_nats: float | None
    n_failed: int


@dataclass(frozen=True)
class BatchProgress:
    """The progress of a batch of proxies.

    Attributes:
        n_proxies: proxies of the batch.
        n_tokens: tokens that all of them together have been trained to predict.
        n_tokens_total: tokens that all of them together will have been trained to predict.
        n_failed: proxies that failed.
        mean_loss_nats: mean over stacks of their last reported training loss; NaN before the first
            steps.
        tokens_per_second: of all proxies together, since this run began.
        eta_seconds: remaining time at this rate; infinite before the first steps.
    """

    n_proxies: int
    n_tokens: int
    n_tokens_total: int
    n_failed: int
    mean_loss_nats: float
    tokens_per_second: float
    eta_seconds: float

    def __str__(self) -> str:
        """One line for a log."""
        share = self.n_tokens / max(self.n_tokens_total, 1)
        failed = f", {self.n_failed} failed" if self.n_failed else ""
        whole = f"{self.n_proxies} proxies, {share:.0%} of {self.n_tokens_total:,} tokens"
        # Without a loss nothing was trained yet in this run, so that there is no rate either.
        if not math.isfinite(self.mean_loss_nats):
            return f"{whole}{failed}"
        return (
            f"{whole}, {self.tokens_per_second:,.0f} tokens/s, "
            f"mean loss {self.mean_loss_nats:.3f} nats, {self.eta_seconds:,.0f} s left{failed}"
        )


class ProgressBoard:
    """Collects the reports of a batch's stacks, and logs the batch's progress at intervals.

    Stacks in other processes write their reports as files to a local folder.

    Args:
        n_proxies: proxies of the batch.
        n_tokens_total: tokens that all of them together are to predict.
        tell: called with the progress whenever it is logged; None calls nothing.
        seconds: time between two log messages.
    """

    def __init__(
        self,
        n_proxies: int,
        n_tokens_total: int,
        tell: Callable[[BatchProgress], None] | None,
        seconds: float,
    ) -> None:
        self._n_proxies = n_proxies
        self._n_tokens_total = n_tokens_total
        self._tell = tell
        self._seconds = seconds
        self._reports: dict[int, StackReport] = {}
        self._start = self._told = time.monotonic()
        self._told_tokens = 0

    def put(self, stack: int, report: StackReport) -> None:
        """Store the report of stack number `stack`, and log the progress if it is due."""
        self._reports[stack] = report
        self.tell_if_due()

    def collect(self, folder: Path) -> None:
        """Read the reports of stacks in other processes, and log the progress if it is due."""
        for path in folder.glob("*.json"):
            self._reports[int(path.stem)] = StackReport(**json.loads(path.read_text()))
        self.tell_if_due()

    def tell_if_due(self, *, at_once: bool = False) -> None:
        """Log the progress if tokens were trained since and the interval is over, or `at_once`."""
        now = time.monotonic()
        progress = self.progress()
        if progress.n_tokens > self._told_tokens and (at_once or now - self._told >= self._seconds):
            self._told, self._told_tokens = now, progress.n_tokens
            _LOGGER.info("%s", progress)
            if self._tell is not None:
                self._tell(progress)

    def progress(self) -> BatchProgress:
        """The progress of the batch now."""
        reports = list(self._reports.values())
        n_tokens = sum(report.n_tokens for report in reports)
        fresh = n_tokens - sum(report.n_tokens_resumed for report in reports)
        rate = fresh / max(time.monotonic() - self._start, 1e-9)
        losses = [r.mean_loss_nats for r in reports if r.mean_loss_nats is not None]
        left = self._n_tokens_total - n_tokens
        return BatchProgress(
            n_proxies=self._n_proxies,
            n_tokens=n_tokens,
            n_tokens_total=self._n_tokens_total,
            n_failed=sum(report.n_failed for report in reports),
            mean_loss_nats=sum(losses) / len(losses) if losses else float("nan"),
            tokens_per_second=rate,
            eta_seconds=left / rate if rate else (0.0 if left <= 0 else float("inf")),
        )


def leave_report(folder: Path, stack: int, report: StackReport) -> None:
    """Write the report of stack number `stack` for a `ProgressBoard` in another process."""
    write_at_once(folder / f"{stack}.json", json.dumps(asdict(report)).encode())


def duration(seconds: float) -> str:
    """A duration in words, in its largest units: 40 s, 12 min, 3 h 20 min, 2 d 5 h."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
