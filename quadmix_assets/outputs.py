"""Names of the folders of the lake; an asset writes its outputs to the folder of its name.

Of a mix, the constants are the last component of the name: `mixes/<mix>/<what>`, see `mix_output`.
"""

from collections.abc import Iterable

PLANTED_CORPUS = "planted_corpus"
INPUT_CHECK = "input_check"
RAW_SHARDS = "raw_shards"
REFERENCE_POOL = "reference_pool"
QUARANTINE = "raw_shards_quarantine"
DOCUMENT_IDS = "document_ids"
DOCUMENT_ID_INDEX = "document_id_index"
TOKENIZER = "tokenizer"
TARGET_SETS = "target_sets"
TARGET_OVERLAP = "target_overlap"
FITTED_MODELS = "fitted_models"
SCORED_SHARDS = "scored_shards"
DOMAIN_LABELS = "domain_labels"
SCORED_REFERENCE_POOL = "scored_reference_pool"
DUPLICATE_SIGNATURES = "duplicate_signatures"
NEAR_DUPLICATES = "near_duplicates"
SCORE_NORMALIZERS = "score_normalizers"
SCORE_REPORT = "score_report"
POPULATION_SHIFT = "population_shift"
PROXY_POOL = "proxy_pool"
PARAMETER_SETS = "parameter_sets"
REFINEMENT = "refinement"
UNFINISHED_REFINEMENT = "refinement_unfinished"
MERGED_RANKS = "merged_ranks"
SAMPLED_SUBSET = "sampled_subset"
PROXY_METRICS = "proxy_metrics"
UNFINISHED_PROXIES = "proxy_metrics_unfinished"
PROXY_READS = "proxy_reads"
PROXY_WEIGHTS = "proxy_weights"
PROXY_EVALUATION = "proxy_evaluation"
PROXY_SECONDS = "proxy_metrics_seconds"
PROXY_REPEATS = "proxy_repeats"
DOMAIN_PROXIES = "domain_proxies"
CLIMB_PROXIES = "climb_proxies"
ARCHIVED_METRICS = "proxy_archive"
ARCHIVED_READS = "proxy_archive_reads"
TENSORBOARD = "tensorboard"
REGRESSOR = "regressor"
OPTIMAL_PARAMS = "optimal_params"
VERIFICATION = "verification"
UNFINISHED_VERIFICATION = "verification_unfinished"
OPTIMUM_CHECK = "optimum_check"
PROXY_FIDELITY = "proxy_fidelity"
MIXES = "mixes"
SELECTION_RULE = "selection_rule"
RULE_MADE_FROM = "made_from"
FINAL_MIX = "final_mix"
MIX_EXPORT = "export"
MIX_MANIFEST = "mix_manifest"
MIX_LINKS = "links"
MIX_VERSIONS = "versions"
MIX_COMPARISON = "mix_comparison"
LANGUAGE_MODEL = "language_model"
BENCHMARK_RESULTS = "benchmark_results"
HELD_OUT_SETS = "held_out_sets"
LANGUAGE_MODELS_UNFINISHED = "language_models_unfinished"
COMPARISON_TABLE = "comparison_table"
REPORT = "report"
CATALOG = "catalog"
PLOTS = "plots"
SETTINGS_OF = "settings_of"
FOOTERS = "footers"
POOL_SUMMARY = "pool_summary"
RULE_SUMMARY = "rule_summary"
SCORE_SKETCHES = "score_sketches"
SCORE_DRIFT = "score_drift"
RULE_COUNTS = "rule_counts"

PER_SHARD = (
    RAW_SHARDS,
    TARGET_OVERLAP,
    SCORED_SHARDS,
    DOMAIN_LABELS,
)
"""The assets that are partitioned by shard in every profile, without those of mixes."""
PER_BATCH = (MERGED_RANKS, SAMPLED_SUBSET, PROXY_METRICS)
"""The assets that are partitioned by batch of proxies."""


def mix_output(mix: str, what: str) -> str:
    """The name of an asset of a mix, or of a folder beside them: `mixes/<mix>/<what>`.

    Args:
        mix: its name.
        what: such as SELECTION_RULE, FINAL_MIX, MIX_MANIFEST, MIX_EXPORT.
    """
    return f"{MIXES}/{mix}/{what}"


def mix_of(asset: str) -> tuple[str, str] | None:
    """The mix that an asset belongs to, and what it is of it; None for those of no mix."""
    parts = asset.split("/")
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == MIXES else None


