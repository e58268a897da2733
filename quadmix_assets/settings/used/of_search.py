"""What proxies and search use of the settings."""

from quadmix_assets.settings.root import Settings
from quadmix_assets.settings.used import parts
from quadmix_assets.settings.used.parts import Used


def proxy_pool(settings: Settings) -> Used:
    """What `proxy_pool` uses."""
    return (
        parts.section(settings, "proxies", "pool_tokens")
        | parts.names(settings)
        | parts.seed(settings)
    )


def parameter_sets(settings: Settings) -> Used:
    """What `parameter_sets` uses."""
    return (
        parts.section(settings, "parameters", "n")
        | parts.section(settings, "proxies", "batch_size")
        | parts.prior(settings)
        | parts.names(settings)
        | parts.seed(settings)
    )


def refinement(settings: Settings) -> Used:
    """What `refinement` uses."""
    # Rounds that are there already stay only while they were trained by the present recipe.
    rounds = parts.section(settings, "search.refine", "rounds")
    used = rounds | parts.recipe(settings) | parts.target_epochs(settings)
    used |= parts.names(settings) | parts.seed(settings)
    if settings.search.refine.rounds:
        used |= (
            parts.section(settings, "search.refine")
            | parts.section(settings, "parameters", "n")
            | parts.section(settings, "proxies", "batch_size")
            | parts.fit(settings)
            | parts.search(settings)
        )
    return used


def proxy_repeats(settings: Settings) -> Used:
    """What `proxy_repeats` uses."""
    if not settings.proxies.repeated_thetas:
        return parts.section(settings, "proxies", "repeated_thetas")
    return (
        parts.section(settings, "proxies", "repeated_thetas", "repeats")
        | parts.recipe(settings)
        | parts.target_epochs(settings)
        | parts.names(settings)
        | parts.seed(settings)
    )


def regressor(settings: Settings) -> Used:
    """What `regressor` uses."""
    compared = [other.model_dump(mode="json") for other in settings.search.compared]
    return {
        **parts.fit(settings),
        **parts.section(settings, "search", "held_out_share"),
        "search.compared": compared,
    }


def optimal_params(settings: Settings) -> Used:
    """What `optimal_params` uses."""
    return parts.search(settings) | parts.section(settings, "search.verify", "candidates")


def verification(settings: Settings) -> Used:
    """What `verification` uses."""
    return (
        parts.section(settings, "search.verify")
        | parts.objectives(settings)
        | parts.recipe(settings)
        | parts.target_epochs(settings)
        | parts.criterion_names(settings)
        | parts.domain_names(settings)
        | parts.seed(settings)
    )


def proxy_fidelity(settings: Settings) -> Used:
    """What `proxy_fidelity` uses."""
    used = parts.section(settings, "search.fidelity")
    if not settings.search.fidelity.n_thetas:
        return used
    return (
        used
        | parts.objectives(settings)
        | parts.mix_objective(settings)
        | parts.recipe(settings)
        | parts.target_epochs(settings)
        | parts.regressor_inputs(settings)
        | parts.seed(settings)
    )


def optimum_check(settings: Settings) -> Used:
    """What `optimum_check` uses."""
    return (
        parts.section(settings, "search", "check_seeds")
        | parts.objectives(settings)
        | parts.recipe(settings)
        | parts.target_epochs(settings)
        | parts.criterion_names(settings)
        | parts.seed(settings)
    )


def domain_proxies(settings: Settings) -> Used:
    """What `domain_proxies` uses."""
    return (
        parts.section(settings, "proxies.domain_weights")
        | parts.recipe(settings)
        | parts.target_epochs(settings)
        | parts.domain_names(settings)
        | parts.seed(settings)
    )
