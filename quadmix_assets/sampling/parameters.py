"""theta, the parameters of a mix, and how they are drawn: Algorithm 1 of the paper."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quadmix_assets.sampling.expected import Expectation, expectation
from quadmix_assets.sampling.validation import FloatArray, check_alpha, check_floats, check_shape

LambdaPrior = Literal["log_uniform", "uniform"]
Stream = Literal["proxies", "search"]

_STREAMS: dict[Stream, int] = {"proxies": 0, "search": 1}
# Scales are drawn from streams of their own, so that they do not change the other parameters.
_SCALE_STREAM = 100
_PAPER_BETA = ("lam", "omega", "eta", "epsilon")
_BETA = (*_PAPER_BETA, "scale")
# The scale in the paper's space, for all domains.
_ONE = np.ones(())
_ONE.flags.writeable = False


class Theta(NamedTuple):
    """The parameters of one mix: `alpha` (M, N), the others (M,) each.

    `scale` is an extension of the paper's space: a factor on each domain's sampling function, 1 in
    the paper. A single number holds for all domains.
    """

    alpha: FloatArray
    lam: FloatArray
    omega: FloatArray
    eta: FloatArray
    epsilon: FloatArray
    scale: FloatArray = _ONE


@dataclass(frozen=True, eq=False)
class Parameters:
    """n thetas over N criteria and M domains.

    Args:
        alpha: (n, M, N) weights of the criteria; each (theta, domain) row sums to 1 (Eq. 1).
        lam, omega, eta, epsilon: (n, M) each, none negative (Eq. 3).
        scale: (n, M), none negative, or a single number for all: the extension that `Theta`
            describes.

    Raises:
        ValueError: shapes that do not agree, NaN or infinity, negative values, or a row of
            alpha that does not sum to 1 within 1e-6; the message names the index.
    """

    alpha: FloatArray
    lam: FloatArray
    omega: FloatArray
    eta: FloatArray
    epsilon: FloatArray
    scale: FloatArray = field(default_factory=lambda: _ONE)

    def __post_init__(self) -> None:
        """Bring all arrays to float64 and check them."""
        alpha = check_alpha(self.alpha, (None, None, None))
        object.__setattr__(self, "alpha", alpha)
        if np.ndim(self.scale) == 0:
            object.__setattr__(self, "scale", np.full(alpha.shape[:2], self.scale))
        for name in _BETA:
            values = check_floats(name, getattr(self, name), alpha.shape[:2], minimum=0.0)
            object.__setattr__(self, name, values)

    @property
    def beta(self) -> dict[str, FloatArray]:
        """The parameters of the sampling functions by name, (n, M) each, in the order of Eq. 3."""
        return {name: getattr(self, name) for name in _BETA}

    def expectation(self) -> Expectation:
        """Expected epochs and mean rank of every domain, (n, M) each."""
        return expectation(**self.beta)

    @property
    def is_scaled(self) -> bool:
        """Whether any scale differs from 1, that of the paper's space."""
        return bool((self.scale != 1.0).any())

    @property
    def n_domains(self) -> int:
        """M, the number of domains."""
        return int(self.alpha.shape[1])

    @property
    def n_criteria(self) -> int:
        """N, the number of criteria."""
        return int(self.alpha.shape[2])

    def __len__(self) -> int:
        """n, the number of thetas."""
        return len(self.alpha)

    def __iter__(self) -> Iterator[Theta]:
        """Iterate over the thetas."""
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
        return Parameters(self.alpha[index], *(values[index] for values in self.beta.values()))

    def row(self, i: int) -> Theta:
        """The theta at position i."""
        return Theta(self.alpha[i], *(values[i] for values in self.beta.values()))

    def as_features(self, *, scaled: bool = False) -> FloatArray:
        """The thetas as a matrix (n, (N + 4) * M), columns as `feature_names` names them.

        All of alpha comes first, domain by domain, then lam of all domains, omega, eta, epsilon,
        and with `scaled` also scale, M more columns.

        Raises:
            ValueError: a scale is not 1, and `scaled` leaves it out.
        """
        if not scaled and self.is_scaled:
            raise ValueError("these thetas have scales other than 1: pass scaled=True to keep them")
        flat = self.alpha.reshape(len(self), self.n_domains * self.n_criteria)
        beta = [self.beta[name] for name in _beta_names(scaled)]
        return np.concatenate([flat, *beta], axis=1)

    @classmethod
    def stack(cls, thetas: Sequence[Theta]) -> "Parameters":
        """Single thetas, at least one, as Parameters."""
        whole = [t._replace(scale=np.broadcast_to(t.scale, t.lam.shape)) for t in thetas]
        return cls(*(np.stack(arrays) for arrays in zip(*whole, strict=True)))

    @classmethod
    def concatenate(cls, parts: Sequence["Parameters"]) -> "Parameters":
        """The thetas of all `parts`, at least one, in order."""
        names = ("alpha", *_BETA)
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    @classmethod
    def from_features(cls, features: ArrayLike, n_criteria: int, n_domains: int) -> "Parameters":
        """The inverse of `as_features`.

        Raises:
            ValueError: the matrix has neither (N + 4) * M nor (N + 5) * M columns, or holds no
                valid thetas.
        """
        matrix = np.asarray(features, dtype=np.float64)
        n_weights = n_domains * n_criteria
        n_scaled = n_weights + len(_BETA) * n_domains
        is_scaled = matrix.ndim == 2 and matrix.shape[1] == n_scaled
        n_columns = n_scaled if is_scaled else n_scaled - n_domains
        check_shape("features", matrix, (None, n_columns))
        alpha = matrix[:, :n_weights].reshape(len(matrix), n_domains, n_criteria)
        return cls(alpha, *np.split(matrix[:, n_weights:], len(_beta_names(is_scaled)), axis=1))


