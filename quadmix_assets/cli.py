"""The command `quadmix`: the whole graph in one process, and what came of it."""

import argparse
import os
import sys
from collections.abc import Sequence

from quadmix_assets.instance import serve_ui, use_instance_of
from quadmix_assets.settings import (
    DEFAULT_PROFILE,
    PROFILE_VARIABLE,
    Settings,
    SettingsError,
    load_settings,
)
from quadmix_assets.store import MissingOutputError, Store


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0 when all went well."""
    parser = argparse.ArgumentParser(prog="quadmix", description=__doc__)
    parser.add_argument(
        "--profile",
        default=os.environ.get(PROFILE_VARIABLE, DEFAULT_PROFILE),
        help="a profile of the package, or the path of a YAML file (default: %(default)s)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="materialise the whole graph, then print the summary")
    run.add_argument("--resume", action="store_true", help="leave out what is materialised already")
    commands.add_parser("check", help="check settings and inputs, without any work")
    commands.add_parser(
        "instance", help="prepare the profile's Dagster instance and print where it lies"
    )
    ui = commands.add_parser("ui", help="serve Dagster's UI on the profile's instance")
    ui.add_argument("--host", default="127.0.0.1", help="the address (default: %(default)s)")
    ui.add_argument("--port", type=int, default=3000, help="the port (default: %(default)s)")
    commands.add_parser("summary", help="print where the mix lies and what it looks like")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(options.profile)
        return _dispatch(options, settings)
    except (SettingsError, MissingOutputError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _dispatch(options: argparse.Namespace, settings: Settings) -> int:
    # Imported late: --help and a wrong setting answer at once.
    from quadmix_assets.corpus.inputs import check_inputs
    from quadmix_assets.mix.report import summary_text

    store = Store(settings.resolve(settings.lake))
    if options.command == "check":
        if settings.corpus.source == "files":
            discovery = check_inputs(settings, store)
            sys.stdout.write(f"{len(discovery.shards)} shards, all inputs are there\n")
        else:
            sys.stdout.write("the settings are valid; the corpus is generated\n")
        return 0
    if options.command == "instance":
        use_instance_of(settings)
        sys.stdout.write(f"{os.environ['DAGSTER_HOME']}\n")
        return 0
    os.environ[PROFILE_VARIABLE] = options.profile
    if options.command == "ui":
        use_instance_of(settings)
        serve_ui(options.host, options.port)
    if options.command == "run":
        use_instance_of(settings)
        from quadmix_assets.whole_graph import materialize_whole_graph

        if not materialize_whole_graph(options.profile, resume=options.resume):
            return 1
    sys.stdout.write(summary_text(settings, store))
    return 0


if __name__ == "__main__":
    sys.exit(main())
