"""When assets are materialised without a click; every asset has one of these conditions."""

from collections.abc import Sequence

import dagster as dg

from quadmix_assets.defs.discovery import INPUT_LISTING

_Condition = dg.AutomationCondition

_NOT_NOW = ~_Condition.any_deps_in_progress() & ~_Condition.in_progress()
# Every parent has at least one partition, and none is about to change. "No partition of a parent
# is missing" would wait for ever behind a shard that cannot be made.
_READY = (
    _Condition.all_deps_match(~_Condition.missing())
    & ~_Condition.any_deps_match(_Condition.will_be_requested())
    & _NOT_NOW
)
_CHANGED = (
    _Condition.missing() & ~_Condition.execution_failed()
) | _Condition.any_deps_updated().since_last_handled()

# Made once. Making it again is a decision, because everything that depends on it follows.
PINNED = (_Condition.missing() & ~_Condition.execution_failed() & _READY).with_label(
    "missing, and all it needs is there"
)

# Made once, after all partitions of its parents.
PINNED_AFTER_ALL = (
    _Condition.missing() & ~_Condition.execution_failed() & _READY & ~_Condition.any_deps_missing()
).with_label("missing, and all partitions that it needs are there")

# One partition, made once. Parents with the same partitions are made in the same run.
BATCH = (
    _Condition.missing()
    & ~_Condition.execution_failed()
    & ~_Condition.any_deps_missing()
    & _NOT_NOW
).with_label("missing, and all it needs is there or made in the same run")

# The missing and the changed shards. All steps of a shard are made in one run, since a parent that
# is requested at the same tick counts as there. A shard that failed is tried again when one of its
# inputs has changed. New code or settings alone recompute nothing: the UI shows them as unsynced.
SHARD = (_CHANGED & ~_Condition.any_deps_missing() & _NOT_NOW).with_label(
    "missing or changed shards"
)

# Assets over all shards follow the shards, without waiting for failed ones. A new file changes the
# list of shards before its mix is there, so that a new list alone counts once no partition is
# missing, such as after a file has gone.
GATHER = (
    (
        (_Condition.missing() & ~_Condition.execution_failed())
        | _Condition.any_deps_match(_Condition.newly_updated())
        .ignore(dg.AssetSelection.assets(INPUT_LISTING))
        .since_last_handled()
        | (
            _Condition.any_deps_match(_Condition.newly_updated()).since_last_handled()
            & ~_Condition.any_deps_match(_Condition.missing())
        )
    )
    & _READY
).with_label("missing, or its inputs changed")

# Checks of what was made against what it was made from, once all of it is there.
ON_CHANGES = (
    _Condition.any_deps_match(_Condition.newly_updated()).since_last_handled()
    & _Condition.all_deps_match(~_Condition.missing())
    & _NOT_NOW
).with_label("what it looks at changed")


def with_any_of(assets: Sequence[dg.AssetKey], label: str) -> dg.AutomationCondition:
    """Of what shows several assets: whenever one of them is made, without waiting for the others.

    In the run of those assets, where both are requested at once.

    Args:
        assets: parents that are shown; one that nobody has made is not waited for.
        label: of the condition in the UI.
    """
    return (
        _Condition.any_deps_updated().allow(dg.AssetSelection.assets(*assets)).since_last_handled()
        & ~_Condition.in_progress()
    ).with_label(label)
