"""Chooses sizes of tokenizer, proxy pool and search that suit the size of a pool."""

from dataclasses import dataclass

from quadmix_assets.settings.proxies import ProxiesSettings
from quadmix_assets.settings.search import SearchSettings

BYTES_PER_TOKEN = 4
_MAX_POOL_TOKENS = 20_000_000
_MIN_PROXIES, _MAX_PROXIES = 128, 512
_BATCH_SIZE = 16
# Beside the samples by single criteria: theta*, the paper's theta, the best of the first round, and
# random documents.
_COMPARED = 4


@dataclass(frozen=True)
class Sizes:
    """Sizes that follow from the pool.

    Attributes:
        n_tokens: tokens of the pool, estimated.
        vocab_size: of the tokenizer.
        pool_tokens: tokens of the proxy pool.
        omega_max: upper bound of omega.
        n_entries: entries of a theta, (N + 4)·M.
        n_proxies: number of proxies, and so of thetas.
        n_measuring: proxies beside these: repeats, candidates for theta*, and the check of theta*.
    """

    n_tokens: int
    vocab_size: int
    pool_tokens: int
    omega_max: float
    n_entries: int
    n_proxies: int
    n_measuring: int


def sizes_of(n_text_bytes: int, n_criteria: int, n_domains: int) -> Sizes:
    """Sizes for a pool of about `n_text_bytes` of text, N criteria, and M domains."""
    n_tokens = max(n_text_bytes // BYTES_PER_TOKEN, 1)
    pool_tokens = _two_digits(min(n_tokens, _MAX_POOL_TOKENS))
    n_entries = (n_criteria + 4) * n_domains
    n_proxies = min(max(n_entries, _MIN_PROXIES), _MAX_PROXIES)
    return Sizes(
        n_tokens=n_tokens,
        vocab_size=2_048 if n_tokens < 10_000_000 else 4_096 if n_tokens < 200_000_000 else 8_192,
        pool_tokens=pool_tokens,
        omega_max=0.5 if n_tokens < 10_000_000 else 0.3 if n_tokens < 1_000_000_000 else 0.1,
        n_entries=n_entries,
        n_proxies=-(-n_proxies // _BATCH_SIZE) * _BATCH_SIZE,
        n_measuring=_n_measuring(n_criteria),
    )


def _n_measuring(n_criteria: int) -> int:
    """Proxies that the default settings train beside the swarm, for one objective."""
    proxies, search = ProxiesSettings(), SearchSettings()
    repeats = proxies.repeated_thetas * proxies.repeats
    verification = sum(heat.candidates * heat.seeds for heat in search.verify.heats)
    return repeats + verification + search.check_seeds * (_COMPARED + n_criteria)


def _two_digits(number: int) -> int:
    unit = 10 ** max(len(str(number)) - 2, 0)
    return max(number // unit * unit, 1)
