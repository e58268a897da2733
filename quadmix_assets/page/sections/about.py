"""What the page is about: the pool, the mixes, and the one in production."""

from collections.abc import Sequence

import polars as pl

from quadmix_assets.mix.methods.registry import METHODS
from quadmix_assets.mix.selections import MixRows
from quadmix_assets.page.markup import paragraphs, table
from quadmix_assets.settings import Settings


def in_words(method: str) -> str:
    """What a method takes, in one sentence."""
    return (METHODS.settings_class(method).__doc__ or method).splitlines()[0]


def about_html(settings: Settings, mixes: Sequence[MixRows]) -> str:
    """Pool and mixes in words and in a table; the finished ones of the settings."""
    criteria, domains = settings.criterion_names, settings.domain_names
    texts = [
        f"This page shows what the profile {settings.profile} has made of its pool: which "
        "documents its mixes take, what models trained on them reach, how the parameters were "
        "found, and what speaks against trusting them. It is one file, loads nothing and runs "
        "nothing.",
    ]
    if mixes:
        totals = mixes[0].manifest["totals"]
        texts.append(
            f"The pool has {totals['n_documents_in']:,} documents of {totals['n_tokens_in']:,} "
            f"tokens in {_counted(len(mixes[0].shards), 'shard')} and "
            f"{_counted(len(domains), 'domain')}, scored by "
            f"{_counted(len(criteria), 'criterion', 'criteria')}: {', '.join(criteria)}."
        )
    texts += [
        f"The objective {objective.name} is the mean loss on {_weighed(objective.targets)}."
        for objective in settings.objectives
    ]
    texts.append(_production(settings, mixes))
    body = paragraphs(*texts)
    if not mixes:
        return body
    rows = [_row(mix) for mix in mixes]
    return body + table(
        pl.DataFrame(rows),
        "Finished mixes, the one in production in bold. Tokens count copies; epochs are the mix's "
        "tokens for each token of the pool.",
        bold=(settings.production_mix.name,),
    )


def _production(settings: Settings, mixes: Sequence[MixRows]) -> str:
    chosen = settings.production_mix
    made = next((mix for mix in mixes if mix.mix == chosen.name), None)
    if made is None:
        return f"The mix in production, {chosen.name}, is not finished."
    totals = made.manifest["totals"]
    objective = made.manifest["objective"]
    by = f" for the objective {objective}" if objective else ""
    copies = totals["max_copies"]
    most = "once" if copies == 1 else f"{copies} times"
    return (
        f"In production is {chosen.name}{by}. {in_words(chosen.method)} It takes "
        f"{totals['n_documents_out']:,} documents, at most {most} each, "
        f"{totals['n_tokens_out']:,} tokens or {made.epochs:.1%} of the pool's."
    )


def _row(mix: MixRows) -> dict[str, object]:
    totals = mix.manifest["totals"]
    return {
        "mix": mix.mix,
        "method": in_words(mix.manifest["method"]),
        "objective": mix.manifest["objective"],
        "n_documents": totals["n_documents_out"],
        "n_tokens": totals["n_tokens_out"],
        "tokens_per_document": round(mix.tokens_per_document),
        "epochs": mix.epochs,
        "most_copies": totals["max_copies"],
    }


def _weighed(targets: dict[str, float]) -> str:
    names = list(targets)
    if len(set(targets.values())) == 1:
        return ", ".join(names)
    return ", ".join(f"{name} (weight {weight:g})" for name, weight in targets.items())


def _counted(n: int, one: str, more: str = "") -> str:
    return f"1 {one}" if n == 1 else f"{n:,} {more or one + 's'}"
