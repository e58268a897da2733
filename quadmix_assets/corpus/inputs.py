"""Where a profile's inputs lie, and the checks on them that cost nothing and come first."""

from upath import UPath

from quadmix_assets.corpus.discovery import Discovery, discover
from quadmix_assets.corpus.readers import MissingTextColumnError, check_text_column
from quadmix_assets.outputs import PLANTED_CORPUS
from quadmix_assets.settings import LabelledExamples, Settings, SettingsError, TargetSettings
from quadmix_assets.store import Store


def raw_folder(settings: Settings, store: Store) -> UPath:
    """The folder of the input shards."""
    if settings.corpus.source == "planted":
        return store.path(PLANTED_CORPUS, "raw")
    return settings.resolve(settings.corpus.raw)


def target_files(settings: Settings, store: Store, target: TargetSettings) -> list[UPath]:
    """The files of a target set, in order.

    A pattern of a path and a data set of the hub are looked up, the latter under
    `corpus.datasets` first.

    Raises:
        FileNotFoundError: a pattern matches nothing, or the data set has no such split.
    """
    if target.dataset is not None:
        return _dataset_files(settings, target)
    if target.path is None:
        return [store.path(PLANTED_CORPUS, "target.jsonl")]
    path = settings.resolve(target.path)
    if "*" not in str(path):
        return [path]
    # The folder above the first pattern is where the search begins.
    parts = path.parts
    first = next(i for i, part in enumerate(parts) if "*" in part)
    folder = path.parents[len(parts) - first - 1]
    found = sorted(folder.glob("/".join(parts[first:])), key=str)
    if not found:
        raise FileNotFoundError(f"targets[{target.name}].path: no file matches {path}")
    return found


def _dataset_files(settings: Settings, target: TargetSettings) -> list[UPath]:
    inside = f"{target.config}/{target.split}"
    if settings.corpus.datasets is not None:
        folder = settings.resolve(settings.corpus.datasets) / str(target.dataset) / inside
    else:
        folder = UPath(f"hf://datasets/{target.dataset}@{target.revision}/{inside}")
    found = sorted(folder.glob("*.parquet"), key=str)
    if not found:
        raise FileNotFoundError(
            f"targets[{target.name}]: {folder} holds no Parquet file: correct dataset, config, "
            "split or revision, or put a copy under corpus.datasets"
        )
    return found


def labels_path(settings: Settings, store: Store, examples: LabelledExamples) -> UPath:
    """The file of labelled examples for the domain classifier."""
    if examples.path is None:
        return store.path(PLANTED_CORPUS, "labels.jsonl")
    return settings.resolve(examples.path)


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
        if target.dataset is not None and settings.corpus.datasets is None:
            continue  # the hub is asked when the target is read
        plain = target.template is None and target.format is None
        try:
            files = target_files(settings, store, target)
        except FileNotFoundError as error:
            problems.append(str(error))
            continue
        for path in files:
            column = target.text_column if plain else None
            problems += _file_problems(f"targets[{target.name}]", "path", path, column)
    examples = settings.features.domains.labelled_examples
    if examples is not None:
        path = labels_path(settings, store, examples)
        problems += _file_problems("features.domains", "labels", path, examples.text_column)
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
