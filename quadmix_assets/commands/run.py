"""`quadmix run`: what it says at its end when not all mixes were made."""

from collections.abc import Sequence

from quadmix_assets.commands.mixes import mixes_text
from quadmix_assets.mix.manifest import manifest_path
from quadmix_assets.mix.report import FailedCheck, failed_checks_text, summary_text
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store


def unfinished_text(settings: Settings, store: Store, failed: Sequence[FailedCheck]) -> str:
    """The mixes as they are in the lake, the one in production in numbers, and failed checks.

    Mixes are left out as long as none has a manifest, and production as long as it has none.

    Args:
        settings: of the profile.
        store: the lake.
        failed: the checks that failed when they were made last.

    Raises:
        DamagedOutputError: a table of a mix or of the pool is not what was written.
    """
    finished = [name for name in settings.mix_names if store.exists(manifest_path(store, name))]
    text = ""
    if finished:
        text = f"\nmixes as they are in the lake now:\n{mixes_text(settings, store)}"
    if settings.production_mix.name in finished:
        return text + summary_text(settings, store, failed)
    return text + failed_checks_text(failed)
