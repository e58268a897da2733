"""The sets of texts that models of mixes are measured on, for neural models and for n-grams."""

from dataclasses import dataclass

from tokenizers import Tokenizer

from quadmix_assets.corpus.target_sets import PROOF
from quadmix_assets.corpus.target_tables import TargetTokens, read_target_tokens
from quadmix_assets.corpus.tokenizer import separator_id
from quadmix_assets.evidence.held_out import read_held_out_tokens
from quadmix_assets.evidence.results import HELD_OUT, TARGET, Kind
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.training.targets import TargetWindows, windows_of


@dataclass(frozen=True, eq=False)
class MeasuredSet:
    """A set of texts, tokenised.

    Attributes:
        name: of the target set or held-out set.
        kind: target (its part `proof`) or held_out.
        tokens: of its documents.
        windows: the same, cut for language models.
    """

    name: str
    kind: Kind
    tokens: TargetTokens
    windows: TargetWindows


def read_measured_sets(
    store: Store, settings: Settings, tokenizer: Tokenizer, context: int
) -> list[MeasuredSet]:
    """The part `proof` of every target set, then every held-out set.

    Losses are measured on the first `proxies.max_target_tokens` tokens of each.

    Args:
        store, settings: of the project.
        tokenizer: the project's.
        context: tokens that a language model reads at once.

    Raises:
        MissingOutputError: a set is not there, or was encoded with another tokenizer.
        ValueError: a set holds no tokens that count.
    """
    found: list[tuple[str, Kind, TargetTokens]] = [
        (name, TARGET, read_target_tokens(store, name, tokenizer, part=PROOF))
        for name in settings.target_names
    ]
    found += [
        (each.name, HELD_OUT, read_held_out_tokens(store, each.name, tokenizer))
        for each in settings.held_out_sets
    ]
    separator, max_tokens = separator_id(tokenizer), settings.proxies.max_target_tokens
    return [
        MeasuredSet(
            name,
            kind,
            tokens,
            windows_of(tokens, context=context, separator_id=separator, max_tokens=max_tokens),
        )
        for name, kind, tokens in found
    ]
