"""What the assets from the input to the normalized scores use of the settings."""

from collections.abc import Iterable

from quadmix_assets.settings.root import Settings
from quadmix_assets.settings.targets import TextSetSettings
from quadmix_assets.settings.used import parts
from quadmix_assets.settings.used.parts import Used


def planted_corpus(settings: Settings) -> Used:
    """What `planted_corpus` uses."""
    return parts.section(settings, "corpus.planted") | parts.seed(settings)


def raw_shards(settings: Settings) -> Used:
    """What `raw_shards` uses."""
    return {
        **parts.section(settings, "corpus", "text_column", "id_column", "source_column"),
        **parts.section(settings, "corpus", "carried_columns", "max_text_bytes"),
        # A shard without the column is refused if the profile names it, else given ids.
        "corpus.id_column is required": settings.corpus.names_id_column,
    }


def tokenizer(settings: Settings) -> Used:
    """What `tokenizer` uses."""
    if settings.tokenizer.source is not None:
        return parts.section(settings, "tokenizer", "source", "revision")
    return parts.section(
        settings, "tokenizer", "source", "vocab_size", "sample_bytes"
    ) | parts.seed(settings)


def target_sets(settings: Settings) -> Used:
    """What `target_sets` uses."""
    return _text_sets(settings, "targets", settings.targets)


def held_out_sets(settings: Settings) -> Used:
    """What `held_out_sets` uses."""
    return _text_sets(settings, "evidence.held_out", settings.held_out_sets)


def _text_sets(settings: Settings, path: str, text_sets: Iterable[TextSetSettings]) -> Used:
    used = parts.seed(settings)
    for text_set in text_sets:
        unused = {"name", "measure"}
        if text_set.dataset is None:
            unused |= {"config", "split", "revision"}
        else:
            used["corpus.datasets"] = settings.corpus.datasets
        if text_set.template is not None or text_set.format is not None:
            unused.add("text_column")
        if text_set.path is None and text_set.dataset is None:
            used["corpus.source"] = settings.corpus.source
        options = text_set.model_dump(mode="json", exclude=unused)
        used |= parts.leaves(f"{path}[{text_set.name}]", options)
    return used


def fitted_models(settings: Settings) -> Used:
    """What `fitted_models` uses."""
    used = parts.criteria(settings) | parts.domains(settings)
    domains = settings.features.domains
    examples = domains.labelled_examples
    models = (*settings.features.criteria, domains)
    if examples is not None or any(model.pool_sample_size for model in models):
        used |= parts.seed(settings)
    if examples is not None and examples.path is None:
        used["corpus.source"] = settings.corpus.source
    if domains.runs_network and domains.pool_sample_size:
        used |= parts.network(settings)
    if settings.features.inference.precision in ("bfloat16", "float16") and any(
        criterion.runs_network for criterion in settings.features.criteria
    ):
        # Whether they rank alike in 16 bits is decided with the models.
        used |= parts.network(settings) | parts.seed(settings)
    return used


def scored_shards(settings: Settings) -> Used:
    """What `scored_shards` uses."""
    names = [criterion.name for criterion in settings.features.criteria]
    used = {"features.criteria[].name": names} | parts.criteria(settings)
    if any(criterion.runs_network for criterion in settings.features.criteria):
        used |= parts.network(settings)
    return used


def domain_labels(settings: Settings) -> Used:
    """What `domain_labels` uses."""
    used = parts.domains(settings)
    return used | parts.network(settings) if settings.features.domains.runs_network else used


def near_duplicates(settings: Settings) -> Used:
    """What `near_duplicates` uses."""
    options = ("threshold", "n_gram", "n_permutations")
    return parts.section(settings, "features.near_duplicates", *options)


def score_normalizers(settings: Settings) -> Used:
    """What `score_normalizers` uses."""
    used = parts.section(settings, "features.normalizer")
    if settings.features.normalizer.kind != "rank":
        del used["features.normalizer.max_breakpoints"]
    return used | parts.score_names(settings)
