"""Group `corpus`: the input files, the tokenizer, the target sets."""

from collections.abc import Iterator

import dagster as dg
import polars as pl
from upath import UPath

from quadmix_assets.corpus.check import check_inputs
from quadmix_assets.corpus.inputs import discover_inputs, target_files
from quadmix_assets.corpus.planted import TARGET_BLEND, write_planted_corpus
from quadmix_assets.corpus.pool_tokenizer import named_tokenizer, train_on_pool
from quadmix_assets.corpus.target_sets import (
    evaluation_order,
    n_evaluated,
    read_target_set,
    split_target_set,
)
from quadmix_assets.corpus.tokenizer import (
    count_tokens,
    load_tokenizer,
    tokenizer_fingerprint,
)
from quadmix_assets.defs.automation import INPUT_FILES, observation
from quadmix_assets.defs.metadata import Cost, clear_errors, markdown_table
from quadmix_assets.defs.partitions import SHARDS, shards_with
from quadmix_assets.defs.resources import OWNERS, PLANTED, ProjectResource
from quadmix_assets.outputs import PLANTED_CORPUS, RAW_SHARDS, TARGET_SETS, TOKENIZER
from quadmix_assets.settings import SettingsError
from quadmix_assets.store import atomic_file, atomic_folder

GROUP = "corpus"


@dg.asset(
    group_name=GROUP,
    kinds={"python", "parquet"},
    owners=OWNERS,
    code_version="1",
)
def planted_corpus(project: ProjectResource) -> dg.MaterializeResult:
    """The embedded default: a generated corpus whose right answer is known.

    Every document has a domain and a latent quality that shows in its text; the target set is
    drawn from a known blend of domains at high quality.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    planted = settings.corpus.planted
    with atomic_folder(store.root / PLANTED_CORPUS) as folder:
        corpus = write_planted_corpus(
            UPath(folder),
            n_documents=planted.n_documents,
            n_shards=planted.n_shards,
            n_labelled_per_domain=planted.n_labelled_per_domain,
            n_target=planted.n_target,
            seed=settings.seed,
        )
    blend = pl.DataFrame(
        {"domain": list(TARGET_BLEND), "share_of_target": list(TARGET_BLEND.values())}
    )
    return dg.MaterializeResult(
        metadata={
            "n_documents": corpus.n_documents,
            "n_shards": corpus.n_shards,
            "target_blend": markdown_table(blend),
            "dagster/uri": str(store.root / PLANTED_CORPUS),
            **cost.metadata(),
        }
    )


@dg.multi_observable_source_asset(
    specs=[
        dg.AssetSpec(
            INPUT_FILES,
            group_name=GROUP,
            kinds={"file"},
            owners=OWNERS,
            partitions_def=SHARDS,
            description="The files in the raw folder, as the sensor saw them last. A file's data "
            "version is its fingerprint: a rewritten file is processed again.",
        )
    ]
)
def input_files(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> Iterator[dg.ObserveResult]:
    """Report the fingerprints of the files that are there now."""
    for shard in discover_inputs(project.settings, project.store).shards:
        context.log_event(observation(shard))
    yield dg.ObserveResult(asset_key=INPUT_FILES)


@dg.asset(
    group_name=GROUP,
    kinds={"huggingface"},
    owners=OWNERS,
    code_version="1",
    deps=[RAW_SHARDS],
)
def tokenizer(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """Byte-pair tokenizer trained on a sample of the pool, or the one the settings name. Pinned."""
    cost = Cost()
    settings, store = project.settings, project.store
    source = settings.tokenizer.source
    if source is not None:
        chosen = named_tokenizer(settings, source)
    else:
        chosen = train_on_pool(store, settings, shards_with(context, RAW_SHARDS))
    path = store.path(TOKENIZER, "tokenizer.json")
    with atomic_file(path) as file:
        file.write(chosen.to_str().encode())
    return dg.MaterializeResult(
        metadata={
            "vocab_size": chosen.get_vocab_size(),
            "fingerprint": tokenizer_fingerprint(chosen),
            "dagster/uri": str(path),
            **cost.metadata(),
        }
    )


@dg.asset(
    group_name=GROUP,
    kinds={"parquet"},
    owners=OWNERS,
    code_version="1",
    deps=[tokenizer, *([PLANTED_CORPUS] if PLANTED else [])],
)
def target_sets(project: ProjectResource) -> dg.MaterializeResult:
    """Validation sets, split in two: one part fits criteria, the other is only evaluated on.

    Losses are measured on the first `proxies.max_target_tokens` tokens of the second part, whole
    documents in the order of a hash; the table says how many these are.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(SettingsError):
        check_inputs(settings, store)
    counter = load_tokenizer(str(store.require(store.path(TOKENIZER, "tokenizer.json"))))
    rows = []
    for target in settings.targets:
        with clear_errors(ValueError, FileNotFoundError):
            documents = read_target_set(
                target_files(settings, store, target),
                name=target.name,
                text_column=target.text_column,
                template=target.template,
                format=target.format,
                max_documents=target.max_documents,
                seed=settings.seed,
            )
        fit, held_out = split_target_set(documents, fit_share=target.fit_share, seed=settings.seed)
        for part, frame in (("fit", fit), ("held_out", evaluation_order(held_out))):
            store.write_table(store.table_path(TARGET_SETS, f"{target.name}.{part}"), frame)
            n_tokens = count_tokens(counter, frame["text"].to_list())
            n_used = n_evaluated(n_tokens, settings.proxies.max_target_tokens)
            rows.append(
                {
                    "target": target.name,
                    "part": part,
                    "n_documents": frame.height,
                    "n_tokens": int(n_tokens.sum()),
                    "n_tokens_evaluated": int(n_tokens[:n_used].sum()) if part != "fit" else 0,
                    "n_bytes": int(frame["text"].str.len_bytes().sum()),
                    "example": frame["text"][0][:120] if frame.height else "",
                }
            )
    table = pl.DataFrame(rows)
    return dg.MaterializeResult(
        metadata={
            "targets": markdown_table(table),
            "dagster/row_count": int(table["n_documents"].sum()),
            "n_tokens": int(table["n_tokens"].sum()),
            **cost.metadata(),
        }
    )
