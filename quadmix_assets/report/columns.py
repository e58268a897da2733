"""What every column of every table of the lake holds, and in which unit.

The UI's column panels and the comments of the SQL views are made from these descriptions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from quadmix_assets.outputs import (
    DOMAIN_LABELS,
    EXPORT,
    FINAL_MIX,
    MERGED_RANKS,
    OPTIMUM_CHECK,
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_METRICS,
    PROXY_POOL,
    PROXY_READS,
    QUARANTINE,
    RANDOM_COMPARISON,
    RANK_CALIBRATION,
    RAW_SHARDS,
    REFINEMENT,
    SAMPLED_SUBSET,
    SCORE_NORMALIZERS,
    SCORED_SHARDS,
    TARGET_OVERLAP,
    TARGET_SETS,
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
_TARGET = Column("name of the target set")
_PART = Column("part of the target set: search or proof")
_TARGET_ID = Column("id of the document in the target set")
_COPIES = Column("how often the document is taken", "copies")
_MERGED = Column("merged score under theta (Eq. 1), smaller is better", "normalized score, 0 to 1")
_SHARE_BELOW = Column("tokens that score better than this", "share of tokens, 0 to 1")
_SHARE = Column("tokens that score better than or equal to this", "share of tokens, 0 to 1")
_SEED = Column("repetition with random numbers of its own", "number from 0")

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
        "target": _TARGET,
        "target_id": _TARGET_ID,
        "id": Column("id of the document in the pool"),
        "n_runs": Column("different runs of 13 words that both have", "runs"),
    },
    SCORED_SHARDS: {"id": _ID, "n_tokens": _N_TOKENS},
    DOMAIN_LABELS: {
        "id": _ID,
        "domain": _DOMAIN,
        "confidence": Column("confidence of the domain classifier", "0 to 1"),
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
    PROXY_READS: {
        "theta_id": _THETA_ID,
        "id_hash": Column("hash of the document's id", "64-bit number"),
        "n_tokens": Column(
            "tokens of the document that the proxy read, through all copies and epochs; of more "
            "than 20,000 documents a sample, scaled to keep the sum",
            "tokens",
        ),
    },
    OPTIMUM_CHECK: {
        "sample": Column(
            "what the proxy was trained on: theta*, the best theta of round 0, documents at "
            "random, or the best documents by one criterion"
        ),
        "seed": _SEED,
        **_TRAINING,
    },
    RANK_CALIBRATION: {
        "domain": _DOMAIN_INDEX,
        "value": Column("breakpoint: a merged score, smaller is better", _MERGED.unit),
        "share_below": _SHARE_BELOW,
        "share": Column(f"rank (Eq. 2): {_SHARE.meaning}", _SHARE.unit),
    },
    FINAL_MIX: {
        **_RAW,
        "domain": _DOMAIN,
        "n_tokens": _N_TOKENS,
        "merged_score": Column(
            "merged score under theta* (Eq. 1), smaller is better", _MERGED.unit
        ),
        "rank": Column("rank in its domain (Eq. 2), smaller is better", _SHARE.unit),
        "sampling_value": Column("S (Eq. 3): how often it is taken on average", "expected copies"),
        "copies": _COPIES,
    },
    EXPORT: {
        "id": Column("document id, once for every copy"),
        "text": _TEXT,
    },
    RANDOM_COMPARISON: {
        "mix": Column("what the model was trained on: final mix or random mix"),
        "seed": _SEED,
        **_TRAINING,
    },
}
# Columns of tables that were made with other settings than the present ones.
_OTHERS = {
    RAW_SHARDS: Column("carried from the input (corpus.carried_columns)", nullable=True),
    FINAL_MIX: Column("carried from the input (corpus.carried_columns)", nullable=True),
    SCORED_SHARDS: Column("output of a criterion that the settings no longer name", "raw score"),
    PROXY_POOL: Column("normalized score by a criterion", "share of tokens, 0 to 1"),
    PARAMETER_SETS: Column("entry of theta, for other criteria or domains", "as the parameter"),
    REFINEMENT: Column("entry of theta, for other criteria or domains", "as the parameter"),
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
        output: the folder's name, one of `quadmix_assets.outputs`.
        settings: name criteria, domains and carried columns.
    """
    return _FIXED.get(output, {}) | _depending_on_settings(output, settings)


def describe(output: str, column: str, settings: Settings) -> Column | None:
    """The description of a column of a table; None if the folder has no such column."""
    return columns_of(output, settings).get(column) or _OTHERS.get(output)


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
        taken = {*_FIXED[FINAL_MIX], *scores} - set(_RAW)
        return scores | {
            f"input_{name}" if name in taken else name: column
            for name, column in _carried(settings).items()
        }
    if output == PROXY_POOL:
        return {
            f"sigma_{name}": Column(
                f"normalized score by {name}, smaller is better: tokens of the pool that score "
                "better or equal",
                "share of tokens, 0 to 1",
            )
            for name in settings.criterion_names
        }
    if output in (PARAMETER_SETS, REFINEMENT):
        return _entries_of_theta(settings)
    return {}


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