def is_per_shard(asset: str) -> bool:
    """Whether an asset is partitioned by shard."""
    mix = mix_of(asset)
    return mix[1] == FINAL_MIX if mix is not None else asset in (*PER_SHARD, DUPLICATE_SIGNATURES)


def per_shard(mixes: Iterable[str]) -> tuple[str, ...]:
    """The assets that are partitioned by shard, those of these mixes last."""
    return (*PER_SHARD, *(mix_output(mix, FINAL_MIX) for mix in mixes))


def files_of_a_shard(mixes: Iterable[str]) -> tuple[str, ...]:
    """The folders that hold one file or folder per shard, those of these mixes last."""
    names = tuple(mixes)
    return (
        *PER_SHARD,
        DUPLICATE_SIGNATURES,
        QUARANTINE,
        f"{SCORED_SHARDS}_unfinished",
        f"{DOMAIN_LABELS}_unfinished",
        SCORE_SKETCHES,
        *(mix_output(mix, what) for mix in names for what in (FINAL_MIX, MIX_EXPORT, RULE_COUNTS)),
    )


def asset_folder(name: str) -> str:
    """The folder of the lake that an asset fills, of the path of a file or folder in it.

    Args:
        name: relative to the lake, such as `mixes/quadmix/final_mix/a.parquet`.
    """
    parts = name.split("/")
    return "/".join(parts[: 3 if parts[0] == MIXES else 1])


VIEWS = frozenset(
    {
        "benchmark_results", "calibration", "climb_proxies", "comparison_ablations",
        "comparison_budgets", "comparison_pairs", "comparison_regressors", "comparison_table",
        "documents", "domain_proxies", "domains", "language_models", "losses", "mix",
        "mix_comparison", "mix_criteria", "mix_domains", "mix_overlaps", "mix_shards",
        "near_duplicates", "normalizers", "optimum_check", "proxy_evaluation", "proxy_fidelity",
        "proxy_pool", "proxy_repeats", "published_results", "quarantine", "reads", "samples",
        "scored_documents", "scores", "shards", "sigma", "target_overlap", "targets", "thetas",
        "verification",
    }
)  # fmt: skip
"""The tables that SQL queries see."""

COLUMNS = frozenset(
    {
        "accuracy_average", "accuracy_commonsense", "accuracy_knowledge", "accuracy_math",
        "accuracy_reading_comprehension", "bits_per_byte", "budget", "candidate", "centre",
        "chance", "choice_nats", "choice_probability", "cluster", "confidence", "constant_mae_nats",
        "copies", "counted", "criterion", "detail", "deviation_pool", "document", "domain",
        "engine", "epochs", "excerpt", "folder", "gain", "gain_high", "gain_low", "heat", "id",
        "id_hash", "interval_over", "is_production", "is_right", "jaccard", "kendall", "kind",
        "learned_from", "loss_nats", "loss_nats_all", "mae_nats", "max_copies", "mean", "mean_pool",
        "measure", "merged_score", "method", "metric", "mix", "mixture_id", "model", "n", "n_bytes",
        "n_context", "n_copies", "n_documents", "n_duplicates", "n_failed", "n_held_out",
        "n_in_mix", "n_in_pool", "n_mixes", "n_models", "n_parameters", "n_proxies", "n_runs",
        "n_seeds", "n_sets", "n_target_documents", "n_tokens", "n_tokens_mix", "n_tokens_sample",
        "n_tokens_shared", "n_too_short", "objective", "option", "option_value", "other",
        "other_budget", "other_value", "p", "p_holm", "p_holm_production", "part", "percent",
        "precision", "proxy_batch", "published_table", "rank", "reason", "regressor", "round",
        "row", "sample", "sampling_value", "scale", "score", "seed", "set", "shard", "share",
        "share_below", "share_pool", "share_shared", "sigma", "signature", "sizes", "source",
        "spearman", "spearman_of_seeds", "standard_error", "status", "target", "target_id", "text",
        "theta_id", "tokens", "tokens_per_document", "train_loss_nats", "training_epochs", "value",
        "version", "win_rate",
    }
)  # fmt: skip
"""The columns of all tables that do not depend on the settings."""

_FOLDERS = frozenset(
    value for name, value in globals().items() if name.isupper() and isinstance(value, str)
)
RESERVED_NAMES = VIEWS | COLUMNS | _FOLDERS
"""What nothing that the settings name may be called where it becomes a column."""
