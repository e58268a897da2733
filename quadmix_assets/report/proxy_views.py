"""Views over the swarm: thetas, what each proxy was trained on, and its losses."""

from collections.abc import Sequence

from quadmix_assets.outputs import (
    CLIMB_PROXIES,
    DOMAIN_PROXIES,
    OPTIMUM_CHECK,
    PARAMETER_SETS,
    PROXY_EVALUATION,
    PROXY_FIDELITY,
    PROXY_METRICS,
    PROXY_POOL,
    PROXY_READS,
    PROXY_REPEATS,
    SAMPLED_SUBSET,
    VERIFICATION,
)
from quadmix_assets.report.view import (
    View,
    name_at,
    read_files,
    read_of_mixes,
    read_partitions,
    read_summaries,
)

_ROUND = "coalesce(try_cast(regexp_extract(proxy_batch, '^round-([0-9]+)-', 1) AS INTEGER), 0)"
_ROUND_COMMENT = "0: drawn by Algorithm 1; from 1 on: rounds of refinement"


def proxy_views(domains: Sequence[str]) -> list[View]:
    """Views over what the asset groups `proxies` and `search` write.

    Args:
        domains: names of the settings' domains; proxy pools hold their index.
    """
    return [
        View(
            "proxy_pool",
            (PROXY_POOL,),
            "One row per document of the proxy pool, the sample of the pool that proxies train on.",
            f"SELECT file_row_number AS document, * EXCLUDE (file_row_number, id_hash) "
            f"REPLACE ({name_at(domains, 'domain')} AS domain) "
            f"FROM {read_files(PROXY_POOL, 'file_row_number = true')}",
            {
                "document": "number of the document in the proxy pool, from 0",
                "domain": "domain of the document",
            },
        ),
        View(
            "thetas",
            (PARAMETER_SETS,),
            "One row per parameter of each theta.",
            f"SELECT theta_id, {_ROUND} AS round, proxy_batch, "
            "regexp_extract(entry, '^[a-z]+') AS parameter, "
            "regexp_extract(entry, CASE parameter WHEN 'alpha' THEN '\\[(.*),[^,]*\\]$' "
            "ELSE '\\[(.*)\\]$' END, 1) AS domain, "
            "nullif(regexp_extract(entry, '^alpha\\[.*,([^,]*)\\]$', 1), '') AS criterion, value "
            f"FROM (UNPIVOT (SELECT * FROM {read_files(PARAMETER_SETS)}) "
            "ON COLUMNS(* EXCLUDE (theta_id, proxy_batch)) INTO NAME entry VALUE value)",
            {
                "round": _ROUND_COMMENT,
                "parameter": "alpha (Eq. 1), lam, omega, eta, epsilon (Eq. 3), or scale, a factor "
                "on S",
                "domain": "domain that the parameter belongs to",
                "criterion": "criterion that alpha weighs; null for the other parameters",
                "value": "value of the parameter",
            },
        ),
        View(
            "samples",
            (SAMPLED_SUBSET, PROXY_POOL),
            "One row per theta and document that its proxy is trained on.",
            "SELECT proxy_batch, theta_id, id, shard, domain, n_tokens, copies "
            f"FROM ({read_partitions(SAMPLED_SUBSET, 'proxy_batch', ())}) "
            "JOIN proxy_pool USING (document)",
            {"domain": "domain of the document"},
            is_table=False,
        ),
        View(
            "reads",
            (PROXY_READS, PROXY_POOL),
            "One row per theta and document that its proxy has read a part of.",
            "SELECT proxy_batch, theta_id, id, shard, "
            f"{name_at(domains, 'pool.domain')} AS domain, reads.n_tokens "
            f"FROM ({read_partitions(PROXY_READS, 'proxy_batch', ())}) reads "
            f"JOIN {read_files(PROXY_POOL)} pool USING (id_hash)",
            {"domain": "domain of the document"},
            is_table=False,
        ),
        View(
            "losses",
            (PROXY_METRICS,),
            "One row per proxy and target set. Compare proxies of one evidence_version only.",
            f"SELECT theta_id, {_ROUND} AS round, proxy_batch, "
            "* EXCLUDE (theta_id, proxy_batch, summary), "
            "md5(summary::VARCHAR)[:8] AS evidence_version "
            f"FROM ({read_partitions(PROXY_METRICS, 'proxy_batch', ())}) "
            f"LEFT JOIN ({read_summaries(PROXY_METRICS, 'proxy_batch')}) USING (proxy_batch)",
            {
                "round": _ROUND_COMMENT,
                "evidence_version": "hash of the proxy pool, thetas, target sets and recipe that "
                "the loss was measured with",
            },
        ),
        View(
            "proxy_evaluation",
            (PROXY_EVALUATION,),
            "One row per proxy and target set that was measured after the training, by kept "
            "weights; stands for those in `losses`.",
            f"SELECT theta_id, {_ROUND} AS round, proxy_batch, * EXCLUDE (theta_id, proxy_batch) "
            f"FROM ({read_partitions(PROXY_EVALUATION, 'proxy_batch', ())})",
            {"round": _ROUND_COMMENT},
        ),
        View(
            "proxy_repeats",
            (PROXY_REPEATS,),
            "One row per further training of a theta of round 0 with other seeds, and target set.",
            f"SELECT * FROM {read_files(PROXY_REPEATS)}",
        ),
        View(
            "domain_proxies",
            (DOMAIN_PROXIES,),
            "One row per proxy of domain weights and target set: its weights and its loss.",
            f"SELECT * FROM {read_files(DOMAIN_PROXIES)}",
        ),
        View(
            "climb_proxies",
            (CLIMB_PROXIES,),
            "One row per mix by climb, proxy of its further rounds, and target set.",
            read_of_mixes(CLIMB_PROXIES),
        ),
        View(
            "verification",
            (VERIFICATION,),
            "One row per proxy and target set of the measurement of the candidates for theta*.",
            f"SELECT * FROM {read_files(VERIFICATION)}",
        ),
        View(
            "proxy_fidelity",
            (PROXY_FIDELITY,),
            "One row per theta, seed, target set and part that was trained at the second scale.",
            f"SELECT * FROM {read_files(PROXY_FIDELITY)}",
        ),
        View(
            "optimum_check",
            (OPTIMUM_CHECK,),
            "One row per proxy, target set and part of the comparison of theta* with baselines.",
            f"SELECT * FROM {read_files(OPTIMUM_CHECK)}",
        ),
    ]
