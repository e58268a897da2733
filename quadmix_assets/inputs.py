"""Where a profile's inputs lie, and the checks on them that cost nothing and come first."""

from upath import UPath

from quadmix_assets.corpus.discovery import Discovery, discover
from quadmix_assets.corpus.readers import MissingTextColumnError, check_text_column
from quadmix_assets.outputs import PLANTED_CORPUS
from quadmix_assets.settings import FasttextDomainsSettings, Settings, SettingsError, TargetSettings
from quadmix_assets.store import Store


def raw_folder(settings: Settings, store: Store) -> UPath:
    """The folder of the input shards."""
    if settings.corpus.source == "planted":
        return store.path(PLANTED_CORPUS, "raw")
    return settings.resolve(settings.corpus.raw)


def target_path(settings: Settings, store: Store, target: TargetSettings) -> UPath:
    """The file of a target set."""
    if target.path is None:
        return store.path(PLANTED_CORPUS, "target.jsonl")
    return settings.resolve(target.path)


def labels_path(settings: Settings, store: Store, domains: FasttextDomainsSettings) -> UPath:
    """The file of labelled examples for the domain classifier."""
    if domains.labels is None:
        return store.path(PLANTED_CORPUS, "labels.jsonl")
    return settings.resolve(domains.labels)


def discover_inputs(settings: Settings, store: Store) -> Discovery:
    """The input shards that are there now."""
    return discover(raw_folder(settings, store), settings.corpus.patterns)


def check_inputs(settings: Settings, store: Store) -> Discovery:
    """Look at all inputs before any work starts, without reading them.

    Raises:
        SettingsError: a target set or the labelled examples are missing or without their text
            column, there is no shard, or no shard has the text column; one message names
            everything that is wrong.
    """
    problems = []
    for target in settings.targets:
        path = target_path(settings, store, target)
        column = target.text_column if target.template is None else None
        problems += _file_problems(f"targets[{target.name}]", "path", path, column)
    domains = settings.features.domains
    if isinstance(domains, FasttextDomainsSettings):
        path = labels_path(settings, store, domains)
        problems += _file_problems("features.domains", "labels", path, domains.text_column)
    discovery = Discovery([], [])
    try:
        discovery = discover_inputs(settings, store)
    except (FileNotFoundError, ValueError) as error:
        problems.append(f"corpus.raw: {error}")
    else:
        problems += _shard_problems(settings, store, discovery)
    if problems:
        raise SettingsError(
            f"profile {settings.profile!r}: the inputs are not complete:\n"
            + "\n".join(f"- {problem}" for problem in problems)
        )
    return discovery


def _file_problems(section: str, key: str, path: UPath, text_column: str | None) -> list[str]:
    if not path.exists():
        return [f"{section}.{key}: {path} is not there"]
    try:
        if text_column is not None:
            check_text_column(path, text_column=text_column)
    except MissingTextColumnError as error:
        return [f"{section}.text_column: {error.path}: {error.reason}"]
    except (OSError, ValueError) as error:
        return [f"{section}.{key}: {error}"]
    return []


def _shard_problems(settings: Settings, store: Store, discovery: Discovery) -> list[str]:
    """What is wrong with the shards as a whole: single bad ones fail their own partitions."""
    if not discovery.shards:
        ignored = f" (files that match no pattern: {discovery.ignored[:5]})"
        return [
            f"corpus.raw: no file in {raw_folder(settings, store)} matches corpus.patterns"
            + (ignored if discovery.ignored else "")
        ]
    first = ""
    for shard in discovery.shards:
        try:
            check_text_column(shard.path, text_column=settings.corpus.text_column)
        except (OSError, ValueError) as error:
            first = first or str(error)
        else:
            return []
    return [f"corpus.raw: no shard can be used, the first because: {first}"]
