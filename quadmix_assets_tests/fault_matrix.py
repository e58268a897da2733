"""Every asset of a small lake is made again while an operation of the system fails.

As a program, in an empty folder: runs the whole matrix and prints it as a Markdown table. Each
asset meets each operation, the errors in turn; `--all` takes every error for each.
"""

import argparse
import importlib
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from quadmix_assets.outputs import TENSORBOARD
from quadmix_assets.store.temporaries import is_temporary, sweep_temporaries
from quadmix_assets.store.verification import verify_lake
from quadmix_assets_tests.conftest import Project
from quadmix_assets_tests.every_stage import EVERY_STAGE
from quadmix_assets_tests.injected_faults import ERRNOS, OPERATIONS, Faults, injected


@dataclass(frozen=True)
class Case:
    """An asset (and the partition of it), and the operation that fails with this error."""

    asset: str
    partition: str | None
    operation: str
    errno: str


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        case: what was tried.
        n_hits: how often the operation was asked for.
        said: what the step says, one text per failed step.
        left: what should not be there: temporaries, damaged outputs.
    """

    case: Case
    n_hits: int
    said: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One word: not met, survived, said, or what is wrong with it."""
        if self.left:
            return "UNCLEAN"
        if not self.n_hits:
            return "not met"
        if not self.said:
            return "survived"
        return "said" if all(map(_is_a_line, self.said)) else "TRACE"


def _is_a_line(text: str) -> bool:
    """Whether it names a path, in a line or in one for each partition or input, without a trace."""
    *_, last = text.splitlines()
    return "/" in last and "Traceback" not in text and 'File "' not in text


class Matrix:
    """The cases of a project whose whole graph has been made."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._definitions = project.definitions()
        self._job = self._definitions.resolve_implicit_global_asset_job_def()
        self._lake = Path(str(project.store.root))
        whole_graph = importlib.import_module("quadmix_assets.whole_graph")
        stages = importlib.import_module("quadmix_assets.stages")
        cut = stages.cut_into_stages(*whole_graph.graph_of(self._definitions))
        self.assets = [asset for stage in cut for asset in stage.assets]

    def cases(self, assets: Sequence[str], *, every_errno: bool = False) -> Iterator[Case]:
        """Each asset with each operation, and with one error of several in turn, or with all."""
        names = list(ERRNOS)
        with self._project.instance() as instance:
            for place, asset in enumerate(assets):
                partition = self._partitions(instance, asset)[0]
                for number, operation in enumerate(OPERATIONS):
                    chosen = names if every_errno else [names[(place + number) % len(names)]]
                    for errno in chosen:
                        yield Case(asset, partition, operation, errno)

    def make(self, *assets: str) -> None:
        """Make assets, all partitions of them, where nothing fails."""
        with self._project.instance() as instance:
            for asset in assets:
                for partition in self._partitions(instance, asset):
                    self._job.execute_in_process(
                        instance=instance,
                        asset_selection=[dg.AssetKey.from_user_string(asset)],
                        partition_key=partition,
                    )

    def attempt(self, case: Case) -> Outcome:
        """Make the asset again under the fault."""
        with (
            self._project.instance() as instance,
            injected(Faults(case.operation, ERRNOS[case.errno], self._lake)) as faults,
        ):
            result = self._job.execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey.from_user_string(case.asset)],
                partition_key=case.partition,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                raise_on_error=False,
            )
        said = []
        for event in result.filter_events(lambda event: event.is_step_failure):
            data = event.step_failure_data
            given = data.user_failure_data
            said.append((given and given.description) or str(data.error_display_string))
        # As the next run does at its start.
        sweep_temporaries(self._project.store.root)
        left = [str(path) for path in self._lake.rglob("*") if is_temporary(path.name)]
        report = verify_lake(self._project.store.root, lambda *_: None, frozenset({TENSORBOARD}))
        left += [*report.damaged, *report.missing, *report.unchecked]
        # Unfinished work whose card alone was written is made again.
        left = [name for name in left if "_unfinished/" not in name]
        return Outcome(case, len(faults.hits), tuple(said), tuple(left))

    def _partitions(self, instance: dg.DagsterInstance, asset: str) -> list[str] | list[None]:
        key = dg.AssetKey.from_user_string(asset)
        definition = self._definitions.resolve_asset_graph().get(key).partitions_def
        if definition is None:
            return [None]
        return list(definition.get_partition_keys(dynamic_partitions_store=instance))


def table(outcomes: Sequence[Outcome]) -> str:
    """The number of cases of each verdict, by operation."""
    verdicts = sorted({outcome.verdict for outcome in outcomes})
    lines = [f"| operation | {' | '.join(verdicts)} |", f"| --- |{' ---: |' * len(verdicts)}"]
    for operation in OPERATIONS:
        counts = Counter(o.verdict for o in outcomes if o.case.operation == operation)
        cells = " | ".join(str(counts[verdict]) for verdict in verdicts)
        lines.append(f"| {operation} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Run the matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="every error for every operation")
    parser.add_argument("--assets", nargs="*", help="some assets only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder) / "project", **EVERY_STAGE)
        assert project.run()
        matrix = Matrix(project)
        outcomes = []
        for case in matrix.cases(options.assets or matrix.assets, every_errno=options.all):
            outcome = matrix.attempt(case)
            outcomes.append(outcome)
            words = " / ".join((*outcome.said, *outcome.left))
            sys.stdout.write(f"{case}: {outcome.verdict} {words[:600]}\n")
            sys.stdout.flush()
        sys.stdout.write(f"{table(outcomes)}\n")


if __name__ == "__main__":
    main()
