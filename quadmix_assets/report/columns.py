"""What every column of every table of the lake holds, and in which unit.

The UI's column panels and the comments of the SQL views are made from these descriptions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from quadmix_assets.outputs import (
    ARCHIVED_METRICS,
    ARCHIVED_READS,
    BENCHMARK_RESULTS,
    CLIMB_PROXIES,
    COMPARISON_TABLE,
    DOMAIN_LABELS,
    DOMAIN_PROXIES,
    DUPLICATE_SIGNATURES,
    FINAL_MIX,
    LANGUAGE_MODEL,
    MERGED_RANKS,
    MIX_COMPARISON,
    MIX_EXPORT,
    NEAR_DUPLICATES,
    OPTIMUM_CHECK,
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_FIDELITY,
    PROXY_METRICS,
    PROXY_POOL,
    PROXY_READS,
    PROXY_REPEATS,
    QUARANTINE,
    RAW_SHARDS,
    REFINEMENT,
    SAMPLED_SUBSET,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    SELECTION_RULE,
    TARGET_OVERLAP,
    TARGET_SETS,
    VERIFICATION,
    mix_of,
)
from quadmix_assets.sampling import feature_names
from quadmix_assets.settings import Settings


@dataclass(frozen=True)
class Column:
    """The description of a column.

    Attributes:
        meaning: what a value is.
        unit: of a number; empty for texts and names.
        nullable: whether values may be missing.
        unique: whether no value occurs twice in a table.
    """

    meaning: str
    unit: str = ""
    nullable: bool = False
    unique: bool = False

    def __str__(self) -> str:
        """Meaning and unit in one line."""
        return f"{self.meaning} [{self.unit}]" if self.unit else self.meaning


_ID = Column("document id, unique in the pool", unique=True)
_TEXT = Column("the document's text")
_SOURCE = Column("where the document comes from; the shard where the input has no source")
_N_BYTES = Column("size of the text in UTF-8", "bytes")
_N_TOKENS = Column("length of the document by the project's tokenizer", "tokens")
_SHARD = Column("partition key of the input file")
_DOMAIN = Column("domain of the document; 'unknown' below the confidence floor")
_DOMAIN_INDEX = Column("domain, as its place among the settings' domains", "index from 0")
_THETA_ID = Column("number of the theta, through all rounds", "number from 0")
_OLD_THETA_ID = Column("number of the theta when it was trained", _THETA_ID.unit)
_MIXTURE_ID = Column("number of the weights of domains", "number from 0")
_TARGET = Column("name of the target set")
_PART = Column("part of the target set: search or proof")
_TARGET_ID = Column("id of the document in the target set")
_OBJECTIVE = Column("objective whose theta* is measured, with what it is compared with")
_COPIES = Column("how often the document is taken", "copies")
_MERGED = Column("merged score under theta (Eq. 1), smaller is better", "normalized score, 0 to 1")
_SHARE_BELOW = Column("tokens that score better than this", "share of tokens, 0 to 1")
_SHARE = Column("tokens that score better than or equal to this", "share of tokens, 0 to 1")
_SEED = Column("repetition with random numbers of its own", "number from 0")

_ACCURACY = Column(
    "mean accuracy over the tasks of this ability, normalised where there is such; null without",
    "share of questions, 0 to 1",
    nullable=True,
)
_LOW = "lower end of the 90 % interval; null where there is none"
_HIGH = "upper end of the 90 % interval; null where there is none"

_TRAINING = {
    "target": _TARGET,
    "part": _PART,
    "loss_nats": Column(
        "mean loss on the target set, without the words of its template",
        "nats per token",
        nullable=True,
    ),
    "loss_nats_all": Column(
        "mean loss on the target set, all its tokens", "nats per token", nullable=True
    ),
    "bits_per_byte": Column(
        "mean loss on the target set, without the words of its template",
        "bits per byte of text",
        nullable=True,
    ),
    "choice_probability": Column(
        "mean share of the right choice in the probability of all choices; null without choices",
        "probability",
        nullable=True,
    ),
    "choice_nats": Column(
        "mean of minus the logarithm of the right choice's share; null without choices",
        "nats per question",
        nullable=True,
    ),
    "status": Column("trained or failed"),
    "reason": Column("why the training failed; null where it did not", nullable=True),
    "n_tokens": Column("tokens that the model was trained on, repetitions included", "tokens"),
    "n_tokens_sample": Column(
        "tokens of the sample that it was trained on a part of, copies included", "tokens"
    ),
    "epochs": Column("how often it read its part of the sample", "passes"),
    "precision": Column("number format of the training"),
}
_READS = {
    "id_hash": Column("hash of the document's id", "64-bit number"),
    "n_tokens": Column(
        "tokens of the document that the proxy read, through all copies and epochs; of more "
        "than 20,000 documents a sample, scaled to keep the sum",
        "tokens",
    ),
}
_RAW = {
    "id": _ID,
    "text": _TEXT,
    "source": _SOURCE,
    "n_bytes": _N_BYTES,
}
_THETA = {
    "theta_id": Column(_THETA_ID.meaning, _THETA_ID.unit, unique=True),
    "proxy_batch": Column("partition key of the batch of proxies that trains it"),
}
# The columns that do not depend on the settings. Tables without any are left out.
_FIXED: dict[str, dict[str, Column]] = {
    RAW_SHARDS: _RAW,
    QUARANTINE: {
        "shard": _SHARD,
        "row": Column(
            "row of the input file; in JSON lines, the line", "number from 1", nullable=True
        ),
        "id": Column("the row's id; null where it is unknown", nullable=True),
        "reason": Column("kind of defect"),
        "detail": Column("description of the defect", nullable=True),
        "excerpt": Column("at most 200 characters of the row", nullable=True),
    },
    TARGET_OVERLAP: {
        "target": Column("name of the target set or held-out set"),
        "target_id": _TARGET_ID,
        "id": Column("id of the document in the pool"),
        "n_runs": Column("different runs of 13 words that both have", "runs"),
    },
    BENCHMARK_RESULTS: {
        "mix": Column("name of the mix"),
        "model": Column("what was measured: language_model, or the trigram model of the mix"),
        "budget": Column("tokens that the settings ask to train it on", "tokens"),
        "seed": _SEED,
        "set": Column("name of the target set, held-out set or benchmark task"),
        "kind": Column("target (its part proof), held_out or task"),
        "metric": Column(
            "loss_nats, bits_per_byte, choice_probability, choice_probability_norm, choice_nats, "
            "acc, acc_norm, exact_match or answer_nats"
        ),
        "value": Column("mean over the documents or questions", "that of the metric"),
        "standard_error": Column(
            "standard error of the mean, over documents or questions",
            "that of the metric",
            nullable=True,
        ),
        "n": Column("documents or questions", "number"),
        "chance": Column("what guessing reaches", "that of the metric", nullable=True),
        "n_documents": Column("documents of the set", "documents"),
        "n_too_short": Column("those too short to be searched for", "documents"),
        "n_in_pool": Column(
            "those that share a run of 13 words with the pool", "documents", nullable=True
        ),
        "n_in_mix": Column(
            "those that share a run of 13 words with the mix", "documents", nullable=True
        ),
    },
    SCORED_SHARDS: {"id": _ID, "n_tokens": _N_TOKENS},
    DOMAIN_LABELS: {
        "id": _ID,
        "domain": _DOMAIN,
        "confidence": Column("confidence of the domain classifier", "0 to 1"),
    },
    DUPLICATE_SIGNATURES: {
        "id": _ID,
        "id_hash": Column("64-bit hash of the id", "hash"),
        "signature": Column(
            "MinHash signature, the lowest byte of each number: equal bytes of two documents "
            "estimate the share of their common runs of words",
            "bytes",
        ),
    },
    NEAR_DUPLICATES: {
        "id_hash": Column("64-bit hash of the id", "hash", unique=True),
        "cluster": Column(
            "names the near-duplicates that belong together: the least id_hash among them", "hash"
        ),
        "id": _ID,
        "shard": _SHARD,
        "n_tokens": _N_TOKENS,
    },
    SCORE_NORMALIZERS: {
        "kind": Column("rank, zscore or minmax"),
        "centre": Column(
            "token-weighted mean (zscore) or maximum (minmax)", "raw score", nullable=True
        ),
        "scale": Column(
            "standard deviation (zscore) or range (minmax)", "raw score", nullable=True
        ),
        "value": Column(
            "kind rank: breakpoint, negated so that the best comes first",
            "raw score times -1",
            nullable=True,
        ),
        "share_below": Column(_SHARE_BELOW.meaning, _SHARE_BELOW.unit, nullable=True),
        "share": Column(f"sigma: {_SHARE.meaning}", _SHARE.unit, nullable=True),
    },
    TARGET_SETS: {
        "id": _TARGET_ID,
        "text": _TEXT,
        "n_bytes": Column("size of the text in UTF-8 without the words of its template", "bytes"),
        "tokens": Column("the document by the project's tokenizer", "token ids"),
        "counted": Column(
            "for each token whether it counts in the loss; words of a template do not",
            "true or false",
        ),
        "is_right": Column("whether the choice is the right one", "true or false"),
        "n_context": Column("tokens before the choice", "tokens"),
    },
    PROXY_POOL: {
        "id": _ID,
        "id_hash": Column("64-bit hash of the id, on which the draws depend", "hash"),
        "shard": _SHARD,
        "domain": _DOMAIN_INDEX,
        "n_tokens": _N_TOKENS,
    },
    PARAMETER_SETS: _THETA,
    REFINEMENT: _THETA,
    MERGED_RANKS: {
        "theta_id": _THETA_ID,
        "domain": _DOMAIN_INDEX,
        "merged_score": Column(
            "largest merged score (Eq. 1) whose rank is within omega", _MERGED.unit, nullable=True
        ),
        "rank": Column("rank of that score in its domain (Eq. 2)", _SHARE.unit, nullable=True),
    },
    SAMPLED_SUBSET: {
        "theta_id": _THETA_ID,
        "document": Column("row of the proxy pool", "number from 0"),
        "copies": _COPIES,
    },
    PROXY_METRICS: {"theta_id": _THETA_ID, **_TRAINING},
    PROXY_EVALUATION: {"theta_id": _THETA_ID, **_TRAINING},
    ARCHIVED_METRICS: {"theta_id": _OLD_THETA_ID, **_TRAINING},
    ARCHIVED_READS: {"theta_id": _OLD_THETA_ID, **_READS},
    PROXY_READS: {"theta_id": _THETA_ID, **_READS},
    PROXY_REPEATS: {"theta_id": _THETA_ID, "seed": _SEED, **_TRAINING},
    DOMAIN_PROXIES: {"mixture_id": _MIXTURE_ID, **_TRAINING},
    CLIMB_PROXIES: {
        "round": Column("round of proxies after that of domain_proxies", "number from 1"),
        "mixture_id": _MIXTURE_ID,
        **_TRAINING,
    },
    VERIFICATION: {
        "objective": _OBJECTIVE,
        "candidate": Column("how the theta was chosen that the proxy was trained for"),
        "heat": Column("heat of the successive halving", "number from 1"),
        "seed": _SEED,
        **_TRAINING,
    },
    PROXY_FIDELITY: {"theta_id": _THETA_ID, "seed": _SEED, **_TRAINING},
    OPTIMUM_CHECK: {
        "objective": _OBJECTIVE,
        "sample": Column(
            "what the proxy was trained on: theta*, the paper's theta, the best theta of round 0, "
            "documents at random, or the best documents by one criterion"
        ),
        "seed": _SEED,
        **_TRAINING,
    },
    SELECTION_RULE: {
        "domain": _DOMAIN_INDEX,
        "value": Column("breakpoint: a merged score, smaller is better", _MERGED.unit),
        "share_below": _SHARE_BELOW,
        "share": Column(f"rank (Eq. 2): {_SHARE.meaning}", _SHARE.unit),
    },
    FINAL_MIX: {
        "id": _ID,
        "domain": _DOMAIN,
        "n_tokens": _N_TOKENS,
        "merged_score": Column(
            "merged score under theta (Eq. 1), smaller is better; null where the method has none",
            _MERGED.unit,
            nullable=True,
        ),
        "rank": Column(
            "rank in its domain (Eq. 2), smaller is better; null where the method has none",
            _SHARE.unit,
            nullable=True,
        ),
        "sampling_value": Column("S (Eq. 3): how often it is taken on average", "expected copies"),
        "copies": _COPIES,
    },
    MIX_EXPORT: {
        "id": Column("document id, once for every copy"),
        "text": _TEXT,
    },
    MIX_COMPARISON: {
        "mix": Column("name of the mix"),
        "method": Column("method that made it"),
        "version": Column("first digits of the hash of its manifest"),
        "is_production": Column("whether it is the mix in production", "true or false"),
        "domain": Column("domain of the documents"),
        "criterion": Column("score column"),
        "other": Column("name of the mix that it is compared with"),
        "n_documents": Column("documents of the mix, each counted once", "documents"),
        "n_copies": Column("documents of the mix, copies included", "documents"),
        "n_tokens": Column("tokens of the mix, copies included", "tokens"),
        "max_copies": Column("most copies of one document", "copies"),
        "epochs": Column("tokens of the mix by tokens of the pool", "passes over the pool"),
        "tokens_per_document": Column("mean length, copies included", "tokens"),
        "n_duplicates": Column(
            "documents of which the mix holds a near-duplicate; null where nobody has looked",
            "documents",
            nullable=True,
        ),
        "n_target_documents": Column(
            "documents of target sets of which the mix holds parts; null where nobody has looked",
            "documents",
            nullable=True,
        ),
        "share": Column("part of the mix's tokens, copies included", "share of tokens, 0 to 1"),
        "share_pool": Column("part of the pool's tokens", "share of tokens, 0 to 1"),
        "mean": Column(
            "mean raw score of the mix, weighted by tokens, copies included; null without scores",
            "raw score",
            nullable=True,
        ),
        "mean_pool": Column(
            "mean raw score of the pool, weighted by tokens", "raw score", nullable=True
        ),
        "deviation_pool": Column(
            "standard deviation of raw scores in the pool, weighted by tokens",
            "raw score",
            nullable=True,
        ),
        "n_tokens_shared": Column(
            "tokens of the documents that both mixes hold, each counted once", "tokens"
        ),
        "share_shared": Column(
            "part of the mix's tokens that the other one holds too, documents counted once",
            "share of tokens, 0 to 1",
        ),
        "jaccard": Column(
            "tokens that both hold by tokens that either holds, documents counted once", "0 to 1"
        ),
    },
    LANGUAGE_MODEL: {
        "mix": Column("what the model was trained on: a mix by its name"),
        "budget": Column("training tokens that the settings ask for", "tokens"),
        "seed": _SEED,
        "status": Column("trained, or failed"),
        "reason": Column("why the training failed", nullable=True),
        "n_tokens": Column("tokens that it was trained to predict so far", "tokens"),
        "n_tokens_mix": Column("tokens of the whole mix, copies included", "tokens"),
        "epochs": Column(
            "training tokens by tokens of the documents that the model was given, each counted "
            "once: copies are repeats, and so is every further pass",
            "reads of a document",
        ),
        "train_loss_nats": Column(
            "mean training loss of the last part of the training", "nats per token", nullable=True
        ),
        "n_parameters": Column("of the model, embeddings included", "parameters"),
        "engine": Column("what trained it: stack or trainer"),
        "precision": Column("floating-point type of its matrix products in training"),
        "folder": Column(
            "its folder of transformers, beside the table; none for a failed one", nullable=True
        ),
        "loss_nats": Column("mean training loss since the last point", "nats per token"),
    },
    COMPARISON_TABLE: {
        "sizes": Column(
            "group of mixes: equal, those of the most common size; natural, those of the size that "
            "their method takes by itself"
        ),
        "mix": Column("name of the mix; in pairs the one that a gain is of"),
        "method": Column("method of the mix; of published results its name in the paper"),
        "is_production": Column("whether the mix is the one in use", "true or false"),
        "n_tokens": Column("tokens of the mix, copies included", "tokens"),
        "n_documents": Column("documents of the mix, each counted once", "documents"),
        "tokens_per_document": Column("mean length, copies included", "tokens"),
        "epochs": Column("tokens of the mix by tokens of the pool", "passes over the pool"),
        "training_epochs": Column(
            "training tokens of the largest budget by tokens of the documents that its models were "
            "given, each counted once",
            "reads of a document",
            nullable=True,
        ),
        "n_models": Column("language models of the largest budget that were trained", "models"),
        "n_failed": Column("language models of the largest budget that failed", "models"),
        "accuracy_reading_comprehension": _ACCURACY,
        "accuracy_commonsense": _ACCURACY,
        "accuracy_knowledge": _ACCURACY,
        "accuracy_math": _ACCURACY,
        "accuracy_average": _ACCURACY,
        "measure": Column(
            "what is compared: the loss of an objective, the mean loss on held-out sets, the "
            "accuracy on tasks, or the probability of their right choices"
        ),
        "model": Column("language_model or trigram"),
        "budget": Column("training tokens of the models", "tokens"),
        "other": Column("name of the mix that it is compared with"),
        "option": Column("the option of mixes in which the two differ"),
        "option_value": Column("value of the option of the mix"),
        "other_value": Column("value of the option of the other mix"),
        "gain": Column(
            "by how much the mix is better, above zero where it is; null without a pair",
            "as the measure",
            nullable=True,
        ),
        "gain_low": Column(_LOW, "as the measure", nullable=True),
        "gain_high": Column(_HIGH, "as the measure", nullable=True),
        "interval_over": Column("what varies in the interval: seeds, sets, or both"),
        "n_sets": Column("sets or tasks that are compared", "sets"),
        "n_seeds": Column("seeds that both mixes have on every set", "seeds"),
        "win_rate": Column(
            "pairs of set and seed in which the mix is better; ties count half",
            "share, 0 to 1",
            nullable=True,
        ),
        "p": Column("two-sided, that there is no difference", "probability"),
        "p_holm": Column("p, corrected by Holm for all pairs of the group", "probability"),
        "p_holm_production": Column(
            "p, corrected by Holm for the pairs of the mix in production; null for others",
            "probability",
            nullable=True,
        ),
        "other_budget": Column("the larger number of training tokens", "tokens"),
        "n_mixes": Column("mixes of one size that were measured at both", "mixes"),
        "spearman": Column(
            "rank correlation: of the mixes between both budgets, of a regressor between predicted "
            "and measured losses",
            "-1 to 1",
        ),
        "kendall": Column("Kendall's rank correlation of the mixes between both", "-1 to 1"),
        "spearman_of_seeds": Column(
            "mean rank correlation of the mixes between two seeds of the larger one",
            "-1 to 1",
            nullable=True,
        ),
        "target": _TARGET,
        "learned_from": Column(
            "what a regressor learns from: the documents that proxies read, those that their "
            "thetas take in the mean, or the entries of theta"
        ),
        "regressor": Column("kind of the regressor"),
        "n_proxies": Column("proxies that it is fitted to", "proxies"),
        "n_held_out": Column("proxies that it is evaluated on", "proxies"),
        "mae_nats": Column("mean absolute error on these", "nats per token"),
        "constant_mae_nats": Column(
            "that of a constant, the mean of the proxies that it is fitted to", "nats per token"
        ),
        "published_table": Column("number of the table in the paper", "number from 1"),
        "score": Column("ability or task"),
        "percent": Column("normalised accuracy, as published", "percent"),
    },
}
# Columns of tables that were made with other settings than the present ones.
_OTHERS = {
    RAW_SHARDS: Column("carried from the input (corpus.carried_columns)", nullable=True),
    FINAL_MIX: Column("output of a criterion that the settings no longer name", "raw score"),
    DUPLICATE_SIGNATURES: Column(
        "hash of one band of the signature; documents with an equal one are compared", "hash"
    ),
    SCORED_SHARDS: Column("output of a criterion that the settings no longer name", "raw score"),
    PROXY_POOL: Column("normalized score by a criterion", "share of tokens, 0 to 1"),
    PARAMETER_SETS: Column("entry of theta, for other criteria or domains", "as the parameter"),
    REFINEMENT: Column("entry of theta, for other criteria or domains", "as the parameter"),
    COMPARISON_TABLE: Column(
        "how a mix compares by a measure that the settings no longer name", nullable=True
    ),
    DOMAIN_PROXIES: Column("weight of a domain that the settings no longer name", "share"),
    CLIMB_PROXIES: Column("weight of a domain that the settings no longer name", "share"),
    TARGET_SETS: Column("further column of the target set", nullable=True),
}
_BETA = {
    "lam": Column("lambda (Eq. 3): how fast S falls with the rank", "1 / rank"),
    "omega": Column("omega (Eq. 3): largest rank that is taken", "share of the domain's tokens"),
    "eta": Column("eta (Eq. 3): exponent of S", "exponent"),
    "epsilon": Column("epsilon (Eq. 3): S of every document, the worst included", "copies"),
    "scale": Column("factor on S", "copies per copy"),
}


def columns_of(output: str, settings: Settings) -> Mapping[str, Column]:
    """The columns of the tables in a folder of the lake, as made with the present settings.

    Args:
        output: the folder's name, one of `quadmix_assets.outputs`; of a mix the last component, or
            the whole name of the asset.
        settings: name criteria, domains and carried columns.
    """
    output = _kind(output)
    return _FIXED.get(output, {}) | _depending_on_settings(output, settings)


def describe(output: str, column: str, settings: Settings) -> Column | None:
    """The description of a column of a table; None if the folder has no such column."""
    return columns_of(output, settings).get(column) or _OTHERS.get(_kind(output))


def _kind(output: str) -> str:
    """What an output is; the tables of all mixes have the same columns."""
    mix = mix_of(output)
    return output if mix is None else mix[1]


def _depending_on_settings(output: str, settings: Settings) -> dict[str, Column]:
    criteria = settings.features.criteria
    scores = {c.name: Column(c.score_meaning, c.score_unit) for c in criteria}
    if output == SCORED_SHARDS:
        further = {
            name: Column(meaning, "number")
            for c in criteria
            for name, meaning in c.extra_meanings.items()
        }
        return scores | further
    if output == RAW_SHARDS:
        return _carried(settings)
    if output == FINAL_MIX:
        return scores
    if output == PROXY_POOL:
        return {
            f"sigma_{name}": Column(
                f"normalized score by {name}, smaller is better: tokens of the pool that score "
                "better or equal",
                "share of tokens, 0 to 1",
            )
            for name in settings.criterion_names
        }
    if output in (DOMAIN_PROXIES, CLIMB_PROXIES):
        return {
            f"weight[{domain}]": Column(
                f"expected share of the sample's tokens from the domain {domain}",
                "share of tokens, 0 to 1",
            )
            for domain in settings.domain_names
        }
    if output in (PARAMETER_SETS, REFINEMENT):
        return _entries_of_theta(settings)
    if output == COMPARISON_TABLE:
        return _of_measures(settings)
    return {}


def _of_measures(settings: Settings) -> dict[str, Column]:
    """What the tables of methods have of each measure."""
    measures = {
        f"objective {each.name}": (f"the objective {each.name} on proof parts", each.loss_unit)
        for each in settings.objectives
    }
    if settings.evidence.held_out:
        measures["held_out"] = ("the mean loss on held-out sets", "nats per token")
    share = "share, 0 to 1"
    if settings.evidence.tasks:
        measures["tasks"] = ("the accuracy on tasks", share)
        measures["choice_probability"] = ("the probability of the right choices of tasks", share)
    found = {}
    for measure, (words, unit) in measures.items():
        meanings = {
            "mean": (f"{words}, mean over seeds", unit),
            "rank": ("mean rank among the mixes over the sets, 1 is the best", "rank"),
            "win_rate": ("mean share of pairs of set and seed won against each mix", "0 to 1"),
            "over_random": (f"by how much it is better than random documents in {words}", unit),
            "production_gain": (f"by how much production is better than it in {words}", unit),
        }
        for column, (meaning, of) in meanings.items():
            found[f"{column}[{measure}]"] = Column(meaning, of, nullable=True)
            if column in ("mean", "over_random", "production_gain"):
                found[f"{column}_low[{measure}]"] = Column(_LOW, of, nullable=True)
                found[f"{column}_high[{measure}]"] = Column(_HIGH, of, nullable=True)
        if unit != share:
            found[f"trigram[{measure}]"] = Column(f"{words} of trigram models", unit, nullable=True)
    return found


def _carried(settings: Settings) -> dict[str, Column]:
    carried = settings.corpus.carried_columns
    return {
        name: Column(
            f"column {name!r} of the input, unchanged",
            "as in the input" if kind != "string" else "",
            nullable=True,
        )
        for name, kind in carried.items()
    }


def _entries_of_theta(settings: Settings) -> dict[str, Column]:
    criteria, domains = settings.criterion_names, settings.domain_names
    weights = {
        f"alpha[{domain},{criterion}]": Column(
            f"alpha (Eq. 1): weight of {criterion} in the domain {domain}", "share, sum 1 a domain"
        )
        for domain in domains
        for criterion in criteria
    }
    names = feature_names(criteria, domains, scaled=settings.parameters.scale_max > 1)
    return {name: weights.get(name) or _beta_entry(name) for name in names}


def _beta_entry(name: str) -> Column:
    parameter, domain = name.removesuffix("]").split("[", 1)
    general = _BETA[parameter]
    return Column(f"{general.meaning}, for the domain {domain}", general.unit)
