"""What to click next, from the state of a project."""

from collections.abc import Sequence

from quadmix_assets.outputs import FINAL_MIX, MIX_MANIFEST, SELECTION_RULE, mix_of, mix_output
from quadmix_assets.report.markdown import plain_text
from quadmix_assets.report.overview import Made, Overview

_LIMIT = 5
_WORDS = 120


def next_steps(overview: Overview) -> list[str]:
    """What to do, the most urgent first, as Markdown; links lead to pages of the UI."""
    pool = overview.pool
    if not pool.n_shards:
        return [
            f"Put files into `{overview.raw}`: no shard is registered. `discover_shards` on the "
            "[Automation](/automation) page registers them within a minute."
        ]
    steps = [
        f"Look at the failed check {check_link(check.asset, check.name)} of "
        f"{asset_link(check.asset)}: {_cut(check.description)}"
        for check in overview.failed_checks
        if check.severity == "ERROR" and check.name not in overview.accepted
    ]
    if pool.set_aside and not any(c.asset == "raw_shards" for c in overview.failed_checks):
        steps.append(
            f"{_shards(len(pool.set_aside))} set aside: the table below says why and what to do."
        )
    steps += [
        f"Materialise {asset_link(asset)} and what depends on it: {_list(changes)} since it was "
        "made."
        for asset, changes in overview.changed_settings.items()
    ]
    steps += _to_make([one for one in overview.made if not _of_another_mix(one.asset, overview)])
    # The mix in production is part of the graph; others are a choice, and come last.
    production_is_made = overview.production.is_made
    others = _other_mixes(overview) if production_is_made else []
    return [*steps, *others] if steps or not production_is_made else [_done(overview), *others]


def asset_link(asset: str) -> str:
    """The page of an asset."""
    return f"[{asset}](/assets/{asset})"


def check_link(asset: str, check: str) -> str:
    """The page of a check."""
    return f"[{check}](/assets/{asset}?view=checks&checkDetail={check})"


def _to_make(made: Sequence[Made]) -> list[str]:
    missing = [one for one in made if one.n_made < one.n_all]
    everything = "[lineage page](/asset-groups)"
    if not any(one.n_made for one in made):
        return [f"Click *Materialize all* on the {everything} and choose all partitions."]
    steps = [
        f"{asset_link(one.asset)}: {one.n_all - one.n_made} of {one.n_all} partitions are missing; "
        "*Materialize*, then *Missing*."
        for one in missing
        if one.is_partitioned and one.n_made
    ]
    untouched = [one.asset for one in missing if not one.n_made]
    if untouched:
        steps.append(
            f"Not made yet: {', '.join(map(asset_link, untouched[:_LIMIT]))}"
            + (f" and {len(untouched) - _LIMIT} more" if len(untouched) > _LIMIT else "")
            + f". The arrow beside *Materialize all* on the {everything} has *Materialize "
            "unsynced*, which makes exactly what is missing or stale."
        )
    return steps


def _of_another_mix(asset: str, overview: Overview) -> bool:
    mix = mix_of(asset)
    return mix is not None and mix[0] != overview.production.name


def _other_mixes(overview: Overview) -> list[str]:
    """What is to do for the mixes that are not in production."""
    others = [mix for mix in overview.mixes if not mix.is_production]
    missing = [mix.name for mix in others if not mix.is_made]
    behind = {mix.name: mix for mix in others if mix.behind}
    steps = []
    if missing:
        steps.append(
            f"Not made yet: the {_mixes(missing)}. The job `make_mixes` on the [Jobs](/jobs) page "
            "makes those that its launchpad names. Of one that could not be made, the page leads "
            "to the run that says why."
        )
    steps += [
        f"The mix {asset_link(mix_output(name, FINAL_MIX))} is behind ({', '.join(mix.behind)}): "
        f"run the job `make_mixes` with `mixes: [{name}]`."
        for name, mix in behind.items()
    ]
    return steps


def _mixes(names: Sequence[str]) -> str:
    shown = ", ".join(
        f"[{name}](/assets/{mix_output(name, SELECTION_RULE)})" for name in names[:_LIMIT]
    )
    more = f" and {len(names) - _LIMIT} more" if len(names) > _LIMIT else ""
    return f"{'mix' if len(names) == 1 else 'mixes'} {shown}{more}"


def _done(overview: Overview) -> str:
    warnings = sum(check.severity != "ERROR" for check in overview.failed_checks)
    seen = f" Read the warnings below first ({warnings})." if warnings else ""
    guess = (
        f" It is a guess: `mix.accept` accepts that {', '.join(overview.accepted)} failed."
        if overview.accepted
        else ""
    )
    name = overview.production.name
    documents, manifest = (mix_output(name, what) for what in (FINAL_MIX, MIX_MANIFEST))
    return (
        f"Nothing: the mix `{name}` is complete.{guess} Documents are in {asset_link(documents)}, "
        f"what it was made from is in {asset_link(manifest)}.{seen}"
    )


def _cut(words: str) -> str:
    """The beginning of a text; the whole of it is on the page that is linked."""
    shown = words if len(words) <= _WORDS else words[:_WORDS].rsplit(" ", 1)[0] + " …"
    return plain_text(shown) or "it says nothing"


def _shards(n: int) -> str:
    return f"{n} shard is" if n == 1 else f"{n} shards are"


def _list(changes: Sequence[str]) -> str:
    shown = ", ".join(f"`{change}`" for change in changes[:_LIMIT])
    return shown + (f" and {len(changes) - _LIMIT} more" if len(changes) > _LIMIT else "")
