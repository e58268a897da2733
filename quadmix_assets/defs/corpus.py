"""Group `corpus`: the input files, the normalised shards, the tokenizer, the target sets."""

from collections.abc import Iterator, Sequence

import dagster as dg
import polars as pl
from upath import UPath

from quadmix_assets.corpus.duplicates import find_duplicate_ids
from quadmix_assets.corpus.inputs import check_inputs, discover_inputs
from quadmix_assets.corpus.planted import TARGET_BLEND, write_planted_corpus
from quadmix_assets.corpus.raw_shard import read_summary, write_raw_shard
from quadmix_assets.corpus.readers import UnreadableShardError
from quadmix_assets.corpus.target_tables import write_target_tables
from quadmix_assets.corpus.text_sample import sample_texts
from quadmix_assets.corpus.tokenizer import (
    load_tokenizer,
    project_tokenizer,
    tokenizer_fingerprint,
    tokenizer_path,
    train_tokenizer,
)
from quadmix_assets.defs.automation import INPUT_FILES, PER_INPUT_FILE, observation
from quadmix_assets.defs.metadata import Cost, clear_errors, markdown_table, table_metadata
from quadmix_assets.defs.partitions import SHARDS, shard_keys, shards_with, work_through
from quadmix_assets.defs.resources import OWNERS, PLANTED, SHARDS_PER_RUN, ProjectResource
from quadmix_assets.outputs import PLANTED_CORPUS, QUARANTINE, RAW_SHARDS
from quadmix_assets.settings import SettingsError
from quadmix_assets.store import MissingOutputError, Store, atomic_file, atomic_folder

