"""The command `quadmix`: writes a profile, checks inputs, runs the graph, and shows results."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quadmix_assets.faults import fault_text, is_fault
from quadmix_assets.instance import (
    has_instance,
    only_run_of,
    point_to_instance_of,
    use_instance_of,
)
from quadmix_assets.interrupts import Interrupts
from quadmix_assets.plan.devices import NAMED_DEVICES, THIS_MACHINE
from quadmix_assets.settings import (
    DEFAULT_PROFILE,
    PROFILE_VARIABLE,
    Settings,
    SettingsError,
    load_settings,
)
from quadmix_assets.starter.errors import ProfileNotWrittenError
from quadmix_assets.store import DamagedOutputError, MissingOutputError, Store
from quadmix_assets.ui_server import PortInUseError, serve_ui

if TYPE_CHECKING:
    import dagster as dg

    from quadmix_assets.mix.report import FailedCheck


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: of the command line; None for those of the process.

    Returns:
        The exit status: 0 for success, 1 for a failed run, a lake that is not sound or a document
        that is not there, 2 for settings, inputs or outputs that are wrong, missing or damaged, 130
        after Ctrl-C, 143 after SIGTERM.
    """
    parser = argparse.ArgumentParser(prog="quadmix", description=__doc__)
    parser.add_argument(
        "--profile",
        default=os.environ.get(PROFILE_VARIABLE, DEFAULT_PROFILE),
        help="a profile of the package, or the path of a YAML file (default: %(default)s)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="materialise the whole graph, then print the summary")
    run.add_argument("--resume", action="store_true", help="skip what is materialised already")
    init = commands.add_parser(
        "init",
        help="write a commented starter profile from your own shards",
        description="Reads some rows of the shards and of the target sets, and writes a profile "
        "whose comments state what was found, what is guessed, and what is left to decide.",
    )
    init.add_argument(
        "raw",
        nargs="?",
        default="data/raw",
        help="folder or URI of the shards (default: %(default)s)",
    )
    init.add_argument(
        "--targets", default="data/targets", help="folder of the target sets (default: %(default)s)"
    )
    init.add_argument(
        "--output",
        type=Path,
        default=Path("quadmix.yaml"),
        help="the profile to write; its relative paths start at its folder (default: %(default)s)",
    )
    init.add_argument("--force", action="store_true", help="replace an existing file")
    commands.add_parser(
        "check",
        help="check some rows of every input, and print what was found; writes nothing",
    )
    plan = commands.add_parser(
        "plan", help="print what each stage will cost, before anything runs; writes nothing"
    )
    plan.add_argument(
        "--device",
        default=THIS_MACHINE,
        choices=(THIS_MACHINE, *NAMED_DEVICES),
        help="what networks run on; cpu is this machine, measured (default: %(default)s)",
    )
    plan.add_argument(
        "--pool-tokens",
        type=int,
        metavar="N",
        help="tokens of the pool (default: estimated from some rows of its shards)",
    )
    commands.add_parser(
        "instance", help="prepare the profile's Dagster instance and print its folder"
    )
    ui = commands.add_parser("ui", help="serve Dagster's UI on the profile's instance")
    ui.add_argument("--host", default="127.0.0.1", help="the address (default: %(default)s)")
    ui.add_argument("--port", type=int, default=3000, help="the port (default: %(default)s)")
    reference = commands.add_parser(
        "settings", help="write the reference of all settings, and their JSON schema for editors"
    )
    reference.add_argument("folder", nargs="?", default="docs", type=Path)
    summary = commands.add_parser("summary", help="print where a mix lies, and its composition")
    summary.add_argument("--mix", help="name of the mix (default: the one in production)")
    commands.add_parser("mixes", help="list the mixes with their sizes, and what they lack")
    sql = commands.add_parser("sql", help="query the lake, or list its views")
    sql.add_argument("query", nargs="?", help="SQL over the views; without it they are listed")
    sql.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="(default: %(default)s)"
    )
    diff = commands.add_parser(
        "diff", help="say which documents two mixes, or two versions of one, have different"
    )
    diff.add_argument("before", help="a mix, or a kept version of one: NAME or NAME@VERSION")
    diff.add_argument("after", help="the one that it is compared with, in the same way")
    diff.add_argument(
        "--examples",
        type=int,
        default=10,
        metavar="N",
        help="documents of each kind to name (default: %(default)s)",
    )
    versions = commands.add_parser(
        "versions", help="list the kept versions of mixes, or remove one"
    )
    versions.add_argument("mix", nargs="?", help="the mix (default: all)")
    versions.add_argument(
        "--remove", metavar="VERSION", help="remove this version, and say what that has freed"
    )
    versions.add_argument(
        "--dry-run", action="store_true", help="only say what --remove would free"
    )
    explain = commands.add_parser(
        "explain", help="say where a document is, and why it is or is not in each mix"
    )
    explain.add_argument("id", help="the document's id")
    explain.add_argument(
        "--mix",
        help="explain this mix, or a kept version of it (NAME@VERSION), in full (default: all in a "
        "table, production in full)",
    )
    explain.add_argument(
        "--plot", type=Path, help="write its place on the sampling curve to this PNG file"
    )
    report = commands.add_parser(
        "report", help="open the report, one HTML page, in the browser, and print where it lies"
    )
    report.add_argument("--no-open", action="store_true", help="only print where it lies")
    verify = commands.add_parser(
        "verify",
        help="read every file of the lake, and name those that are damaged, missing or unknown",
    )
    verify.add_argument(
        "--delete",
        action="store_true",
        help="delete what is damaged, so that `run --resume` makes it again",
    )
    options = parser.parse_args(arguments)
    if options.command == "settings":
        write_reference(options.folder)
        return 0
    interrupts = Interrupts(_cancel)
    try:
        if options.command == "init":
            return _init(options)
        return _dispatch(options, load_settings(options.profile), interrupts)
    except KeyboardInterrupt:
        resumed = ": `quadmix run --resume` goes on from there" if options.command == "run" else ""
        sys.stderr.write(f"interrupted; what was made stays{resumed}\n")
        return 128 + (interrupts.received() or signal.SIGINT)
    except (
        SettingsError,
        MissingOutputError,
        DamagedOutputError,
        ProfileNotWrittenError,
        PortInUseError,
    ) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Exception as error:
        if not is_fault(error):
            raise
        sys.stderr.write(f"{fault_text(error)}\n")
        return 2


