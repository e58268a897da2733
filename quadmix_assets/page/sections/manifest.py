"""The manifest of a mix in words: what made it, so that it can be made again."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from quadmix_assets.mix.selections import MixRows
from quadmix_assets.outputs import MIX_MANIFEST, mix_output
from quadmix_assets.page.markup import items, paragraphs, table

_DIGITS = 12


def manifest_html(mix: MixRows) -> str:
    """What the manifest of a mix says, in sentences, and the fingerprints of what it is made of."""
    manifest = mix.manifest
    fingerprints = {
        **{f"{name} (now)": value for name, value in manifest["fingerprints"].items()},
        **{name: made for name, made in manifest["made_from"].items() if isinstance(made, str)},
    }
    return (
        paragraphs(
            f"The version {mix.version} of {mix.mix}, as {mix_output(mix.mix, MIX_MANIFEST)} "
            "keeps it. Equal mixes have equal versions."
        )
        + items(list(_sentences(mix)))
        + table(
            pl.DataFrame(
                {
                    "made_from": list(fingerprints),
                    "content": [value[:_DIGITS] for value in fingerprints.values()],
                }
            ),
            "Fingerprints of what the rule was fitted on, and of what decides on documents now",
        )
    )


def _sentences(mix: MixRows) -> Iterator[str]:
    manifest = mix.manifest
    options = _options(manifest["options"])
    yield f"It is made by the method {manifest['method']}" + (
        f" with {options}." if options else " with its default options."
    )
    if manifest["objective"]:
        yield f"It minimises the objective {manifest['objective']}."
    prediction = manifest["prediction"]
    if prediction and prediction.get("measured") is not None:
        yield (
            f"Its theta is the candidate “{prediction['candidate']}”"
            if "candidate" in prediction
            else "Its theta"
        ) + f" with a measured objective of {prediction['measured']:.4f} {prediction['unit']}."
    criteria = manifest["criteria"]
    yield (
        f"The settings name {len(criteria)} criteria ({', '.join(criteria)}) and "
        f"{len(manifest['domains'])} domains; the seed is {manifest['seed']}."
    )
    totals = manifest["totals"]
    n_quarantined = sum(sum(entry["quarantined"].values()) for entry in manifest["shards"].values())
    yield (
        f"It decides on {totals['n_documents_in']:,} documents of {len(manifest['shards']):,} "
        f"shards, beside which {n_quarantined:,} rows are in quarantine."
    )
    dropped = manifest["dropped_duplicates"]["n_documents"]
    if dropped:
        yield f"It leaves out {dropped:,} near-duplicates of better documents."
    rounds = manifest["refinement_rounds"]
    if rounds:
        yield f"Its search had {rounds} further {'round' if rounds == 1 else 'rounds'} of proxies."
    accepted = manifest["guards"]["accepted"]
    if accepted:
        yield f"It was made although these guards failed: {', '.join(accepted)}."
    stale = manifest["stale_shards"]
    if stale:
        yield f"{len(stale):,} of its shards were mixed from other inputs than there are now."
    yield f"It was made by {_software(manifest)}."


def _options(options: Mapping[str, Any]) -> str:
    chosen = {
        name: value
        for name, value in options.items()
        if name not in ("method", "name", "objective") and value not in (None, False, [], {})
    }
    return ", ".join(f"{name} {_shown(value)}" for name, value in chosen.items())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _software(manifest: Mapping[str, Any]) -> str:
    git = manifest["git"]
    commit = "an installed package"
    if git is not None:
        changed = " with changes that are not committed" if git["dirty"] else ""
        commit = f"the commit {git['commit'][:_DIGITS]}{changed}"
    packages = ", ".join(f"{name} {version}" for name, version in manifest["packages"].items())
    return f"{commit} with {packages}"