GROUP = "corpus"
IDS_ARE_UNIQUE = "ids_are_unique"
FEW_ROWS_IN_QUARANTINE = "few_rows_in_quarantine"


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
            "version is its fingerprint: a rewritten file is worked off again.",
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
    kinds={"polars", "parquet"},
    owners=OWNERS,
    code_version="1",
    partitions_def=SHARDS,
    deps=[INPUT_FILES],
    backfill_policy=dg.BackfillPolicy.multi_run(SHARDS_PER_RUN),
    automation_condition=PER_INPUT_FILE,
    check_specs=[
        dg.AssetCheckSpec(
            IDS_ARE_UNIQUE,
            asset=RAW_SHARDS,
            blocking=True,
            description="No document id occurs twice in the pool: the draw goes by id.",
        ),
        dg.AssetCheckSpec(
            FEW_ROWS_IN_QUARANTINE,
            asset=RAW_SHARDS,
            description="The share of unusable rows stays under `corpus.max_quarantine_share`.",
        ),
    ],
)
def raw_shards(
    context: dg.AssetExecutionContext, project: ProjectResource
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """One normalised Parquet per input shard: id, text, source, n_bytes and carried columns.

    Rows that cannot be used go to `raw_shards_quarantine/<shard>.parquet` with row and reason.
    """
    settings, store = project.settings, project.store
    with clear_errors(SettingsError):
        inputs = {shard.key: shard for shard in check_inputs(settings, store).shards}

    def work(key: str) -> dict[str, object]:
        cost = Cost()
        if key not in inputs:
            raise FileNotFoundError(
                f"no input file belongs to the shard {key!r} any more: put it back, or delete "
                "the partition (Partitions > shard)"
            )
        summary = write_raw_shard(store, inputs[key], settings.corpus)
        path = store.table_path(RAW_SHARDS, key)
        reasons = pl.DataFrame(
            {
                "reason": list(summary.quarantined),
                "n_rows": list(summary.quarantined.values()),
            }
        )
        return {
            **table_metadata(path, store.read_schema(path), summary.n_documents),
            "n_bytes": summary.n_bytes,
            "n_quarantined": summary.n_quarantined,
            "quarantine_share": summary.quarantine_share,
            "quarantine": markdown_table(reasons),
            "quarantine_table": str(store.table_path(QUARANTINE, key)),
            "input_checksum": summary.checksum,
            **cost.metadata(),
        }

    outcome = work_through(context, work, (UnreadableShardError, FileNotFoundError))
    # The checks belong to this step and not to one after it: they also speak where a shard failed.
    materialized = context.instance.get_materialized_partitions(context.asset_key)
    shards = sorted((materialized & set(shard_keys(context))) | set(outcome.done))
    yield _ids_are_unique(store, shards)
    yield _few_rows_in_quarantine(store, shards, settings.corpus.max_quarantine_share)
    outcome.record(context)
    yield dg.MaterializeResult()


def _ids_are_unique(store: Store, shards: Sequence[str]) -> dg.AssetCheckResult:
    found = find_duplicate_ids([store.table_path(RAW_SHARDS, key) for key in shards])
    examples = pl.DataFrame(
        {
            "id": [example for example, _ in found.examples],
            "shards": [", ".join(where) for _, where in found.examples],
        }
    )
    return dg.AssetCheckResult(
        check_name=IDS_ARE_UNIQUE,
        passed=found.n_duplicate_ids == 0,
        description=f"no id occurs twice in {len(shards)} shards"
        if found.n_duplicate_ids == 0
        else f"{found.n_duplicate_ids} ids occur more than once, for example "
        f"{', '.join(f'{i!r} in {sorted(set(where))}' for i, where in found.examples[:3])}: "
        "remove the duplicates, or set corpus.id_column to null to have ids made from shard "
        "and row",
        metadata={
            "n_duplicate_ids": found.n_duplicate_ids,
            "n_documents_affected": found.n_documents_affected,
            "examples": markdown_table(examples),
        },
    )


def _few_rows_in_quarantine(
    store: Store, shards: Sequence[str], limit: float
) -> dg.AssetCheckResult:
    summaries = {key: read_summary(store, key) for key in shards}
    over = {key: s for key, s in summaries.items() if s.quarantine_share > limit}
    table = pl.DataFrame(
        {
            "shard": list(over),
            "n_rows": [s.n_rows for s in over.values()],
            "quarantine_share": [s.quarantine_share for s in over.values()],
            "reasons": [str(s.quarantined) for s in over.values()],
        }
    )
    return dg.AssetCheckResult(
        check_name=FEW_ROWS_IN_QUARANTINE,
        passed=not over,
        description=f"{len(over)} of {len(summaries)} shards have more than {limit:.1%} "
        "of their rows in quarantine" + (f", the first {next(iter(over))!r}" if over else ""),
        metadata={
            "n_quarantined": sum(s.n_quarantined for s in summaries.values()),
            "shards_over_the_limit": markdown_table(table),
        },
    )


@dg.asset(
    group_name=GROUP,
    kinds={"huggingface"},
    owners=OWNERS,
    code_version="1",
    deps=[raw_shards],
)
def tokenizer(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
    """Byte-pair tokenizer trained on a sample of the pool, or the one the settings name. Pinned."""
    cost = Cost()
    settings, store = project.settings, project.store
    if settings.tokenizer.source is not None:
        source = settings.tokenizer.source
        local = settings.resolve(source)
        trained = load_tokenizer(
            str(local) if local.exists() else source, revision=settings.tokenizer.revision
        )
    else:
        shards = shards_with(context, RAW_SHARDS)
        n_bytes = sum(read_summary(store, key).n_bytes for key in shards)
        share = min(1.0, settings.tokenizer.sample_bytes / max(n_bytes, 1))
        context.log.info(f"training on {share:.1%} of {n_bytes / 1e6:,.0f} MB of text")
        texts = (
            text
            for batch in sample_texts(store, shards, share, purpose="tokenizer", seed=settings.seed)
            for text in batch["text"]
        )
        trained = train_tokenizer(texts, vocab_size=settings.tokenizer.vocab_size)
    path = tokenizer_path(store)
    with atomic_file(path) as file:
        file.write(trained.to_str().encode())
    return dg.MaterializeResult(
        metadata={
            "vocab_size": trained.get_vocab_size(),
            "fingerprint": tokenizer_fingerprint(trained),
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
    """Validation sets, split in two: one part fits criteria, the other is used for evaluation only.

    Losses are measured on the first `proxies.max_target_tokens` tokens of the second part, whole
    documents in the order of a hash; the table says how many these are. That part is stored as
    text and as tokens.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(SettingsError):
        check_inputs(settings, store)
    with clear_errors(MissingOutputError, ValueError, FileNotFoundError):
        table = write_target_tables(store, settings, project_tokenizer(store))
    return dg.MaterializeResult(
        metadata={
            "targets": markdown_table(table),
            "dagster/row_count": int(table["n_documents"].sum()),
            "n_tokens": int(table["n_tokens"].sum()),
            **cost.metadata(),
        }
    )
