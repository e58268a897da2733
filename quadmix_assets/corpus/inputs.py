"""The paths of a profile's inputs: shards, target sets and labelled examples."""

from upath import UPath

from quadmix_assets.corpus.discovery import Discovery, discover
from quadmix_assets.outputs import PLANTED_CORPUS
from quadmix_assets.settings import HeldOutSettings, LabelledExamples, Settings, TextSetSettings
from quadmix_assets.store import Store


def raw_folder(settings: Settings, store: Store) -> UPath:
    """The folder of the input shards."""
    if settings.corpus.source == "planted":
        return store.located(store.path(PLANTED_CORPUS, "raw"))
    return settings.resolve(settings.corpus.raw)


def setting_of(text_set: TextSetSettings) -> str:
    """Where the settings name a target set or a held-out set, for messages."""
    section = "evidence.held_out" if isinstance(text_set, HeldOutSettings) else "targets"
    return f"{section}[{text_set.name}]"


def target_files(settings: Settings, store: Store, target: TextSetSettings) -> list[UPath]:
    """The files of a target set or a held-out set, in order.

    A glob pattern in a path is expanded. A data set of the hub is read from the folder
    `corpus.datasets` where the settings name one, else from the hub.

    Raises:
        FileNotFoundError: a pattern matches nothing, or the data set has no such split.
    """
    if target.dataset is not None:
        return _dataset_files(settings, target)
    if target.path is None:
        return [store.located(store.path(PLANTED_CORPUS, "target.jsonl"))]
    path = settings.resolve(target.path)
    if "*" not in str(path):
        return [path]
    # Only the parts of the path from the first pattern on are searched.
    parts = path.parts
    first = next(i for i, part in enumerate(parts) if "*" in part)
    folder = path.parents[len(parts) - first - 1]
    found = sorted(folder.glob("/".join(parts[first:])), key=str)
    if not found:
        raise FileNotFoundError(
            f"{setting_of(target)}.path: no file matches {path}: correct the pattern, or put the "
            "files there"
        )
    return found


def _dataset_files(settings: Settings, target: TextSetSettings) -> list[UPath]:
    inside = f"{target.config}/{target.split}"
    if settings.corpus.datasets is not None:
        folder = settings.resolve(settings.corpus.datasets) / str(target.dataset) / inside
    else:
        folder = UPath(f"hf://datasets/{target.dataset}@{target.revision}/{inside}")
    found = sorted(folder.glob("*.parquet"), key=str)
    if not found:
        raise FileNotFoundError(
            f"{setting_of(target)}: {folder} holds no Parquet file: correct dataset, config, "
            "split or revision, or put a copy under corpus.datasets"
        )
    return found


def labels_path(settings: Settings, store: Store, examples: LabelledExamples) -> UPath:
    """The file of labelled examples for the domain classifier."""
    if examples.path is None:
        return store.located(store.path(PLANTED_CORPUS, "labels.jsonl"))
    return settings.resolve(examples.path)


def discover_inputs(settings: Settings, store: Store) -> Discovery:
    """The input shards in the raw folder at this moment.

    Raises:
        FileNotFoundError: there is no raw folder.
        OSError: a folder in it cannot be listed.
        ValueError: two files have the same shard key.
    """
    marker = None if settings.corpus.source == "planted" else settings.automation.done_marker
    return discover(raw_folder(settings, store), settings.corpus.patterns, done_marker=marker)