def _init(options: argparse.Namespace) -> int:
    from quadmix_assets.commands.init import init

    sys.stdout.write(init(options.raw, options.targets, options.output, force=options.force))
    return 0


def _dispatch(options: argparse.Namespace, settings: Settings, interrupts: Interrupts) -> int:
    # Imported late, so that --help, settings errors and short answers do not wait for slow imports.
    store = Store(settings.resolve(settings.lake))
    if options.command == "explain":
        from quadmix_assets.commands.explain import explain_to_terminal

        return explain_to_terminal(store, settings, options.id, options.mix, options.plot)
    from quadmix_assets.commands.check import check
    from quadmix_assets.mix.report import summary_text

    if options.command == "check":
        sys.stdout.write(check(settings, store))
        return 0
    if options.command == "plan":
        from quadmix_assets.commands.plan import plan_text

        tokens = options.pool_tokens
        sys.stdout.write(plan_text(settings, store, options.device, pool_tokens=tokens))
        return 0
    if options.command == "sql":
        from quadmix_assets.commands.sql import answer

        return answer(store, settings, options.query, options.format)
    if options.command == "diff":
        from quadmix_assets.commands.diff import diff_to_terminal

        return diff_to_terminal(store, options.before, options.after, options.examples)
    if options.command == "versions":
        from quadmix_assets.commands.versions import versions_to_terminal

        return versions_to_terminal(store, options.mix, options.remove, dry=options.dry_run)
    if options.command == "mixes":
        from quadmix_assets.commands.mixes import mixes_text

        sys.stdout.write(mixes_text(settings, store))
        return 0
    if options.command == "report":
        from quadmix_assets.commands.report import show_report

        return show_report(store, settings, opens=not options.no_open)
    if options.command == "verify":
        from quadmix_assets.commands.verify import verify

        return verify(store, delete=options.delete)
    os.environ[PROFILE_VARIABLE] = options.profile
    if options.command == "instance":
        _say(use_instance_of(settings))
        sys.stdout.write(f"{os.environ['DAGSTER_HOME']}\n")
        return 0
    if options.command == "ui":
        _say(use_instance_of(settings, retry=True))
        return serve_ui(options.host, options.port)
    if options.command == "run":
        return _run(options, settings, store, interrupts)
    sys.stdout.write(summary_text(settings, store, _failed_checks(settings), options.mix))
    return 0


def _run(
    options: argparse.Namespace, settings: Settings, store: Store, interrupts: Interrupts
) -> int:
    from quadmix_assets.commands.check import check_checkpoints
    from quadmix_assets.commands.run import unfinished_text
    from quadmix_assets.mix.report import summary_text

    check_checkpoints(settings)
    with interrupts, only_run_of(settings, lambda words: _say([words])):
        _say(use_instance_of(settings))
        from quadmix_assets.definitions import defs
        from quadmix_assets.whole_graph import materialize_whole_graph

        definitions = defs()
        is_whole = materialize_whole_graph(
            options.profile, definitions, resume=options.resume, interrupts=interrupts
        )
    text = summary_text if is_whole else unfinished_text
    sys.stdout.write(text(settings, store, _failed_checks(settings, definitions)))
    return 0 if is_whole else 1


def _cancel() -> None:
    from quadmix_assets.healing import cancel_own_runs

    cancel_own_runs()


def _say(sentences: Sequence[str]) -> None:
    sys.stderr.write("".join(f"{sentence}\n" for sentence in sentences))


def _failed_checks(
    settings: Settings, definitions: "dg.Definitions | None" = None
) -> "list[FailedCheck]":
    """The checks that failed last; none where the profile has no instance yet.

    Args:
        settings: of the profile.
        definitions: of the profile; None: they are loaded, which takes seconds.
    """
    if not has_instance(settings):
        return []
    point_to_instance_of(settings)
    import dagster as dg

    from quadmix_assets.definitions import defs
    from quadmix_assets.defs.failed_checks import failed_checks

    with dg.DagsterInstance.get() as instance:
        return failed_checks(instance, (definitions or defs()).resolve_asset_graph())


def write_reference(folder: Path) -> None:
    """Write the reference of the settings into a folder, which is created if needed."""
    from quadmix_assets.settings.reference import reference_files

    folder.mkdir(parents=True, exist_ok=True)
    for name, content in reference_files().items():
        (folder / name).write_text(content, encoding="utf-8")
        sys.stdout.write(f"{folder / name}\n")


if __name__ == "__main__":
    sys.exit(main())
