"""The lineage of a mix in one table, and what the columns of its documents are made from.

The table goes from the documents of the mix back to the input: the rule, theta*, the regressor, the
proxies, the pool that they read, scores, text. Both name what the mix's own method reads, no more.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import polars as pl

from quadmix_assets.mix.links import Link
from quadmix_assets.outputs import (
    CLIMB_PROXIES,
    DOMAIN_LABELS,
    DOMAIN_PROXIES,
    DUPLICATE_SIGNATURES,
    FINAL_MIX,
    FITTED_MODELS,
    NEAR_DUPLICATES,
    OPTIMAL_PARAMS,
    OPTIMUM_CHECK,
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_METRICS,
    PROXY_POOL,
    PROXY_REPEATS,
    RAW_SHARDS,
    REFERENCE_POOL,
    REFINEMENT,
    REGRESSOR,
    SCORE_NORMALIZERS,
    SCORED_REFERENCE_POOL,
    SCORED_SHARDS,
    SELECTION_RULE,
    TARGET_SETS,
    TOKENIZER,
    VERIFICATION,
    mix_of,
    mix_output,
)
from quadmix_assets.settings import NamedMix, Settings
from quadmix_assets.settings.criteria import CriterionSettings
from quadmix_assets.settings.models import ModelSettings

# What each asset is in the lineage of a mix, from the mix back to the input. Of assets of mixes the
# last component of the name.
_STEPS: Mapping[str, tuple[str, ...]] = {
    "documents of the mix": (FINAL_MIX,),
    "rule": (SELECTION_RULE,),
    "theta*": (OPTIMUM_CHECK, VERIFICATION, OPTIMAL_PARAMS),
    "regressor": (REGRESSOR,),
    "proxies": (
        CLIMB_PROXIES,
        DOMAIN_PROXIES,
        REFINEMENT,
        PROXY_REPEATS,
        PROXY_EVALUATION,
        PROXY_METRICS,
        PARAMETER_SETS,
    ),
    "what proxies read": (PROXY_POOL, TARGET_SETS),
    "scores and domains": (
        SCORE_NORMALIZERS,
        SCORED_REFERENCE_POOL,
        SCORED_SHARDS,
        DOMAIN_LABELS,
        FITTED_MODELS,
    ),
    "near-duplicates": (NEAR_DUPLICATES, DUPLICATE_SIGNATURES),
    "text": (TOKENIZER, REFERENCE_POOL, RAW_SHARDS),
}
_PLACES = {asset: place for place, asset in enumerate(a for step in _STEPS.values() for a in step)}
_STEP_OF = {asset: step for step, assets in _STEPS.items() for asset in assets}
_MOST_RUNS = 3
_VERSION_DIGITS = 12
LINEAGE_COLUMNS = ("asset", "runs")
"""The columns of `lineage_table` whose cells are Markdown."""


def lineage_table(links: Sequence[Link]) -> pl.DataFrame:
    """What a mix was made from, one row per asset, from the mix back to the input.

    Columns: step, asset (a link to its page), partitions, version (of the content, as Dagster
    shows it; of several partitions their number of versions), runs (links, the last ones first) and
    last made.
    """
    by_asset: dict[str, list[Link]] = {}
    for link in links:
        by_asset.setdefault(link.asset, []).append(link)
    rows = [
        {
            "step": _STEP_OF.get(_what(asset), "other"),
            "asset": f"[{asset}](/assets/{quote(asset)})",
            "partitions": sum(link.partition is not None for link in made) or None,
            "version": _version(made),
            "runs": _runs(made),
            "last made (UTC)": max(link.time for link in made)[:19].replace("T", " "),
        }
        for asset, made in sorted(by_asset.items(), key=lambda item: _place(item[0]))
    ]
    names = ("step", "asset", "partitions", "version", "runs", "last made (UTC)")
    schema = {name: pl.Int64 if name == "partitions" else pl.String for name in names}
    return pl.DataFrame(rows, schema=schema)


def column_tree(mix: NamedMix, settings: Settings) -> str:
    """What `copies` of a mix is made from, back to the text, as a tree of lines.

    A line is a column, or what a pinned asset holds, with what it means here. Below it, indented,
    is what it is made from.
    """
    return "\n".join(_branch(_copies(mix, settings), set()))


# A column or table with its meaning, and what it is made from.
_Node = tuple[str, str, Sequence["_Node"]]


def _copies(mix: NamedMix, settings: Settings) -> _Node:
    criteria = {each.name: each for each in settings.features.criteria}
    names = settings.score_columns_of(mix)
    scores = [_score(name, criteria[name]) for name in names]
    domains = settings.features.domains
    domain = _made_of(
        f"{DOMAIN_LABELS}.domain", "of the document", domains, domains.label_column is None
    )
    rule: _Node = (
        mix_output(mix.name, SELECTION_RULE),
        f"pinned; fitted by the method {mix.method} on scores of the pool"
        + "".join(f" and on {asset}" for asset in mix.fitted_on),
        (),
    )
    own_id = f"{RAW_SHARDS}.id"
    best = [_near_duplicates(mix)] if mix.drop_duplicates else []
    if not mix.ranks_documents:
        draw: _Node = (own_id, "its hash decides draws, with the mix's seed, and ties", ())
        by_domain = [domain] if mix.uses_domains else []
        # Scores that a theta weighs are read to fit the rule alone.
        by_score = [] if mix.uses_theta else scores
        parents = (rule, *by_score, *by_domain, *best, draw)
        return ("copies", "how often the document is taken", parents)
    sigma: _Node = (
        f"sigma of {', '.join(names)}",
        "normalized scores, smaller is better",
        ((SCORE_NORMALIZERS, "pinned; fitted on scores of the pool", ()), *scores),
    )
    merged: _Node = (
        "merged_score",
        "Equation 1, with alpha of the domain from the rule",
        (rule, sigma, domain),
    )
    rank: _Node = (
        "rank",
        "Equation 2, by the calibration in the rule",
        (rule, merged, domain),
    )
    value: _Node = (
        "sampling_value",
        "Equation 3, with lambda, omega, eta and epsilon of the domain from the rule",
        (rule, rank, domain),
    )
    draw = (own_id, "its hash with the mix's seed is the draw", ())
    return ("copies", "S in whole copies, and one more by the draw", (value, *best, draw))


def _near_duplicates(mix: NamedMix) -> _Node:
    by = mix.drop_duplicates if isinstance(mix.drop_duplicates, str) else "the mix's own order"
    signatures: _Node = (
        DUPLICATE_SIGNATURES,
        "MinHash",
        ((f"{RAW_SHARDS}.text", "of the input", ()),),
    )
    return (NEAR_DUPLICATES, f"of each cluster only the best by {by} is taken", (signatures,))


def _score(name: str, criterion: CriterionSettings) -> _Node:
    learns = criterion.target_learned_from is not None or criterion.pool_sample_size > 0
    return _made_of(
        f"{SCORED_SHARDS}.{name}",
        "raw score, larger is better",
        criterion,
        learns or criterion.runs_network,
    )


def _made_of(column: str, meaning: str, model: ModelSettings, uses_models: bool) -> _Node:
    """A column that a criterion or the domain classifier makes of columns of the input."""
    read: list[_Node] = [
        (f"{RAW_SHARDS}.{name}", "of the input", ()) for name in model.columns_read
    ]
    models: list[_Node] = [(FITTED_MODELS, "pinned; what models learned", ())]
    return (column, f"{meaning}; kind {model.kind}", (*(models if uses_models else ()), *read))


def _branch(node: _Node, seen: set[str], first: str = "", rest: str = "") -> list[str]:
    """The lines of a node and of all below it; what was shown above is not shown again."""
    name, meaning, below = node
    if name in seen and below:
        return [f"{first}{name}  (see above)"]
    lines = [f"{first}{name}" if name in seen else f"{first}{name}  ({meaning})"]
    seen.add(name)
    for number, parent in enumerate(below):
        corner, line = ("└─ ", "   ") if number == len(below) - 1 else ("├─ ", "│  ")
        lines += _branch(parent, seen, rest + corner, rest + line)
    return lines


def _what(asset: str) -> str:
    part = mix_of(asset)
    return part[1] if part is not None else asset


def _place(asset: str) -> tuple[int, str]:
    return _PLACES.get(_what(asset), len(_PLACES)), asset


def _version(made: Sequence[Link]) -> str:
    versions = {link.version for link in made if link.version}
    if len(versions) <= 1:
        return next(iter(versions), "unknown")[:_VERSION_DIGITS]
    return f"{len(versions)} versions"


def _runs(made: Sequence[Link]) -> str:
    """Links to the last runs that made an asset, the last one first."""
    newest: dict[str, Link] = {}
    for link in sorted(made, key=lambda link: -link.event):
        if link.run_id:
            newest.setdefault(link.run_id, link)
    shown = [f"[{run[:8]}]({link.run_url})" for run, link in list(newest.items())[:_MOST_RUNS]]
    more = len(newest) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more else [])]) or "none"
