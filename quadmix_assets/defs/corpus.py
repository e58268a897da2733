"""Group `corpus`: the input files, the tokenizer, the target sets."""

from collections.abc import Iterator

import dagster as dg

from quadmix_assets.corpus.check import check_inputs
from quadmix_assets.corpus.inputs import discover_inputs
from quadmix_assets.corpus.pool_tokenizer import named_tokenizer, train_on_pool
from quadmix_assets.corpus.reference_pool import read_reference_pool
from quadmix_assets.corpus.target_tables import write_target_tables
from quadmix_assets.corpus.tokenizer import (
    project_tokenizer,
    tokenizer_fingerprint,
    tokenizer_path,
)
from quadmix_assets.defs.automation import INPUT_FILES, observation
from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.metadata import Cost, clear_errors, markdown_table
from quadmix_assets.defs.partitions import SHARDS
from quadmix_assets.defs.reference_pool import reference_pool
from quadmix_assets.defs.resources import OWNERS, PLANTED, ProjectResource, version_of
from quadmix_assets.outputs import PLANTED_CORPUS, TARGET_SETS, TOKENIZER
from quadmix_assets.settings import SettingsError
from quadmix_assets.store import MissingOutputError, atomic_file

GROUP = "corpus"


@dg.multi_observable_source_asset(
    specs=[
        dg.AssetSpec(
            INPUT_FILES,
            group_name=GROUP,
            kinds={"file"},
            owners=OWNERS,
            partitions_def=SHARDS,
            description="The files in the raw folder at the sensor's last evaluation. A file's "
            "data version is its fingerprint: a rewritten file is processed again.",
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
    code_version=version_of(TOKENIZER, 1),
    deps=[reference_pool],
    automation_condition=PINNED,
)
def tokenizer(project: ProjectResource) -> dg.MaterializeResult:
    """Byte-pair tokenizer trained on a sample of the pool, or the one the settings name. Pinned."""
    cost = Cost()
    settings, store = project.settings, project.store
    source = settings.tokenizer.source
    if source is not None:
        chosen = named_tokenizer(settings, source)
    else:
        chosen = train_on_pool(store, settings, read_reference_pool(store).shards)
    path = tokenizer_path(store)
    with atomic_file(path) as file:
        file.write(chosen.to_str().encode())
    return dg.MaterializeResult(
        data_version=dg.DataVersion(store.fingerprint(path)),
        metadata={
            "vocab_size": chosen.get_vocab_size(),
            "fingerprint": tokenizer_fingerprint(chosen),
            "dagster/uri": str(path),
            **cost.metadata(),
        },
    )


@dg.asset(
    group_name=GROUP,
    kinds={"parquet"},
    owners=OWNERS,
    code_version=version_of(TARGET_SETS, 1),
    deps=[tokenizer, *([PLANTED_CORPUS] if PLANTED else [])],
    automation_condition=PINNED,
)
def target_sets(project: ProjectResource) -> dg.MaterializeResult:
    """Target sets, split in two: one part fits criteria, the other is used for evaluation only.

    Losses are measured on the first `proxies.max_target_tokens` tokens of the second part, whole
    documents in the order of a hash; the table gives their number. That part is stored as text and
    as tokens.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(SettingsError):
        check_inputs(settings, store)
    with clear_errors(MissingOutputError, ValueError, FileNotFoundError):
        table = write_target_tables(store, settings, project_tokenizer(store))
    return dg.MaterializeResult(
        data_version=dg.DataVersion(store.fingerprint(store.root / TARGET_SETS)),
        metadata={
            "targets": markdown_table(table),
            "dagster/row_count": int(table["n_documents"].sum()),
            "n_tokens": int(table["n_tokens"].sum()),
            **cost.metadata(),
        },
    )
