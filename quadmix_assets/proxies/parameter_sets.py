"""Stores and reads all thetas, in rounds, and names the proxy batches that train them.

Round 0 holds the thetas of Algorithm 1 (`parameter_sets`); `refinement` adds further rounds.
theta_ids are numbered across rounds. Every round is a file of its own, so that a new round does not
invalidate the losses of earlier ones. The footer of a further round holds its basis: the
fingerprints of the thetas of round 0 and of the proxy pool that it was proposed for. Rounds of
another basis are ignored.
"""

from collections.abc import Mapping
from itertools import count, takewhile

import polars as pl
from upath import UPath

from quadmix_assets.outputs import PARAMETER_SETS, PROXY_POOL, REFINEMENT
from quadmix_assets.sampling import Parameters, Theta, feature_names, sample_parameters
from quadmix_assets.seeds import derive_seed
from quadmix_assets.settings import Settings
from quadmix_assets.store import MissingOutputError, Store


def write_parameter_sets(store: Store, settings: Settings) -> Parameters:
    """Draw all thetas by Algorithm 1 and store them: theta_id, proxy_batch, a column per entry."""
    parameters = sample_parameters(
        settings.parameters.n,
        len(settings.criterion_names),
        len(settings.domain_names),
        seed=derive_seed(settings.seed, PARAMETER_SETS),
        omega_max=settings.parameters.omega_max,
        lambda_prior=settings.parameters.lambda_prior,
        scale_max=settings.parameters.scale_max,
    )
    _write_round(store, settings, 0, parameters, first=0)
    return parameters


def write_round(store: Store, settings: Settings, number: int, parameters: Parameters) -> list[str]:
    """Store the thetas of a further round, replacing a round of that number and all later ones.

    Returns:
        The names of its batches.

    Raises:
        MissingOutputError: an earlier round or the proxy pool is not there.
    """
    later = (round_path(store, after) for after in count(number + 1))
    for path in takewhile(lambda path: store.exists(path), later):
        store.delete(path)
    earlier = sum(store.n_rows(round_path(store, before)) for before in range(number))
    return _write_round(
        store, settings, number, parameters, first=earlier, summary={"basis": round_basis(store)}
    )


def round_basis(store: Store) -> dict[str, str]:
    """Fingerprints of what the further rounds are proposed for: round 0 and the proxy pool.

    Raises:
        MissingOutputError: one of them has not been made.
    """
    return {
        PARAMETER_SETS: store.fingerprint(store.table_path(PARAMETER_SETS)),
        PROXY_POOL: store.fingerprint(store.root / PROXY_POOL),
    }


def n_rounds(store: Store) -> int:
    """Number of further rounds whose thetas belong to the current round 0 and proxy pool.

    Raises:
        MissingOutputError: there are further rounds, but no round 0 or no proxy pool.
    """
    if not store.exists(round_path(store, 1)):
        return 0
    basis = round_basis(store)
    return sum(
        1
        for _ in takewhile(
            lambda path: store.exists(path) and store.summary(path).get("basis") == basis,
            (round_path(store, number) for number in count(1)),
        )
    )


def round_path(store: Store, number: int) -> UPath:
    """Path of the table of a round's thetas."""
    if number == 0:
        return store.table_path(PARAMETER_SETS)
    return store.table_path(REFINEMENT, f"round-{number}")


def batch_names(store: Store, round_number: int) -> list[str]:
    """The batches of a round, in order.

    Raises:
        MissingOutputError: there is no such round.
    """
    table = store.read_table(round_path(store, round_number), ["proxy_batch"])
    return table["proxy_batch"].unique().sort().to_list()


def batch_key(round_number: int, index: int) -> str:
    """The name of a proxy batch: its round, unless that is round 0, and its number in it."""
    batch = f"batch-{index:05d}"
    return batch if round_number == 0 else f"round-{round_number}-{batch}"


def first_batches(settings: Settings) -> list[str]:
    """The batches of round 0, which follow from the settings alone, in order."""
    n_batches = -(-settings.parameters.n // settings.proxies.batch_size)
    return [batch_key(0, index) for index in range(n_batches)]


def round_of(batch: str) -> int:
    """The round that a batch belongs to, from its name."""
    return int(batch.split("-")[1]) if batch.startswith("round-") else 0


def read_parameter_sets(store: Store, settings: Settings) -> tuple[pl.DataFrame, Parameters]:
    """The stored table (theta_id, proxy_batch) of all rounds, and the thetas of its rows.

    Raises:
        MissingOutputError: there is none, or it was drawn for other criteria or domains or by an
            older version of this package.
    """
    rounds = [_read_table(store, settings, number) for number in range(n_rounds(store) + 1)]
    table = pl.concat(rounds)
    return table.select("theta_id", "proxy_batch"), _parameters(settings, table)


def read_round(store: Store, settings: Settings, number: int) -> Parameters:
    """The thetas of one round.

    Raises:
        MissingOutputError: as in `read_parameter_sets`.
    """
    return _parameters(settings, _read_table(store, settings, number))


def _read_table(store: Store, settings: Settings, number: int) -> pl.DataFrame:
    table = store.read_table(round_path(store, number))
    if "theta_id" not in table.columns:
        raise MissingOutputError(
            "parameter_sets has no column 'theta_id': it was written by an older version of this "
            "package; materialise the asset 'parameter_sets' and the proxies again"
        )
    if table.columns[2:] != _names(settings):
        raise MissingOutputError(
            "parameter_sets was drawn for other criteria or domains than the settings name now: "
            "materialise the asset 'parameter_sets' and the proxies again"
        )
    return table


def _parameters(settings: Settings, table: pl.DataFrame) -> Parameters:
    return Parameters.from_features(
        table.select(_names(settings)).to_numpy(),
        len(settings.criterion_names),
        len(settings.domain_names),
    )


def read_batch(store: Store, settings: Settings, batch: str) -> dict[int, Theta]:
    """The thetas of one batch by theta_id, in ascending order.

    Raises:
        MissingOutputError: there are no thetas, or none in this batch.
    """
    table, parameters = read_parameter_sets(store, settings)
    thetas = {
        theta_id: parameters[row]
        for row, (theta_id, name) in enumerate(table.iter_rows())
        if name == batch
    }
    if not thetas:
        raise MissingOutputError(
            f"parameter_sets holds no thetas of the proxy batch {batch!r}: it was drawn for other "
            "parameters.n or proxies.batch_size than the settings say now; materialise the asset "
            "'parameter_sets' again"
        )
    return thetas


def _write_round(
    store: Store,
    settings: Settings,
    number: int,
    parameters: Parameters,
    *,
    first: int,
    summary: Mapping[str, object] | None = None,
) -> list[str]:
    size = settings.proxies.batch_size
    batches = [batch_key(number, index // size) for index in range(len(parameters))]
    entries = parameters.as_features(scaled=_scaled(settings))
    theta_ids = pl.int_range(first, first + len(parameters), dtype=pl.Int32, eager=True)
    table = pl.DataFrame(entries, schema=_names(settings), orient="row").select(
        theta_ids.alias("theta_id"), pl.Series("proxy_batch", batches), pl.col("*")
    )
    store.write_table(round_path(store, number), table, summary)
    return sorted(set(batches))


def _names(settings: Settings) -> list[str]:
    return feature_names(settings.criterion_names, settings.domain_names, scaled=_scaled(settings))


def _scaled(settings: Settings) -> bool:
    return settings.parameters.scale_max > 1