def _beta_names(scaled: bool) -> tuple[str, ...]:
    return _BETA if scaled else _PAPER_BETA


def feature_names(
    criteria: Sequence[str], domains: Sequence[str], *, scaled: bool = False
) -> list[str]:
    """Names of the columns of `as_features`: "alpha[law,importance]", ..., "lam[law]", ..."""
    weights = [f"alpha[{domain},{criterion}]" for domain in domains for criterion in criteria]
    return weights + [f"{name}[{domain}]" for name in _beta_names(scaled) for domain in domains]


def sample_parameters(
    n: int,
    n_criteria: int,
    n_domains: int,
    *,
    seed: int,
    omega_max: float = 0.1,
    lambda_prior: LambdaPrior = "log_uniform",
    scale_max: float = 1.0,
    stream: Stream = "proxies",
    start: int = 0,
) -> Parameters:
    """Draw n thetas by Algorithm 1.

    Global weights a[n] ~ U(0,1) are normalized to sum 1 and rescaled in each domain by
    b[n] ~ U(0,1): alpha[m,n] = a[n]·b[n] / Σ. Then lam = 10^(3u), omega = omega_max·u, eta = u,
    epsilon = u / 1000, each with its own u ~ U(0,1).

    All random numbers come from one stream that is read theta by theta. So theta i depends on
    seed, stream, N, M and i alone, never on n: the first k of n thetas are the thetas
    of `sample_parameters(k, ...)`, and `start` draws a later part without the earlier one.

    Args:
        n: how many thetas.
        n_criteria: N.
        n_domains: M.
        seed: non-negative; the same seed gives the same thetas.
        omega_max: upper end of omega, in (0, 1]; 0.1 in the paper.
        lambda_prior: "log_uniform" is 10^(3u), "uniform" is 1000u, the other reading of the
            paper's typesetting.
        scale_max: the extension: scale = scale_max^u, so from 1 to this; 1 is the paper's space.
        stream: "proxies" and "search" are independent streams of the same seed, so that the
            candidates of a search are not the thetas its regressor was trained on.
        start: position of the first theta in the stream.

    Raises:
        ValueError: a count, the seed, omega_max, scale_max, prior or stream is out of range.
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
    if scale_max < 1.0:
        raise ValueError(f"scale_max is {scale_max}; expected 1 or more")
    if lambda_prior not in ("log_uniform", "uniform"):
        raise ValueError(f"lambda_prior is {lambda_prior!r}; expected 'log_uniform' or 'uniform'")
    if stream not in _STREAMS:
        raise ValueError(f"stream is {stream!r}; expected one of {', '.join(_STREAMS)}")

    width = n_criteria + n_domains * (n_criteria + len(_PAPER_BETA))
    draws = _uniform(n, width, seed=seed, stream=_STREAMS[stream], start=start)
    a = draws[:, :n_criteria]
    per_domain = draws[:, n_criteria:].reshape(n, n_domains, n_criteria + len(_PAPER_BETA))
    b = per_domain[:, :, :n_criteria]
    u_lam, u_omega, u_eta, u_epsilon = np.moveaxis(per_domain[:, :, n_criteria:], 2, 0)

    weights = (a / a.sum(axis=1, keepdims=True))[:, None, :] * b
    alpha = weights / weights.sum(axis=2, keepdims=True)
    lam = 10.0 ** (3.0 * u_lam) if lambda_prior == "log_uniform" else 1000.0 * u_lam
    scale_stream = _SCALE_STREAM + _STREAMS[stream]
    scale = scale_max ** _uniform(n, n_domains, seed=seed, stream=scale_stream, start=start)
    return Parameters(alpha, lam, omega_max * u_omega, u_eta.copy(), u_epsilon / 1000.0, scale)


def _uniform(n: int, width: int, *, seed: int, stream: int, start: int) -> FloatArray:
    """U(0,1), (n, width), end points excluded; from raw bits, which NumPy keeps across versions."""
    bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(stream,)))
    bits.advance(start * width)
    raw = bits.random_raw(n * width).reshape(n, width)
    return ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
