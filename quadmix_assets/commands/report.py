"""`quadmix report`: opens the report in the browser."""

import sys
import tempfile
import webbrowser
from pathlib import Path

from quadmix_assets.outputs import REPORT
from quadmix_assets.page.report import changed_since, report_path
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets.store.temporaries import is_local


def show_report(store: Store, settings: Settings, *, opens: bool) -> int:
    """Print where the report lies, say what has changed since it was made, and open it.

    Args:
        store: the lake; of a remote one, a copy in a temporary folder is opened.
        settings: of the profile.
        opens: whether a browser is opened.

    Returns:
        The exit status, 0.

    Raises:
        MissingOutputError: it was not made.
        DamagedOutputError: it is not what was written.
    """
    path = report_path(store)
    changed = changed_since(store, settings)
    if changed:
        sys.stderr.write(
            f"the report was made before {', '.join(changed)} changed: materialise the asset "
            f"{REPORT!r} again, or `quadmix run --resume`\n"
        )
    local = Path(str(path)) if is_local(path) else None
    if local is None and opens:
        local = Path(tempfile.mkdtemp(prefix="quadmix-")) / path.name
        local.write_bytes(store.read_bytes(path))
    sys.stdout.write(f"{local or path}\n")
    if opens and local is not None and not webbrowser.open(local.resolve().as_uri()):
        sys.stderr.write("there is no browser here: open the file yourself\n")
    return 0
