"""The weights of a batch's proxies: where they are kept, and their evaluation on target sets."""

from upath import UPath

from quadmix_assets.corpus.tokenizer import project_tokenizer
from quadmix_assets.hashing import hash_bytes
from quadmix_assets.outputs import PROXY_WEIGHTS
from quadmix_assets.proxies.evidence import training_version
from quadmix_assets.proxies.parameter_sets import read_batch, read_parameter_sets
from quadmix_assets.proxies.piece_share import piece_share
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.training.kept_weights import bytes_of_weights, drop_other_stacks
from quadmix_assets.training.recipe import architecture_of
from quadmix_assets.training.stacks import KeepWeights
from quadmix_assets.training.train_samples import BatchResult, evaluate_samples


def weights_of_batch(store: Store, settings: Settings, batch: str) -> KeepWeights:
    """Where the weights of a batch are, and the version of the training they have to be of.

    Raises:
        MissingOutputError: thetas or proxy pool have not been made.
    """
    version = repr(sorted(training_version(store, settings, batch).items()))
    return KeepWeights(weights_folder(store, batch), hash_bytes(version.encode()))


def weights_folder(store: Store, batch: str) -> UPath:
    """The folder of the weights of a batch."""
    return store.root / PROXY_WEIGHTS / batch


def swarm_weights_bytes(store: Store, settings: Settings) -> int:
    """Bytes that the weights of the swarm take, with all rounds that there are thetas of.

    Raises:
        MissingOutputError: there are no thetas, or no tokenizer.
    """
    table, _ = read_parameter_sets(store, settings)
    vocab_size = project_tokenizer(store).get_vocab_size()
    return bytes_of_weights(architecture_of(settings.proxies.training), vocab_size, table.height)


def room_for_weights(store: Store, settings: Settings, batch: str) -> KeepWeights | None:
    """Where to keep the weights of a batch; None if `proxies.keep_weights_gb` says not to.

    Weights of an earlier training of the batch are deleted.
    """
    if swarm_weights_bytes(store, settings) > settings.proxies.keep_weights_gb * 1e9:
        store.remove_folder(weights_folder(store, batch))
        return None
    keep = weights_of_batch(store, settings, batch)
    drop_other_stacks(keep)
    return keep


def evaluate_batch(store: Store, settings: Settings, batch: str) -> BatchResult | None:
    """Losses of a batch's kept proxies on the present target sets; None if they were not kept.

    Raises:
        MissingOutputError: an input is not there.
        ValueError: a target set holds no tokens.
    """
    keep = weights_of_batch(store, settings, batch)
    if not keep.folder.exists():
        return None
    theta_ids = list(read_batch(store, settings, batch))
    share = piece_share(store, settings)
    return evaluate_samples(store, settings, keep, theta_ids, piece_share=share)
