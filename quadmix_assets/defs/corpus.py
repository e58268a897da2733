"""Group `corpus`: the input files, the tokenizer, the target sets."""

import dagster as dg

from quadmix_assets.corpus.check import check_inputs
from quadmix_assets.corpus.pool_tokenizer import named_tokenizer, train_on_pool
from quadmix_assets.corpus.reference_pool import read_reference_pool
from quadmix_assets.corpus.target_sets import SEARCH
from quadmix_assets.corpus.target_tables import part_path, write_target_tables
from quadmix_assets.corpus.tokenizer import (
    project_tokenizer,
    tokenizer_fingerprint,
    tokenizer_path,
)
from quadmix_assets.defs.conditions import PINNED
from quadmix_assets.defs.faults import faults_in_words
from quadmix_assets.defs.materialized import materialized
from quadmix_assets.defs.metadata import Cost, clear_errors, markdown_table, table_metadata
from quadmix_assets.defs.reference_pool import reference_pool
from quadmix_assets.defs.resources import OWNERS, PLANTED, ProjectResource, version_of
from quadmix_assets.outputs import PLANTED_CORPUS, TARGET_SETS, TOKENIZER
from quadmix_assets.settings import SettingsError
from quadmix_assets.store import MissingOutputError, carded_file

GROUP = "corpus"


@dg.asset(
    group_name=GROUP,
    kinds={"huggingface"},
    owners=OWNERS,
    code_version=version_of(TOKENIZER, 1),
    deps=[reference_pool],
    automation_condition=PINNED,
)
@faults_in_words
def tokenizer(project: ProjectResource) -> dg.MaterializeResult:
    """Byte-pair tokenizer trained on a sample of the pool, or the one the settings name. Pinned.

    It counts the tokens that all ranks and shares are weighted by (Eq. 2), and encodes what proxies
    read. Another tokenizer changes every token count: materialise it again only with everything
    below.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    source = settings.tokenizer.source
    if source is not None:
        chosen = named_tokenizer(settings, source)
    else:
        chosen = train_on_pool(store, settings, read_reference_pool(store).shards)
    path = tokenizer_path(store)
    with carded_file(path) as file:
        file.write(chosen.to_str().encode())
    return materialized(
        project,
        TOKENIZER,
        {
            "vocab_size": chosen.get_vocab_size(),
            "fingerprint": tokenizer_fingerprint(chosen),
            "dagster/uri": str(path),
            **cost.metadata(),
        },
        path=path,
    )


@dg.asset(
    group_name=GROUP,
    kinds={"parquet"},
    owners=OWNERS,
    code_version=version_of(TARGET_SETS, 2),
    deps=[tokenizer, *([PLANTED_CORPUS] if PLANTED else [])],
    automation_condition=PINNED,
)
@faults_in_words
def target_sets(project: ProjectResource) -> dg.MaterializeResult:
    """Target sets, each in three parts: to fit criteria, to search, and to prove what was found.

    What the mix should make a model good at: in section 4.1 of the paper OpenHermes and the
    training sets of five benchmarks. Criteria may learn from the first part, proxies are scored on
    the second, and nothing is fitted to or chosen by the third. Near-duplicates are in one part.
    Losses are measured on the first `proxies.max_target_tokens` tokens of a part, whole documents
    in the order of a hash; the table gives their number. Look at the check of `target_overlap`
    before you trust a loss on them.
    """
    cost = Cost()
    settings, store = project.settings, project.store
    with clear_errors(SettingsError):
        check_inputs(settings, store)
    with clear_errors(MissingOutputError, ValueError, FileNotFoundError):
        table = write_target_tables(store, settings, project_tokenizer(store))
    path = part_path(store, settings.target_names[0], SEARCH)
    return materialized(
        project,
        TARGET_SETS,
        {
            "targets": markdown_table(table),
            **table_metadata(path, store.read_schema(path)),
            "dagster/row_count": int(table["n_documents"].sum()),
            "dagster/uri": str(store.root / TARGET_SETS),
            "n_tokens": int(table["n_tokens"].sum()),
            **cost.metadata(n_documents=int(table["n_documents"].sum())),
        },
    )
