"""Reads the rows of whole mixes, shard by shard: of a mix as it is, or of a kept version."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from upath import UPath

from quadmix_assets.mix.versions import (
    find_version,
    kept_table,
    mixes_with_versions,
    read_version,
)
from quadmix_assets.outputs import MIX_MANIFEST, mix_output
from quadmix_assets.store import MissingOutputError, Store

# Between the name of a mix and a version of it.
_AT = "@"
_OTHER_COLUMNS = frozenset(
    {"id", "domain", "n_tokens", "merged_score", "rank", "sampling_value", "copies"}
)


@dataclass(frozen=True)
class MixRows:
    """A version of a mix, whose rows are read when they are asked for.

    Its rows stay the same whatever is made meanwhile, because they are those that were kept when
    its manifest was written.

    Attributes:
        store: the lake.
        mix: its name.
        version: first digits of the hash of its manifest.
        manifest: of that version.
    """

    store: Store
    mix: str
    version: str
    manifest: Mapping[str, Any]

    @property
    def shards(self) -> tuple[str, ...]:
        """The shards that it was made of, in the order of their names."""
        return tuple(sorted(self.manifest["shards"]))

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that its documents may have."""
        return tuple(self.manifest["domains"])

    @property
    def tokens_per_document(self) -> float:
        """Mean length of its documents, copies included."""
        totals = self.manifest["totals"]
        return float(totals["n_tokens_out"] / max(totals["n_copies_out"], 1))

    @property
    def epochs(self) -> float:
        """Its tokens, copies included, by those of the pool."""
        totals = self.manifest["totals"]
        return float(totals["n_tokens_out"] / max(totals["n_tokens_in"], 1))

    def checksum(self, shard: str) -> str | None:
        """What two selections of a shard have in common where their rows are equal.

        None if the mix was made without the shard.
        """
        entry = self.manifest["shards"].get(shard)
        return None if entry is None else str(entry["checksum"])

    def rows(self, shard: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The documents that the mix takes of a shard: one row each, with its copies (1 or more).

        Args:
            shard: one of `shards`.
            columns: such as id, domain, n_tokens, copies and the names of scores; None reads all.

        Raises:
            MissingOutputError: the rows are gone.
            DamagedOutputError: they are not what was written.
        """
        path = self._path(shard)
        return self.store.read_table(path, list(columns) if columns is not None else None)

    def columns(self, shard: str) -> tuple[str, ...]:
        """The columns of the rows of a shard, from its footer alone."""
        return tuple(self.store.read_schema(self._path(shard)))

    def score_names(self) -> tuple[str, ...]:
        """The score columns of its rows, in their order; none if it has no shards."""
        columns = self.columns(self.shards[0]) if self.shards else ()
        return tuple(name for name in columns if name not in _OTHER_COLUMNS)

    def _path(self, shard: str) -> UPath:
        path = kept_table(self.store, self.mix, self.manifest["shards"][shard]["checksum"])
        if self.store.exists(path):
            return path
        raise MissingOutputError(
            f"{path} is gone, which holds the shard {shard!r} of the version {self.version} of "
            f"the mix {self.mix!r}: materialise {mix_output(self.mix, MIX_MANIFEST)!r} again if "
            "that is its present version; else it is lost, and `quadmix versions "
            f"{self.mix} --remove {self.version}` forgets it"
        )

    def __iter__(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """Every shard with its rows."""
        return ((shard, self.rows(shard)) for shard in self.shards)

    def __str__(self) -> str:
        """As users name it: `name@version`."""
        return f"{self.mix}{_AT}{self.version}"


def read_mix(store: Store, mix: str, version: str | None = None) -> MixRows:
    """A mix, or a kept version of it.

    Args:
        store: the lake.
        mix: its name.
        version: the first digits of a version; None stands for what its manifest says now.

    Raises:
        MissingOutputError: the mix was not finished, or there is no such version.
    """
    found = find_version(store, mix, version)
    return MixRows(store, mix, found, read_version(store, mix, found))


def names_version(name: str) -> bool:
    """Whether a name is that of a kept version, `name@version`."""
    return _AT in name


def read_named(store: Store, name: str) -> MixRows:
    """A mix by `name`, or a kept version of it by `name@version`.

    Raises:
        MissingOutputError: there is no such mix or version; the message names those that there are.
    """
    mix, at, version = name.partition(_AT)
    known = mixes_with_versions(store)
    if mix not in known:
        raise MissingOutputError(
            f"there is no finished mix {mix!r}; there are: {', '.join(known) or 'none'}. A mix is "
            "finished when its asset mix_manifest has been materialised"
        )
    return read_mix(store, mix, version if at else None)
