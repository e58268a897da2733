"""Everything that is known of finished mixes: their sizes, their models, and what these reach."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from quadmix_assets.comparison.mix_tables import finished_mixes
from quadmix_assets.evidence.language_model import MODELS_SCHEMA, models_path
from quadmix_assets.evidence.results import RESULTS_SCHEMA, TRIGRAM, read_results, results_path
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store

SIZES_SCHEMA = {
    "mix": pl.String,
    "method": pl.String,
    "version": pl.String,
    "is_production": pl.Boolean,
    "n_documents": pl.Int64,
    "n_tokens": pl.Int64,
    "tokens_per_document": pl.Float64,
    "epochs": pl.Float64,
}


@dataclass(frozen=True, eq=False)
class MixEvidence:
    """What is known of the finished mixes of the settings that have results.

    Attributes:
        sizes: one row per mix, in the order of the settings, columns of SIZES_SCHEMA: documents
            that count once, tokens with copies, mean length with copies, epochs over the pool.
        results: of all mixes, columns of RESULTS_SCHEMA.
        models: of all mixes, columns of MODELS_SCHEMA.
        without_results: finished mixes that nobody has measured.
    """

    sizes: pl.DataFrame
    results: pl.DataFrame
    models: pl.DataFrame
    without_results: tuple[str, ...]

    @property
    def mixes(self) -> list[str]:
        """The names of the measured mixes."""
        return self.sizes["mix"].to_list()

    @property
    def n_tokens(self) -> dict[str, int]:
        """Tokens of every mix, copies included."""
        return dict(self.sizes.select("mix", "n_tokens").iter_rows())

    def budgets(self, model: str) -> list[int]:
        """The training budgets that a kind of model was measured at, ascending."""
        rows = self.results.filter(pl.col("model") == model)
        return rows["budget"].unique().sort().to_list()

    @property
    def models_measured(self) -> list[str]:
        """The kinds of models that were measured, the trigram last."""
        found = self.results["model"].unique(maintain_order=True).to_list()
        return sorted(found, key=lambda model: model == TRIGRAM)


def read_evidence_of_mixes(store: Store, settings: Settings) -> MixEvidence:
    """What is known of the finished mixes.

    Raises:
        ValueError: no finished mix has results.
        DamagedOutputError: what was read is not what was written.
    """
    finished = finished_mixes(store, settings)
    measured = [rows for rows in finished if results_path(store, rows.mix).exists()]
    if not measured:
        raise ValueError(
            "no finished mix was measured: materialise language_model and benchmark_results of "
            "some mixes first, such as by the job train_language_models"
        )
    sizes = []
    for rows in measured:
        totals = rows.manifest["totals"]
        sizes.append(
            {
                "mix": rows.mix,
                "method": rows.manifest["method"],
                "version": rows.version,
                "is_production": rows.mix == settings.production_mix.name,
                "n_documents": totals["n_documents_out"],
                "n_tokens": totals["n_tokens_out"],
                "tokens_per_document": rows.tokens_per_document,
                "epochs": rows.epochs,
            }
        )
    names = [rows.mix for rows in measured]
    return MixEvidence(
        sizes=pl.DataFrame(sizes, schema=SIZES_SCHEMA),
        results=pl.concat(
            read_results(store, name).select(
                pl.col(column).cast(kind) for column, kind in RESULTS_SCHEMA.items()
            )
            for name in names
        ),
        models=_models(store, names),
        without_results=tuple(rows.mix for rows in finished if rows.mix not in names),
    )


def _models(store: Store, mixes: Sequence[str]) -> pl.DataFrame:
    paths = [path for path in (models_path(store, mix) for mix in mixes) if path.exists()]
    tables = [store.read_table(path, list(MODELS_SCHEMA)) for path in paths]
    return pl.concat(tables) if tables else pl.DataFrame(schema=MODELS_SCHEMA)
