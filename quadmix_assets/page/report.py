"""Gathers the report of a project from its lake, and writes it."""

from collections.abc import Sequence

import polars as pl
from upath import UPath

from quadmix_assets.comparison.mix_tables import finished_mixes
from quadmix_assets.evidence.results import LANGUAGE_MODEL, read_results, results_path
from quadmix_assets.mix.report import FailedCheck
from quadmix_assets.mix.selections import MixRows
from quadmix_assets.outputs import COMPARISON_TABLE, REPORT
from quadmix_assets.page.document import Section, page_html, read_made_from
from quadmix_assets.page.sections.about import about_html
from quadmix_assets.page.sections.caveats import caveats_html
from quadmix_assets.page.sections.comparison import comparison_html, is_compared
from quadmix_assets.page.sections.documents import documents_html
from quadmix_assets.page.sections.manifest import manifest_html
from quadmix_assets.page.sections.mixes import mixes_html
from quadmix_assets.page.sections.pool import pool_html
from quadmix_assets.page.sections.search import search_html
from quadmix_assets.page.taken_and_left import taken_and_left
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store, carded_file

_LOSS = "loss_nats"
# Of each side of each domain.
N_DOCUMENTS = 10


def report_path(store: Store) -> UPath:
    """Where the page lies."""
    return store.path(REPORT, f"{REPORT}.html")


def losses_of_models(store: Store, settings: Settings) -> pl.DataFrame:
    """The losses of the language models of all mixes that were measured, of RESULTS_SCHEMA.

    Of each kind only the sets that all models were measured on, so that means are comparable.
    """
    tables = [
        read_results(store, name).filter(model=LANGUAGE_MODEL, metric=_LOSS)
        for name in settings.mix_names
        if results_path(store, name).exists()
    ]
    if not tables:
        return pl.DataFrame()
    losses = pl.concat(tables)
    n_models = losses.select("mix", "budget", "seed").n_unique()
    common = losses.group_by("kind", "set").len().filter(pl.col("len") == n_models)
    return losses.join(common, on=["kind", "set"], how="semi", maintain_order="left")


def make_report(store: Store, settings: Settings, failed: Sequence[FailedCheck]) -> str:
    """The report as HTML.

    Args:
        store: the lake.
        settings: of the profile.
        failed: the checks that failed when they were made last.

    Raises:
        MissingOutputError: rows of the mix in production are gone.
        DamagedOutputError: what was read is not what was written.
    """
    mixes = finished_mixes(store, settings)
    chosen = settings.production_mix.name
    production = next((mix for mix in mixes if mix.mix == chosen), None)
    return page_html(
        f"{settings.profile}: mixes of pretraining data",
        about_html(settings, mixes),
        [
            Section(
                "caveats",
                "Caveats",
                caveats_html(
                    settings,
                    failed,
                    mixes,
                    is_compared=is_compared(store),
                    not_measured=[
                        mix.mix for mix in mixes if not results_path(store, mix.mix).exists()
                    ],
                ),
            ),
            Section("comparison", "Comparison", comparison_html(store, settings)),
            Section("pool", "From the pool to the mix", pool_html(store, production)),
            Section("search", "The search for theta*", search_html(store, settings)),
            Section("mixes", "What the mixes are made of", mixes_html(store, production)),
            Section("documents", "What is taken and left", _documents(store, settings, production)),
            Section(
                "manifest",
                "How it was made",
                "" if production is None else manifest_html(production),
            ),
        ],
        _versions(store, mixes),
    )


def _documents(store: Store, settings: Settings, production: MixRows | None) -> str:
    if production is None:
        return ""
    seed = derive_seed(settings.seed, "report:documents")
    found = taken_and_left(store, production, n=N_DOCUMENTS, seed=seed)
    return documents_html(production.mix, found)


def changed_since(store: Store, settings: Settings) -> list[str]:
    """What the page shows in another version than there is now, or not at all.

    Raises:
        MissingOutputError: there is no page.
        DamagedOutputError: it is not what was written.
    """
    shown = read_made_from(store.read_bytes(report_path(store)).decode())
    now = _versions(store, finished_mixes(store, settings))
    return sorted(name for name in shown | now if shown.get(name) != now.get(name))


def _versions(store: Store, mixes: Sequence[MixRows]) -> dict[str, str]:
    """The versions of the mixes and of their comparison."""
    found = {mix.mix: mix.version for mix in mixes}
    if is_compared(store):
        found[COMPARISON_TABLE] = store.fingerprint(store.root / COMPARISON_TABLE)
    return found


def write_report(store: Store, html: str) -> UPath:
    """Write the page; returns its path."""
    path = report_path(store)
    with carded_file(path) as file:
        file.write(html.encode())
    return path
