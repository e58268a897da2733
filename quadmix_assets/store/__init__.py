"""The lake: the paths of outputs, and their atomic writing and reading."""

from quadmix_assets.store.atomic import (
    LISTING_FILE,
    atomic_file,
    atomic_folder,
)
from quadmix_assets.store.cards import carded_file, delete_carded, read_carded
from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError
from quadmix_assets.store.outputs_in import output_names
from quadmix_assets.store.remote import with_retries
from quadmix_assets.store.reusable import read_reusable
from quadmix_assets.store.store import Store
from quadmix_assets.store.summaries import Described, described_tables
from quadmix_assets.store.tables import ROW_GROUP_ROWS, ZSTD_LEVEL, TableWriter, open_table
from quadmix_assets.store.temporaries import is_local, sweep_temporaries
from quadmix_assets.store.verification import LakeReport, delete_damaged, verify_lake

# Rows of text that a step holds in memory at once.
BATCH_ROWS = 2_048

__all__ = [
    "BATCH_ROWS",
    "LISTING_FILE",
    "ROW_GROUP_ROWS",
    "ZSTD_LEVEL",
    "DamagedOutputError",
    "Described",
    "LakeReport",
    "MissingOutputError",
    "Store",
    "TableWriter",
    "atomic_file",
    "atomic_folder",
    "carded_file",
    "delete_carded",
    "delete_damaged",
    "described_tables",
    "is_local",
    "open_table",
    "output_names",
    "read_carded",
    "read_reusable",
    "sweep_temporaries",
    "verify_lake",
    "with_retries",
]
