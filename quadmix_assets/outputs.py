"""Names of the folders of the lake; an asset writes its outputs to the folder of its name."""

PLANTED_CORPUS = "planted_corpus"
INPUT_CHECK = "input_check"
RAW_SHARDS = "raw_shards"
REFERENCE_POOL = "reference_pool"
QUARANTINE = "raw_shards_quarantine"
DOCUMENT_IDS = "document_ids"
TOKENIZER = "tokenizer"
TARGET_SETS = "target_sets"
TARGET_OVERLAP = "target_overlap"
FITTED_MODELS = "fitted_models"
SCORED_SHARDS = "scored_shards"
DOMAIN_LABELS = "domain_labels"
SCORED_REFERENCE_POOL = "scored_reference_pool"
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
TENSORBOARD = "tensorboard"
REGRESSOR = "regressor"
OPTIMAL_PARAMS = "optimal_params"
OPTIMUM_CHECK = "optimum_check"
RANK_CALIBRATION = "rank_calibration"
CALIBRATED_FROM = "rank_calibration_made_from"
FINAL_MIX = "final_mix"
EXPORT = "final_mix_export"
MIX_MANIFEST = "mix_manifest"
MIX_LINKS = "mix_links"
RANDOM_COMPARISON = "random_comparison"
CATALOG = "catalog"
PLOTS = "plots"
SETTINGS_OF = "settings_of"

PER_SHARD = (
    RAW_SHARDS,
    TARGET_OVERLAP,
    SCORED_SHARDS,
    DOMAIN_LABELS,
    FINAL_MIX,
)
"""The assets that are partitioned by shard, the mix last."""
PER_BATCH = (MERGED_RANKS, SAMPLED_SUBSET, PROXY_METRICS)
"""The assets that are partitioned by batch of proxies."""
FILES_OF_A_SHARD = (
    *PER_SHARD,
    QUARANTINE,
    EXPORT,
    f"{SCORED_SHARDS}_unfinished",
    f"{DOMAIN_LABELS}_unfinished",
)
"""The folders that hold one file or folder per shard."""

VIEWS = frozenset(
    {
        "calibration", "documents", "domains", "losses", "mix", "mix_shards", "normalizers",
        "optimum_check", "proxy_evaluation", "proxy_pool", "quarantine", "random_comparison",
        "reads", "samples", "scored_documents", "scores", "shards", "sigma",
        "target_overlap", "targets", "thetas",
    }
)  # fmt: skip
"""The tables that SQL queries see."""

COLUMNS = frozenset(
    {
        "bits_per_byte", "centre", "choice_nats", "choice_probability", "confidence", "copies",
        "counted", "criterion", "detail", "document",
        "domain", "epochs", "excerpt", "id", "id_hash", "is_right", "kind", "loss_nats",
        "loss_nats_all", "merged_score",
        "mix", "n_bytes", "n_context", "n_runs", "n_tokens", "n_tokens_sample", "part",
        "precision", "proxy_batch",
        "rank", "reason", "row", "sample", "sampling_value", "scale", "score", "seed",
        "shard", "share", "share_below", "sigma", "source", "status", "target", "target_id",
        "text", "theta_id", "tokens", "value",
    }
)  # fmt: skip
"""The columns of all tables that do not depend on the settings."""

_FOLDERS = frozenset(
    value for name, value in globals().items() if name.isupper() and isinstance(value, str)
)
RESERVED_NAMES = VIEWS | COLUMNS | _FOLDERS
"""What nothing that the settings name may be called where it becomes a column."""
