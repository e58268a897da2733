"""Where a profile's inputs lie, and the checks on them that cost nothing and come first."""

from upath import UPath

from quadmix_assets.corpus.discovery import Discovery, discover
from quadmix_assets.corpus.readers import check_text_column
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
        SettingsError: a target set or the labelled examples are missing, there is no shard, or
            no shard has the text column; one message names everything that is wrong.
    """
    problems = []
    for target in settings.targets:
        path = target_path(settings, store, target)
        if not path.exists():
            problems.append(f"targets[{target.name}].path: {path} is not there")
    domains = settings.features.domains
    if isinstance(domains, FasttextDomainsSettings):
        path = labels_path(settings, store, domains)
        if not path.exists():
            problems.append(f"features.domains.labels: {path} is not there")
    folder = raw_folder(settings, store)
    discovery = discover_inputs(settings, store)
    if not discovery.shards:
        ignored = f" (files that match no pattern: {discovery.ignored[:5]})"
        problems.append(
            f"corpus.raw: no file in {folder} matches corpus.patterns"
            + (ignored if discovery.ignored else "")
        )
    unreadable = []
    for shard in discovery.shards:
        try:
            check_text_column(shard.path, text_column=settings.corpus.text_column)
        except (OSError, ValueError) as error:
            unreadable.append(str(error))
    # Single bad shards fail their own partitions; a pool of nothing but bad shards is a setting.
    if unreadable and len(unreadable) == len(discovery.shards):
        problems.append(f"corpus.raw: no shard can be used, the first because: {unreadable[0]}")
    if problems:
        raise SettingsError(
            f"profile {settings.profile!r}: the inputs are not complete:\n"
            + "\n".join(f"- {problem}" for problem in problems)
        )
    return discovery
