"""The lake on object storage as DuckDB sees it: nothing is asked for twice.

DuckDB asks about a file some ten times for each view that reads it. Here what one look at a folder
has told is kept, and files are opened as the store opens them, for as long as a catalog is open.
"""

from typing import Any, BinaryIO

from fsspec import AbstractFileSystem
from upath import UPath

from quadmix_assets.store import open_object


class CatalogFiles(AbstractFileSystem):
    """A file system to read from, on that of a lake, for as long as its files stay the same."""

    cachable = False

    def __init__(self, root: UPath) -> None:
        """The file system of the lake with this root."""
        super().__init__(skip_instance_cache=True)
        self._root = root
        self._infos: dict[str, dict[str, Any]] = {}
        # DuckDB sends it the paths of these protocols.
        self.protocol = root.fs.protocol

    def _strip_protocol(self, path: str) -> str:
        return str(self._root.fs._strip_protocol(path))

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """The files and folders in a folder."""
        found = self._root.fs.ls(self._strip_protocol(path), detail=True)
        self._keep(found)
        return found if detail else [each["name"] for each in found]

    def glob(self, path: str, **options: Any) -> Any:
        """The files that a pattern matches."""
        is_detailed = options.pop("detail", False)
        found = self._root.fs.glob(self._strip_protocol(path), detail=True, **options)
        self._keep(found.values())
        return found if is_detailed else list(found)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """What the storage says of a file."""
        name = self._strip_protocol(path)
        if name not in self._infos:
            self._keep([self._root.fs.info(name)])
        return self._infos[name]

    def _keep(self, found: Any) -> None:
        self._infos |= {each["name"]: each for each in found}

    def modified(self, path: str) -> Any:
        """When a file was written."""
        about = self.info(path)
        return about.get("LastModified") or self._root.fs.modified(self._strip_protocol(path))

    def open(self, path: str, mode: str = "rb", **_: Any) -> BinaryIO:
        """Open a file for reading."""
        if mode != "rb":
            raise ValueError(f"{path}: queries only read the lake, and do not write ({mode})")
        name = self._strip_protocol(path)
        return open_object(UPath(f"{self._root.protocol}://{name.lstrip('/')}", **self._options()))

    def _options(self) -> dict[str, Any]:
        return dict(self._root.storage_options)
