"""The lake: the paths of outputs, and their atomic writing and reading."""

from quadmix_assets.store.atomic import atomic_file, atomic_folder
from quadmix_assets.store.cards import carded_file, delete_carded, read_carded
from quadmix_assets.store.errors import DamagedOutputError, MissingOutputError
from quadmix_assets.store.json_text import json_text
from quadmix_assets.store.keeping import bytes_freed_with, keep_table
from quadmix_assets.store.kept_tables import read_kept, write_kept
from quadmix_assets.store.listings import LISTING_FILE, file_names
from quadmix_assets.store.objects import one_step, open_object
from quadmix_assets.store.outputs_in import named_outputs, output_names
from quadmix_assets.store.remote import with_retries
from quadmix_assets.store.reusable import read_reusable
from quadmix_assets.store.running_totals import Measuring, Tables, keep_total, running_total
from quadmix_assets.store.store import Store
from quadmix_assets.store.summaries import (
    Described,
    ListedFile,
    all_described,
    described_tables,
    listed_files,
)
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
    "ListedFile",
    "Measuring",
    "MissingOutputError",
    "Store",
    "TableWriter",
    "Tables",
    "all_described",
    "atomic_file",
    "atomic_folder",
    "bytes_freed_with",
    "carded_file",
    "delete_carded",
    "delete_damaged",
    "described_tables",
    "file_names",
    "is_local",
    "json_text",
    "keep_table",
    "keep_total",
    "listed_files",
    "named_outputs",
    "one_step",
    "open_object",
    "open_table",
    "output_names",
    "read_carded",
    "read_kept",
    "read_reusable",
    "running_total",
    "sweep_temporaries",
    "verify_lake",
    "with_retries",
    "write_kept",
]
