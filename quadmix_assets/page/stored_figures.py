"""Figures that assets have drawn, from the lake's folder of plots."""

import base64
from dataclasses import dataclass

from quadmix_assets.hashing import hash_bytes
from quadmix_assets.outputs import PLOTS
from quadmix_assets.page.inline_svg import inline_svg
from quadmix_assets.page.markup import escaped
from quadmix_assets.store import Store

# Of figures with thousands of points, the PNG is smaller.
_MOST_SVG_BYTES = 400_000


@dataclass(frozen=True)
class StoredFigure:
    """A figure of an asset.

    Attributes:
        asset: that has drawn it.
        name: of the figure.
        content: SVG, or PNG where there is no SVG or a very large one.
        is_svg: which of them.
    """

    asset: str
    name: str
    content: bytes
    is_svg: bool

    def html(self, caption: str) -> str:
        """The figure with its caption."""
        if self.is_svg:
            prefix = f"f{hash_bytes(f'{self.asset}.{self.name}'.encode())[:8]}"
            drawn, is_wide = inline_svg(self.content, prefix, caption)
        else:
            data = base64.b64encode(self.content).decode()
            drawn = f'<img alt="{escaped(caption)}" src="data:image/png;base64,{data}">'
            is_wide = True
        kind = ' class="wide"' if is_wide else ""
        return f"<figure{kind}>{drawn}\n<figcaption>{escaped(caption)}</figcaption></figure>\n"


def figure_names(store: Store, asset: str) -> list[str]:
    """The names of the figures that an asset has drawn, in alphabetical order."""
    folder, _, last = f"{PLOTS}/{asset}".rpartition("/")
    try:
        names = [path.name for path in (store.root / folder).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    start = f"{last}."
    found = {
        name.removeprefix(start).rsplit(".", 1)[0]
        for name in names
        if name.startswith(start) and name.endswith((".png", ".svg"))
    }
    return sorted(found)


def stored_figure(store: Store, asset: str, name: str) -> StoredFigure | None:
    """A figure of an asset; None if it has not drawn it.

    Raises:
        DamagedOutputError: it is not what was written.
    """
    for suffix in ("svg", "png"):
        path = store.path(PLOTS, f"{asset}.{name}.{suffix}")
        if not store.exists(path):
            continue
        content = store.read_bytes(path)
        if suffix == "png" or len(content) <= _MOST_SVG_BYTES:
            return StoredFigure(asset, name, content, is_svg=suffix == "svg")
    return None


def figures_html(store: Store, shown: list[tuple[str, str, str]]) -> str:
    """Those of the figures that are there, side by side where they are small.

    Args:
        store: the lake.
        shown: per figure its asset, its name and its caption.
    """
    found = [
        figure.html(caption)
        for asset, name, caption in shown
        if (figure := stored_figure(store, asset, name)) is not None
    ]
    return f'<div class="figures">\n{"".join(found)}</div>\n' if found else ""
