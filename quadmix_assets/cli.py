"""The command `quadmix`: the whole graph in one process, and what came of it."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from quadmix_assets.settings import (
    DEFAULT_PROFILE,
    PROFILE_VARIABLE,
    Settings,
    SettingsError,
    load_settings,
)
from quadmix_assets.store import MissingOutputError, Store

SCORING_POOL = "scoring"
PROJECT_ROOT = Path(__file__).parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0 when all went well."""
    parser = argparse.ArgumentParser(prog="quadmix", description=__doc__)
    parser.add_argument(
        "--profile",
        default=os.environ.get(PROFILE_VARIABLE, DEFAULT_PROFILE),
        help="a name in profiles/ or the path of a YAML file (default: %(default)s)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="materialise the whole graph, then print the summary")
    run.add_argument("--resume", action="store_true", help="leave out what is materialised already")
    commands.add_parser("check", help="check settings and inputs, without any work")
    commands.add_parser(
        "instance", help="prepare the profile's Dagster instance and print where it lies"
    )
    reference = commands.add_parser(
        "settings", help="write the reference of all settings, and their JSON schema for editors"
    )
    reference.add_argument("folder", nargs="?", default="docs", type=Path)
    commands.add_parser("summary", help="print where the mix lies and what it looks like")
    options = parser.parse_args(arguments)
    if options.command == "settings":
        write_reference(options.folder)
        return 0
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
    if options.command == "run":
        os.environ[PROFILE_VARIABLE] = options.profile
        use_instance_of(settings)
        from quadmix_assets.whole_graph import materialize_whole_graph

        if not materialize_whole_graph(options.profile, resume=options.resume):
            return 1
    sys.stdout.write(summary_text(settings, store))
    return 0


def write_reference(folder: Path) -> None:
    """Write the reference of the settings into a folder, which is made if need be."""
    from quadmix_assets.settings.reference import reference_files

    folder.mkdir(parents=True, exist_ok=True)
    for name, content in reference_files().items():
        (folder / name).write_text(content, encoding="utf-8")
        sys.stdout.write(f"{folder / name}\n")


def use_instance_of(settings: Settings) -> None:
    """Point Dagster to the profile's own instance, unless DAGSTER_HOME names another; set it up.

    Every profile has an instance of its own: partitions and materialisations of one pool have
    nothing to do with those of another. The pool that limits how many scoring steps run at once
    gets the limit of the settings.
    """
    if "DAGSTER_HOME" not in os.environ:
        home = settings.root / "data" / "dagster" / settings.profile
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT_ROOT / "dagster.yaml", home / "dagster.yaml")
        os.environ["DAGSTER_HOME"] = str(home)
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        slots = settings.features.inference.concurrent_partitions
        instance.event_log_storage.set_concurrency_slots(SCORING_POOL, slots)


if __name__ == "__main__":
    sys.exit(main())
