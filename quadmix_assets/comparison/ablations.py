"""Pairs of mixes that differ in exactly one option, and what that option gains."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

import polars as pl

from quadmix_assets.comparison.evidence import MixEvidence
from quadmix_assets.comparison.measures import measures_of, scores_of
from quadmix_assets.comparison.pairs import GAIN_SCHEMA, gain_row
from quadmix_assets.comparison.sizes import same_size
from quadmix_assets.settings import NamedMix, Settings

ABLATIONS_SCHEMA = {
    "option": pl.String,
    "mix": pl.String,
    "other": pl.String,
    "option_value": pl.String,
    "other_value": pl.String,
    "measure": pl.String,
    "model": pl.String,
    "budget": pl.Int64,
    **GAIN_SCHEMA,
}
# What does not change which documents a mix takes.
_NO_OPTIONS = {"name", "follow", "export", "tokens"}


class Ablation(NamedTuple):
    """Two mixes that differ in one option alone.

    Attributes:
        option: its name in the settings; `method` for another search or another half of theta*.
        mix: the one in production, else the first of the settings.
        other: the other one.
        value, other_value: of the option, in words.
    """

    option: str
    mix: str
    other: str
    value: str
    other_value: str


def ablations_of(settings: Settings, n_tokens: Mapping[str, int]) -> Iterator[Ablation]:
    """The pairs of mixes that differ in one option.

    Sizes are compared as they came out: mixes of one size do not differ in it, whatever was set,
    and what changes the size by itself is no ablation unless `tokens` makes up for it. Methods are
    an option among those that are made with a theta.

    Args:
        settings: of the project.
        n_tokens: of the mixes that are compared.
    """
    production = settings.production_mix.name
    mixes = [mix for mix in settings.mixes if mix.name in n_tokens]
    # Stable: production first, then the order of the settings.
    mixes.sort(key=lambda mix: mix.name != production)
    for one, two in combinations(mixes, 2):
        differing = _differing(settings, one, two)
        sizes = n_tokens[one.name], n_tokens[two.name]
        if differing is not None and not same_size(*sizes):
            differing["tokens"] = (f"{sizes[0]:,}", f"{sizes[1]:,}")
        if differing is not None and len(differing) == 1:
            ((option, values),) = differing.items()
            yield Ablation(option, one.name, two.name, *values)


def _differing(
    settings: Settings, one: NamedMix, two: NamedMix
) -> dict[str, tuple[str, str]] | None:
    """The options in which two mixes differ, besides their sizes; None if they are not alike."""
    options = [_options(settings, mix) for mix in (one, two)]
    differing: dict[str, tuple[str, str]] = {}
    if one.method != two.method:
        if not (one.uses_theta and two.uses_theta):
            return None
        differing["method"] = (one.method, two.method)
    for name in dict.fromkeys([*options[0], *options[1]]):
        # An option that the other method does not have counts as its default.
        default = _default(one if name in options[0] else two, name)
        values = [own.get(name, default) for own in options]
        if values[0] != values[1]:
            differing[name] = (_words(values[0]), _words(values[1]))
    return differing


def _options(settings: Settings, mix: NamedMix) -> dict[str, Any]:
    """What decides on the documents of a mix, with defaults resolved."""
    found = mix.model_dump(mode="json", exclude={*_NO_OPTIONS, "method"})
    found["seed"] = settings.seed_of(mix)
    if "objective" in found:
        found["objective"] = settings.objective_of(mix)
    if found.get("criteria_off"):
        found["criteria_off"] = sorted(found["criteria_off"])
    return found


def _default(mix: NamedMix, name: str) -> Any:
    """The default of an option of a mix, as it is dumped."""
    field = type(mix).model_fields[name]
    value = field.get_default(call_default_factory=True, validated_data={"method": mix.method})
    return list(value) if isinstance(value, tuple) else value


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)


def ablation_table(settings: Settings, evidence: MixEvidence) -> pl.DataFrame:
    """What options gain: columns of ABLATIONS_SCHEMA, a row per pair, measure, model and budget."""
    rows = []
    measures = measures_of(settings, evidence.results)
    for ablation in ablations_of(settings, evidence.n_tokens):
        for model in evidence.models_measured:
            for budget in evidence.budgets(model):
                for measure in measures:
                    mixes = (ablation.mix, ablation.other)
                    scores = scores_of(evidence.results, measure, mixes, model, budget)
                    gain = scores.gain(*mixes)
                    if not gain.n_seeds:
                        continue
                    rows.append(
                        {
                            "option": ablation.option,
                            "mix": ablation.mix,
                            "other": ablation.other,
                            "option_value": ablation.value,
                            "other_value": ablation.other_value,
                            "measure": measure.name,
                            "model": model,
                            "budget": budget,
                            **gain_row(gain),
                        }
                    )
    return pl.DataFrame(rows, schema=ABLATIONS_SCHEMA)
