"""The neural networks that score or label documents, and what a pass over the pool costs."""

from collections.abc import Iterator
from dataclasses import dataclass

from quadmix_assets.plan.inputs import InputSize
from quadmix_assets.settings import Settings

# Parameters of matrices that every token goes through, without embeddings: of encoder-decoders
# those of the encoder, as the answer is a single token. From the models' published shapes.
_PARAMETERS = {
    "google/flan-t5-xl": 1_220_000_000,
    "HuggingFaceFW/fineweb-edu-classifier": 86_000_000,
    "nvidia/domain-classifier": 86_000_000,
    "sentence-transformers/all-MiniLM-L6-v2": 10_600_000,
    "openai-community/gpt2": 85_000_000,
}


@dataclass(frozen=True)
class Scoring:
    """A network that reads the pool.

    Attributes:
        name: of the criterion; of the domain classifier its kind.
        model: hub id or folder.
        n_tokens: that it reads, at most `max_tokens` of each document.
        flops: forward, two per parameter and token; None where the model's size is not known.
    """

    name: str
    model: str
    n_tokens: int
    flops: int | None


def scoring_networks(settings: Settings, inputs: InputSize) -> Iterator[Scoring]:
    """Every network that the settings name; the tokens are counted as the project's own."""
    features = settings.features
    named = [(criterion.name, criterion) for criterion in features.criteria]
    for name, model in [*named, (features.domains.kind, features.domains)]:
        if not model.runs_network:
            continue
        n_read = _tokens_read(inputs, getattr(model, "max_tokens", None))
        which = str(getattr(model, "model", name))
        parameters = _PARAMETERS.get(which)
        flops = None if parameters is None else 2 * parameters * n_read
        yield Scoring(name, which, n_read, flops)


def _tokens_read(inputs: InputSize, most: int | None) -> int:
    n_tokens, n_documents = inputs.n_tokens or 0, inputs.n_documents or 0
    return n_tokens if most is None else min(n_tokens, most * n_documents)
