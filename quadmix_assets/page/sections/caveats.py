"""What speaks against trusting the page: failed checks, and what was not measured."""

from collections.abc import Iterator, Sequence

from quadmix_assets.comparison.budgets import far_apart
from quadmix_assets.mix.report import FailedCheck
from quadmix_assets.mix.selections import MixRows
from quadmix_assets.outputs import COMPARISON_TABLE
from quadmix_assets.page.markup import escaped, items, paragraphs
from quadmix_assets.settings import Settings


def caveats_html(
    settings: Settings,
    failed: Sequence[FailedCheck],
    mixes: Sequence[MixRows],
    *,
    is_compared: bool,
    not_measured: Sequence[str] = (),
) -> str:
    """Every check that failed when it was made last, errors first, and what is not known.

    Args:
        settings: of the profile.
        failed: the failed checks of the instance.
        mixes: the finished ones.
        is_compared: whether there is a table of what models of the mixes reach.
        not_measured: finished mixes without results of models.
    """
    ordered = sorted(failed, key=lambda check: (check.severity != "ERROR", check.asset, check.name))
    checks = "".join(_check(check, check.name in settings.mix.accept) for check in ordered)
    return (checks or paragraphs("No check fails.")) + items(
        list(_unknown(settings, mixes, not_measured, is_compared=is_compared))
    )


def _check(check: FailedCheck, is_accepted: bool) -> str:
    is_error = check.severity == "ERROR"
    word = "Error" if is_error else "Warning"
    # Many checks say what they found without a full stop.
    said = (check.description or "No description").rstrip(".") + "."
    accepted = " Mixes are made all the same, because mix.accept names it." if is_accepted else ""
    return (
        f'<div class="caveat{" error" if is_error else ""}">'
        f"<p><strong>{word}</strong> <code>{escaped(check.asset)}</code> "
        f"{escaped(check.name.replace('_', ' '))}</p>"
        f"<p>{escaped(said + accepted)}</p></div>\n"
    )


def _unknown(
    settings: Settings, mixes: Sequence[MixRows], not_measured: Sequence[str], *, is_compared: bool
) -> Iterator[str]:
    evidence = settings.evidence
    finished = {mix.mix for mix in mixes}
    missing = [name for name in settings.mix_names if name not in finished]
    if missing:
        yield f"Not finished, so not on this page: {', '.join(missing)}."
    if not evidence.enabled:
        yield (
            "No language model was trained on the mixes (evidence.enabled is off), so this page "
            "does not say which of them is best: only proxies of single samples were measured."
        )
        return
    if not is_compared:
        yield f"The models of the mixes are not compared yet: materialise {COMPARISON_TABLE}."
    if not_measured:
        yield f"Finished and not measured, so not compared: {', '.join(not_measured)}."
    if evidence.n_seeds == 1:
        yield "One model per mix and budget tells nothing about chance: set evidence.n_seeds."
    if not evidence.held_out:
        yield (
            "There are no held-out sets (evidence.held_out): every set was seen by an objective "
            "or a criterion, if only by its other parts."
        )
    if far_apart(evidence.budgets) is None:
        yield (
            "There are no two training budgets three times apart, so whether the order of the "
            "mixes depends on the budget is not known."
        )
