"""Whether a held-out set is used elsewhere: by its files, or because its texts stand there too.

A set that a criterion is fitted to, or that an objective is made of, measures how well a mix fits
what it was chosen by. Held-out sets measure what that is worth elsewhere.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.corpus.inputs import (
    discover_inputs,
    labels_path,
    setting_of,
    target_files,
)
from quadmix_assets.corpus.near_duplicates import near_duplicates
from quadmix_assets.corpus.target_tables import read_documents
from quadmix_assets.settings import Settings, TextSetSettings
from quadmix_assets.store import Store, is_local

MAX_SHARED = 0.05
"""Share of the documents that target sets may have too; these are left out of the held-out set."""
_N_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 80


@dataclass(frozen=True, eq=False)
class Shared:
    """Which documents of a held-out set target sets have too, word by word or nearly so.

    Attributes:
        is_shared: (D,) bool.
        by_target: of the target sets that share any, how many documents of the held-out set.
        examples: by target set, the texts of some of them, and the near-duplicates there.
    """

    is_shared: pl.Series
    by_target: Mapping[str, int]
    examples: Mapping[str, list[tuple[str, str]]]

    def problem(self, held_out: TextSetSettings) -> str | None:
        """What is wrong if too many are shared; else None."""
        if self.is_shared.sum() <= MAX_SHARED * len(self.is_shared):
            return None
        worst = max(self.by_target, key=lambda name: self.by_target[name])
        examples = "; ".join(
            f"{_excerpt(text)!r} (there: {_excerpt(there)!r})"
            for text, there in self.examples[worst]
        )
        return (
            f"{setting_of(held_out)}: {self.by_target[worst]:,} of its {len(self.is_shared):,} "
            f"documents are in the target set {worst!r} too, word by word or with a run of 13 "
            f"words in common, for example {examples}. At most {MAX_SHARED:.0%} may be (they are "
            "left out): name another set, or take it out of the targets"
        )


def used_elsewhere(settings: Settings, store: Store) -> list[str]:
    """What is wrong with the held-out sets: files and texts that are used elsewhere.

    Data sets of the hub are compared by their names alone; nothing is downloaded. A target set that
    is still to be generated is compared when held-out sets are made.

    Raises:
        FileNotFoundError: a file of a target set is not there.
        ValueError: one cannot be read, or any of its rows cannot be used.
    """
    held_out = [each for each in settings.held_out_sets if _is_here(settings, each)]
    if not settings.held_out_sets:
        return []
    try:
        problems = _same_sources(settings, store)
        texts = {each.name: read_documents(settings, store, each)["text"] for each in held_out}
    except (FileNotFoundError, ValueError) as error:
        return [str(error)]
    targets = {
        target.name: read_documents(settings, store, target)["text"]
        for target in settings.targets
        if _is_here(settings, target) and target_files(settings, store, target)[0].exists()
    }
    for each in held_out:
        problem = shared_with_targets(texts[each.name], targets).problem(each)
        problems += [] if problem is None else [problem]
    return problems


def _same_sources(settings: Settings, store: Store) -> list[str]:
    """Held-out sets that are read from what something else is read from, as messages."""
    used: dict[str, str] = {}
    for target in settings.targets:
        used |= dict.fromkeys(_sources(settings, store, target), setting_of(target))
    if settings.held_out_sets and settings.corpus.source == "files":
        try:
            shards = discover_inputs(settings, store).shards
        except FileNotFoundError:
            shards = []
        used |= {_identity(shard.path): "the pool (corpus.raw)" for shard in shards}
    examples = settings.features.domains.labelled_examples
    if examples is not None:
        used[_identity(labels_path(settings, store, examples))] = "features.domains.labels"
    problems = []
    for held_out in settings.held_out_sets:
        setting = setting_of(held_out)
        for source in _sources(settings, store, held_out):
            if source in used:
                problems.append(
                    f"{setting}: {source} is read by {used[source]} too; a held-out set may be "
                    "used nowhere else: name another file or split, or take it out there"
                )
                break
            used[source] = setting
    return problems


def shared_with_targets(texts: pl.Series, targets: Mapping[str, pl.Series]) -> Shared:
    """Which of the texts (D,) of a held-out set are near-duplicates of texts of target sets."""
    is_shared = np.zeros(len(texts), bool)
    by_target, examples = {}, {}
    for name, there in targets.items():
        groups = near_duplicates(pl.concat([texts, there]))
        ours, theirs = groups[: len(texts)], groups[len(texts) :]
        shared = np.isin(ours, theirs)
        if shared.any():
            is_shared |= shared
            by_target[name] = int(shared.sum())
            examples[name] = [
                (texts[int(n)], there[int(np.flatnonzero(theirs == ours[n])[0])])
                for n in np.flatnonzero(shared)[:_N_EXAMPLES]
            ]
    return Shared(pl.Series(is_shared), by_target, examples)


def _is_here(settings: Settings, text_set: TextSetSettings) -> bool:
    return text_set.dataset is None or settings.corpus.datasets is not None


def _sources(settings: Settings, store: Store, text_set: TextSetSettings) -> Iterator[str]:
    """What identifies where a set is read from: its files, or the split of a data set."""
    if text_set.dataset is not None:
        yield f"the split {text_set.split!r} ({text_set.config}) of {text_set.dataset}"
    if _is_here(settings, text_set):
        for path in target_files(settings, store, text_set):
            yield _identity(path)


def _identity(path: UPath) -> str:
    return os.path.realpath(str(path)) if is_local(path) else str(path)


def _excerpt(text: str) -> str:
    words = " ".join(text[: 4 * _EXAMPLE_CHARACTERS].split())
    shown = words[:_EXAMPLE_CHARACTERS]
    return f"{shown}…" if len(text) > len(shown) else shown
