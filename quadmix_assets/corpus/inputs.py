"""Where a profile's inputs lie."""

from upath import UPath

from quadmix_assets.corpus.discovery import Discovery, discover
from quadmix_assets.outputs import PLANTED_CORPUS
from quadmix_assets.settings import LabelledExamples, Settings, TargetSettings
from quadmix_assets.store import Store


def raw_folder(settings: Settings, store: Store) -> UPath:
    """The folder of the input shards."""
    if settings.corpus.source == "planted":
        return store.path(PLANTED_CORPUS, "raw")
    return settings.resolve(settings.corpus.raw)


def target_files(settings: Settings, store: Store, target: TargetSettings) -> list[UPath]:
    """The files of a target set, in order.

    A pattern in a path is expanded. A data set of the hub is looked for under `corpus.datasets`
    where the settings name that folder.

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
