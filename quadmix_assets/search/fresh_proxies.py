"""Proxies that are trained beside the swarm, with fresh draws, orders and initial weights.

A theta's loss in the swarm is one draw of several random numbers, and the best of many such losses
is too low. What is measured here shares no random number with the swarm. Samples with the same seed
share all three random numbers, so that they differ by their documents alone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from upath import UPath

from quadmix_assets.outputs import PROXY_POOL, TARGET_SETS
from quadmix_assets.proxies.piece_share import piece_share
from quadmix_assets.proxies.proxy_pool import open_index, read_documents, token_folder, token_source
from quadmix_assets.sampling import PoolDraw, Theta
from quadmix_assets.sampling.validation import FloatArray
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.training.progress import BatchProgress
from quadmix_assets.training.selection import Selection
from quadmix_assets.training.stacks import Sample
from quadmix_assets.training.train_samples import train_samples

# Epsilon of Algorithm 1 is at most this.
_MAX_EPSILON = 1e-3


@dataclass(frozen=True, eq=False)
class FreshProxies:
    """The proxy pool, open for drawing and training.

    Attributes:
        purpose: in the seeds, so that no two purposes share random numbers.
        draw: over the proxy pool.
        documents: by column, (D,) of the proxy pool: id_hash, n_tokens, sigma_<criterion>.
    """

    store: Store
    settings: Settings
    purpose: str
    folder: Path
    draw: PoolDraw
    documents: dict[str, np.ndarray]

    @property
    def n_tokens_per_domain(self) -> FloatArray:
        """(M,) tokens of the proxy pool's domains."""
        return self.draw.index.n_tokens.astype(np.float64)

    def seed_of(self, what: str, k: int) -> int:
        """The seed of a draw, an order or the initial weights, for the k-th proxy of a sample."""
        return derive_seed(self.settings.seed, f"{self.purpose}:{what}:{k}")

    def select(self, name: str, theta: Theta, k: int) -> Selection:
        """What a theta of that name takes of the proxy pool in its k-th draw."""
        draw = self.draw
        if (epsilon := float(np.max(theta.epsilon))) > draw.max_epsilon:
            hashes = self.documents["id_hash"]
            draw = PoolDraw(draw.index, hashes, self.settings.seed, max_epsilon=epsilon)
        return Selection(name, *draw.with_seed(self.seed_of("draw", k)).copies(theta))

    def sample(self, number: int, selection: Selection, k: int) -> Sample:
        """A selection as the sample of a proxy of that number, with the k-th seeds."""
        return selection.sample(
            number, seed=self.seed_of("weights", k), order_seed=self.seed_of("order", k)
        )

    def train(
        self,
        samples: Sequence[Sample],
        *,
        parts: Sequence[str],
        unfinished_folder: UPath,
        on_progress: Callable[[BatchProgress], None],
    ) -> pl.DataFrame:
        """Train one proxy on each sample: a row of METRICS_SCHEMA per sample, target and part.

        Args:
            samples: from `sample`.
            parts: of the target sets that losses are measured on.
            unfinished_folder: for stacks that are done or in training, so that a run that was
                killed goes on.
            on_progress: called with the progress.

        Raises:
            MissingOutputError: tokenizer or target sets are not there.
            ValueError: a target set holds no tokens, or TensorBoard files cannot be written.
            RuntimeError: a worker process died, or a single proxy does not fit in memory.
        """
        store = self.store
        return train_samples(
            store,
            self.settings,
            token_folder(self.folder),
            self.documents["id_hash"],
            samples,
            n_tokens_per_proxy=self.settings.proxies.training.n_tokens_per_proxy,
            piece_share=piece_share(store, self.settings),
            parts=parts,
            on_progress=on_progress,
            unfinished_folder=unfinished_folder,
            token_source=token_source(store),
            inputs_version={
                name: store.fingerprint(store.root / name) for name in (PROXY_POOL, TARGET_SETS)
            },
        ).metrics


@contextmanager
def fresh_proxies(store: Store, settings: Settings, purpose: str) -> Iterator[FreshProxies]:
    """Open the proxy pool for proxies that are trained for `purpose`.

    Raises:
        MissingOutputError: the proxy pool is not there, or is of other criteria or domains.
    """
    columns = ["id_hash", "n_tokens", *(f"sigma_{name}" for name in settings.criterion_names)]
    with store.local_folder(store.root / PROXY_POOL) as folder:
        documents = read_documents(folder, columns)
        draw = PoolDraw(
            open_index(folder, settings),
            documents["id_hash"],
            settings.seed,
            max_epsilon=_MAX_EPSILON,
        )
        yield FreshProxies(store, settings, purpose, folder, draw, documents)
