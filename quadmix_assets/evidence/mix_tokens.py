"""The tokens of finished mixes in one token file, and what each model reads of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from quadmix_assets.corpus.token_encoder import TokenEncoder
from quadmix_assets.corpus.tokenizer import project_tokenizer
from quadmix_assets.mix.selections import MixRows
from quadmix_assets.outputs import LANGUAGE_MODEL, RAW_SHARDS
from quadmix_assets.sampling import hash_ids, uniform_of_ids
from quadmix_assets.sampling.validation import FloatArray, IntArray
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.splitmix64 import UIntArray
from quadmix_assets.store import Store
from quadmix_assets.training.selection import Selection
from quadmix_assets.training.shard_tokens import append_tokens
from quadmix_assets.training.token_file import TokenFile, TokenFileWriter

# A mix is thinned to this many times the training tokens: enough that thinning at random does not
# leave so few that the training repeats them.
_MARGIN = 1.2
# And to this many documents on average, of which at least one is left but once in 1e14 times.
_FEWEST_DOCUMENTS = 32


@dataclass(frozen=True)
class MixSize:
    """Documents of a mix, each once, and its tokens, copies included."""

    n_documents: int
    n_tokens: int

    @classmethod
    def of(cls, rows: MixRows) -> "MixSize":
        """The size of a finished mix."""
        totals = rows.manifest["totals"]
        return cls(int(totals["n_documents_out"]), int(totals["n_tokens_out"]))

    def share_for(self, n_tokens: int) -> float:
        """The share of the documents that a training on `n_tokens` is given."""
        by_tokens = _MARGIN * n_tokens / max(self.n_tokens, 1)
        by_documents = _FEWEST_DOCUMENTS / max(self.n_documents, 1)
        return min(1.0, max(by_tokens, by_documents))


@dataclass(frozen=True, eq=False)
class MixTokens:
    """A token file of the documents that models of some mixes read.

    Attributes:
        folder: of the token file.
        id_hashes: (D,) hashes of the documents' ids.
        copies: by mix, (D,) copies of every document in the whole mix.
        sizes: of the whole mixes, by name.
        seed: of the project.
    """

    folder: Path
    id_hashes: UIntArray
    copies: Mapping[str, IntArray]
    sizes: Mapping[str, MixSize]
    seed: int

    def selection(self, mix: str, n_tokens: int, k: int) -> Selection:
        """What the k-th model of a mix reads for a training on `n_tokens`.

        A mix of many more tokens is thinned by whole documents, at random and by the seed: what
        the k-th models of two mixes have in common is thinned alike.
        """
        share = self.sizes[mix].share_for(n_tokens)
        taken = _thinning(self.id_hashes, self.seed, k) < share
        return Selection.of_copies(mix, np.where(taken, self.copies[mix], 0))

    def n_tokens_once(self, selection: Selection, context: int) -> int:
        """Tokens of the documents of a selection, each once whatever its copies.

        Separators are counted as a model reads them, one before every `context` tokens.
        """
        lengths = TokenFile.open(self.folder).n_tokens[selection.documents]
        return int((lengths + -(-lengths // context)).sum())


@contextmanager
def tokens_of_mixes(
    store: Store, settings: Settings, mixes: Sequence[MixRows], *, n_tokens: int, n_seeds: int
) -> Iterator[MixTokens]:
    """Tokenise what models of these mixes read; the token file is gone after the block.

    Args:
        store, settings: of the project.
        mixes: finished ones.
        n_tokens: the largest number of training tokens.
        n_seeds: models per mix.

    Raises:
        MissingOutputError: a shard of a mix has not been normalized, or its rows are gone.
    """
    encoder = TokenEncoder(project_tokenizer(store))
    sizes = {rows.mix: MixSize.of(rows) for rows in mixes}
    shards = sorted({shard for rows in mixes for shard in rows.shards})
    hashes: list[UIntArray] = []
    copies: dict[str, list[IntArray]] = {rows.mix: [] for rows in mixes}
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        with TokenFileWriter(name, vocab_size=encoder.vocab_size) as writer:
            for shard in shards:
                ids = store.read_table(store.table_path(RAW_SHARDS, shard), ["id"])
                of_shard = hash_ids(ids["id"].to_list())
                found = {rows.mix: _copies_in(rows, shard, ids) for rows in mixes}
                read = np.zeros(len(of_shard), bool)
                for k in range(n_seeds):
                    thinning = _thinning(of_shard, settings.seed, k)
                    for mix, of_mix in found.items():
                        read |= (of_mix > 0) & (thinning < sizes[mix].share_for(n_tokens))
                append_tokens(store, shard, read, encoder, writer)
                hashes.append(of_shard[read])
                for mix, of_mix in found.items():
                    copies[mix].append(of_mix[read])
        yield MixTokens(
            Path(name),
            np.concatenate(hashes) if hashes else np.zeros(0, np.uint64),
            {
                mix: np.concatenate(parts) if parts else np.zeros(0, np.int64)
                for mix, parts in copies.items()
            },
            sizes,
            settings.seed,
        )


def _copies_in(rows: MixRows, shard: str, ids: pl.DataFrame) -> IntArray:
    """Copies (D,) that a mix takes of every document of a shard."""
    if rows.checksum(shard) is None:
        return np.zeros(ids.height, np.int64)
    taken = rows.rows(shard, ["id", "copies"]).with_columns(pl.col("copies").cast(pl.Int64))
    joined = ids.join(taken, on="id", how="left", maintain_order="left")
    found: IntArray = joined["copies"].fill_null(0).to_numpy()
    return found


def _thinning(id_hashes: UIntArray, seed: int, k: int) -> FloatArray:
    """Uniform numbers (D,): a document is in a sample of a share if its number is below."""
    return uniform_of_ids(id_hashes, derive_seed(seed, f"{LANGUAGE_MODEL}:thin:{k}"))
