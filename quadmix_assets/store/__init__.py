"""The lake: the paths of outputs, and their atomic writing and reading."""

from quadmix_assets.store.atomic import (
    LISTING_FILE,
    atomic_file,
    atomic_folder,
)
from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError
from quadmix_assets.store.store import Store
from quadmix_assets.store.tables import ROW_GROUP_ROWS, ZSTD_LEVEL, TableWriter
from quadmix_assets.store.temporaries import is_local, sweep_temporaries

# Rows of text that a step holds in memory at once.
BATCH_ROWS = 2_048

__all__ = [
    "BATCH_ROWS",
    "LISTING_FILE",
    "ROW_GROUP_ROWS",
    "ZSTD_LEVEL",
    "DamagedOutputError",
    "MissingOutputError",
    "Store",
    "TableWriter",
    "atomic_file",
    "atomic_folder",
    "is_local",
    "sweep_temporaries",
]
