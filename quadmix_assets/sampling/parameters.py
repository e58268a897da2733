"""theta, the parameters of a mix, and how they are drawn: Algorithm 1 of the paper."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadmix_assets.sampling.validation import FloatArray, check_alpha, check_floats, check_shape

LambdaPrior = Literal["log_uniform", "uniform"]
Stream = Literal["proxies", "search"]

_STREAMS: dict[Stream, int] = {"proxies": 0, "search": 1}
# Scales come from streams of their own, so that they change no other parameter.
_SCALE_STREAM = 100
_BETA = ("lam", "omega", "eta", "epsilon")
_SCALE = "scale"


class Theta(NamedTuple):
    """The parameters of one mix: `alpha` (M, N), the others (M,) each.

    `scale` is an extension of the paper's space: a factor on each domain's sampling function. None
    is the paper's space, a factor of 1.
    """

    alpha: FloatArray
    lam: FloatArray
    omega: FloatArray
    eta: FloatArray
    epsilon: FloatArray
    scale: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Parameters:
    """n thetas over N criteria and M domains.

    Args:
        alpha: (n, M, N) weights of the criteria; each (theta, domain) row sums to 1 (Eq. 1).
        lam, omega, eta, epsilon: (n, M) each, none negative (Eq. 3).
        scale: (n, M), none negative, or None: the extension that `Theta` describes.

    Raises:
        ValueError: shapes that do not agree, NaN or infinity, negative values, or a row of
            alpha that does not sum to 1 within 1e-6; the message names the index.
    """

    alpha: FloatArray
    lam: FloatArray
    omega: FloatArray
    eta: FloatArray
    epsilon: FloatArray
    scale: FloatArray | None = None

    def __post_init__(self) -> None:
        """Bring all arrays to float64 and check them."""
        alpha = check_alpha(self.alpha, (None, None, None))
        object.__setattr__(self, "alpha", alpha)
        for name in self.beta:
            values = check_floats(name, getattr(self, name), alpha.shape[:2], minimum=0.0)
            object.__setattr__(self, name, values)

    @property
    def beta(self) -> tuple[str, ...]:
        """The names of the parameters of the sampling functions."""
        return _BETA if self.scale is None else (*_BETA, _SCALE)

    @property
    def n_domains(self) -> int:
        """M."""
        return int(self.alpha.shape[1])

    @property
    def n_criteria(self) -> int:
        """N."""
        return int(self.alpha.shape[2])

    def __len__(self) -> int:
        """n, the number of thetas."""
        return len(self.alpha)

    def __iter__(self) -> Iterator[Theta]:
        """One theta after the other."""
        return (self.row(i) for i in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Theta: ...
    @overload
    def __getitem__(self, index: slice | NDArray[np.integer] | Sequence[int]) -> "Parameters": ...
    def __getitem__(
        self, index: int | slice | NDArray[np.integer] | Sequence[int]
    ) -> "Theta | Parameters":
        """`parameters[3]` is one theta; a slice or a list of indices gives Parameters."""
        if isinstance(index, int | np.integer):
            return self.row(int(index))
        return Parameters(self.alpha[index], *(getattr(self, name)[index] for name in self.beta))

    def row(self, i: int) -> Theta:
        """The theta at position i."""
        return Theta(self.alpha[i], *(getattr(self, name)[i] for name in self.beta))

    def as_features(self) -> FloatArray:
        """The thetas as a matrix (n, (N + 4) * M), columns as `feature_names` names them.

        All of alpha comes first, domain by domain, then lam, omega, eta and epsilon of all
        domains in turn, and scale, M more columns, where there is one.
        """
        flat = self.alpha.reshape(len(self), self.n_domains * self.n_criteria)
        return np.concatenate([flat, *(getattr(self, name) for name in self.beta)], axis=1)

    @classmethod
    def stack(cls, thetas: Sequence[Theta]) -> "Parameters":
        """Single thetas, at least one, as Parameters."""
        names = [name for name, values in thetas[0]._asdict().items() if values is not None]
        return cls(**{name: np.stack([getattr(t, name) for t in thetas]) for name in names})

    @classmethod
    def from_features(cls, features: ArrayLike, n_criteria: int, n_domains: int) -> "Parameters":
        """The inverse of `as_features`.

        Raises:
            ValueError: the matrix has neither (N + 4) * M nor (N + 5) * M columns, or holds no
                valid thetas.
        """
        matrix = np.asarray(features, dtype=np.float64)
        n_weights = n_domains * n_criteria
        n_scaled = n_weights + (len(_BETA) + 1) * n_domains
        is_scaled = matrix.ndim == 2 and matrix.shape[1] == n_scaled
        n_columns = n_scaled if is_scaled else n_scaled - n_domains
        check_shape("features", matrix, (None, n_columns))
        alpha = matrix[:, :n_weights].reshape(len(matrix), n_domains, n_criteria)
        return cls(alpha, *np.split(matrix[:, n_weights:], len(_BETA) + is_scaled, axis=1))


def feature_names(
    criteria: Sequence[str], domains: Sequence[str], *, scaled: bool = False
) -> list[str]:
    """Names of the columns of `as_features`: "alpha[law,importance]", ..., "lam[law]", ..."""
    weights = [f"alpha[{domain},{criterion}]" for domain in domains for criterion in criteria]
    beta = (*_BETA, _SCALE) if scaled else _BETA
    return weights + [f"{name}[{domain}]" for name in beta for domain in domains]


def sample_parameters(
    n: int,
    n_criteria: int,
    n_domains: int,
    *,
    seed: int,
    omega_max: float = 0.1,
    lambda_prior: LambdaPrior = "log_uniform",
    scale_max: float | None = None,
    stream: Stream = "proxies",
    start: int = 0,
) -> Parameters:
    """Draw n thetas by Algorithm 1.

    Global weights a[n] ~ U(0,1) are normalised to sum 1; in each domain b[n] ~ U(0,1) bends them:
    alpha[m,n] = a[n]·b[n] / Σ. Then lam = 10^(3u), omega = omega_max·u, eta = u,
    epsilon = u / 1000, each u its own draw.

    All random numbers come from one stream that is read theta by theta. So theta i depends on
    seed, stream, N, M and its position alone, never on n: the first k of n thetas are the thetas
    of `sample_parameters(k, ...)`, and `start` draws a later part without the earlier one.

    Args:
        n: how many thetas.
        n_criteria: N.
        n_domains: M.
        seed: non-negative; the same seed gives the same thetas.
        omega_max: upper end of omega, in (0, 1]; 0.1 in the paper.
        lambda_prior: "log_uniform" is 10^(3u), "uniform" is 1000u, the other reading of the
            paper's typesetting.
        scale_max: the extension: scale = scale_max^u, so from 1 to this; None for the paper's
            space.
        stream: "proxies" and "search" are independent streams of the same seed, so that a search
            never meets the thetas its regressor was trained on.
        start: position of the first theta in the stream.

    Raises:
        ValueError: a count, the seed, omega_max, the prior or the stream is out of range.
    """
    for name, value, least in (
        ("n", n, 0),
        ("n_criteria", n_criteria, 1),
        ("n_domains", n_domains, 1),
        ("seed", seed, 0),
        ("start", start, 0),
    ):
        if value < least:
            raise ValueError(f"{name} is {value}; expected {least} or more")
    if not 0.0 < omega_max <= 1.0:
        raise ValueError(f"omega_max is {omega_max}; expected above 0 and at most 1, a rank")
    if scale_max is not None and scale_max < 1.0:
        raise ValueError(f"scale_max is {scale_max}; expected 1 or more")
    if lambda_prior not in ("log_uniform", "uniform"):
        raise ValueError(f"lambda_prior is {lambda_prior!r}; expected 'log_uniform' or 'uniform'")
    if stream not in _STREAMS:
        raise ValueError(f"stream is {stream!r}; expected one of {', '.join(_STREAMS)}")

    width = n_criteria + n_domains * (n_criteria + len(_BETA))
    draws = _uniform(n, width, seed=seed, stream=_STREAMS[stream], start=start)
    a = draws[:, :n_criteria]
    per_domain = draws[:, n_criteria:].reshape(n, n_domains, n_criteria + len(_BETA))
    b = per_domain[:, :, :n_criteria]
    u_lam, u_omega, u_eta, u_epsilon = np.moveaxis(per_domain[:, :, n_criteria:], 2, 0)

    weights = (a / a.sum(axis=1, keepdims=True))[:, None, :] * b
    alpha = weights / weights.sum(axis=2, keepdims=True)
    lam = 10.0 ** (3.0 * u_lam) if lambda_prior == "log_uniform" else 1000.0 * u_lam
    scale = None
    if scale_max is not None:
        scale_stream = _SCALE_STREAM + _STREAMS[stream]
        scale = scale_max ** _uniform(n, n_domains, seed=seed, stream=scale_stream, start=start)
    return Parameters(alpha, lam, omega_max * u_omega, u_eta.copy(), u_epsilon / 1000.0, scale)


def _uniform(n: int, width: int, *, seed: int, stream: int, start: int) -> FloatArray:
    """U(0,1) without its end points, from raw bits: NumPy fixes those of PCG64 for all versions."""
    bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(stream,)))
    bits.advance(start * width)
    raw = bits.random_raw(n * width).reshape(n, width)
    return ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
