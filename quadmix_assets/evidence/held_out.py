"""Writes and reads the outputs of `held_out_sets`: texts that only finished models are measured on.

Of a set one part is kept, all of which is evaluated. Documents that are near-duplicates of a target
set's are left out: what a criterion or a search saw in slightly other words is not held out.
"""

import polars as pl
from tokenizers import Tokenizer
from upath import UPath

from quadmix_assets.corpus.target_sets import PARTS, evaluation_order
from quadmix_assets.corpus.target_tables import (
    TargetTokens,
    counts_of,
    part_path,
    read_documents,
    read_tokens,
    write_tokens,
)
from quadmix_assets.evidence.used_elsewhere import shared_with_targets
from quadmix_assets.outputs import HELD_OUT_SETS
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store


def write_held_out_tables(store: Store, settings: Settings, tokenizer: Tokenizer) -> pl.DataFrame:
    """Read, tokenise and store all held-out sets.

    Returns:
        One row per set: held_out (its name), n_left_out (documents that a target set has too), and
        what `counts_of` gives of the others.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file cannot be read, or any of its rows cannot be used; or target sets have
            too many documents of a set. One message names all such sets.
        MissingOutputError: the target sets are not there.
    """
    targets = {
        name: pl.concat(store.read_table(part_path(store, name, part)) for part in PARTS)["text"]
        for name in settings.target_names
    }
    problems, kept, n_left_out = [], {}, {}
    for held_out in settings.held_out_sets:
        documents = read_documents(settings, store, held_out)
        shared = shared_with_targets(documents["text"], targets)
        if (problem := shared.problem(held_out)) is not None:
            problems.append(problem)
        kept[held_out.name] = documents.filter(~shared.is_shared)
        n_left_out[held_out.name] = int(shared.is_shared.sum())
    if problems:
        raise ValueError("\n".join(problems))
    rows = []
    for name, documents in kept.items():
        documents = evaluation_order(documents)
        tokens = write_tokens(store, HELD_OUT_SETS, name, documents, tokenizer)
        store.write_table(held_out_path(store, name), documents.select("id", "text"))
        counts = counts_of(documents, tokens, settings.proxies.max_target_tokens)
        rows.append({"held_out": name, "n_left_out": n_left_out[name], **counts})
    return pl.DataFrame(rows)


def held_out_path(store: Store, name: str) -> UPath:
    """Where the documents of a held-out set lie."""
    return store.table_path(HELD_OUT_SETS, name)


def read_held_out_tokens(store: Store, name: str, tokenizer: Tokenizer) -> TargetTokens:
    """The documents of a held-out set.

    Raises:
        MissingOutputError: they have not been written, or were encoded with another tokenizer.
    """
    return read_tokens(store, HELD_OUT_SETS, name, tokenizer)


def drop_other_sets(store: Store, settings: Settings) -> None:
    """Delete the tables of sets that the settings no longer name."""
    names = {each.name for each in settings.held_out_sets}
    wanted = {f"{name}{end}.parquet" for name in names for end in ("", "_tokens", "_choices")}
    folder = store.root / HELD_OUT_SETS
    if folder.exists():
        for path in sorted(folder.iterdir(), key=str):
            if path.suffix == ".parquet" and path.name not in wanted:
                store.delete(path)
