"""The command `quadmix`: writes a profile, checks inputs, runs the graph, and shows results."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quadmix_assets.faults import fault_text, is_fault
from quadmix_assets.instance import (
    PortInUseError,
    has_instance,
    point_to_instance_of,
    serve_ui,
    use_instance_of,
)
from quadmix_assets.settings import (
    DEFAULT_PROFILE,
    PROFILE_VARIABLE,
    Settings,
    SettingsError,
    load_settings,
)
from quadmix_assets.starter.errors import ProfileNotWrittenError
from quadmix_assets.store import DamagedOutputError, MissingOutputError, Store

if TYPE_CHECKING:
    from quadmix_assets.mix.report import FailedCheck


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: of the command line; None for those of the process.

    Returns:
        The exit status: 0 for success, 1 for a failed run or a lake that is not sound, 2 for
        settings, inputs or outputs that are wrong, missing or damaged.
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
    commands.add_parser("summary", help="print the path and the composition of the final mix")
    sql = commands.add_parser("sql", help="query the lake, or list its views")
    sql.add_argument("query", nargs="?", help="SQL over the views; without it they are listed")
    sql.add_argument(
        "--format", choices=("table", "csv", "json"), default="table", help="(default: %(default)s)"
    )
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
    try:
        if options.command == "init":
            return _init(options)
        return _dispatch(options, load_settings(options.profile))
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


def _dispatch(options: argparse.Namespace, settings: Settings) -> int:
    # Imported late, so that --help and settings errors do not wait for slow imports.
    from quadmix_assets.commands.check import check, check_checkpoints
    from quadmix_assets.mix.report import failed_checks_text, summary_text

    store = Store(settings.resolve(settings.lake))
    if options.command == "check":
        sys.stdout.write(check(settings, store))
        return 0
    if options.command == "sql":
        from quadmix_assets.commands.sql import answer

        return answer(store, settings, options.query, options.format)
    if options.command == "verify":
        from quadmix_assets.commands.verify import verify

        return verify(store, delete=options.delete)
    os.environ[PROFILE_VARIABLE] = options.profile
    if options.command == "instance":
        use_instance_of(settings)
        sys.stdout.write(f"{os.environ['DAGSTER_HOME']}\n")
        return 0
    if options.command == "ui":
        use_instance_of(settings)
        serve_ui(options.host, options.port)
    if options.command == "run":
        check_checkpoints(settings)
        use_instance_of(settings)
        from quadmix_assets.whole_graph import materialize_whole_graph

        if not materialize_whole_graph(options.profile, resume=options.resume):
            sys.stderr.write(failed_checks_text(_failed_checks(settings)))
            return 1
    sys.stdout.write(summary_text(settings, store, _failed_checks(settings)))
    return 0


def _failed_checks(settings: Settings) -> "list[FailedCheck]":
    """The checks that failed last; none where the profile has no instance yet."""
    if not has_instance(settings):
        return []
    point_to_instance_of(settings)
    import dagster as dg

    from quadmix_assets.definitions import defs
    from quadmix_assets.defs.failed_checks import failed_checks

    with dg.DagsterInstance.get() as instance:
        return failed_checks(instance, defs().resolve_asset_graph())


def write_reference(folder: Path) -> None:
    """Write the reference of the settings into a folder, which is created if needed."""
    from quadmix_assets.settings.reference import reference_files

    folder.mkdir(parents=True, exist_ok=True)
    for name, content in reference_files().items():
        (folder / name).write_text(content, encoding="utf-8")
        sys.stdout.write(f"{folder / name}\n")


if __name__ == "__main__":
    sys.exit(main())
