"""The rule of one theta: normalise, merge, rank, sample (QuaDMix, Equations 1 to 3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl

from quadmix_assets.mix.calibration import RankCalibration
from quadmix_assets.mix.documents import Documents, Pool
from quadmix_assets.mix.methods.scaling import Columns, Scale, TokensOutOfReachError
from quadmix_assets.mix.methods.theta_why import Place, why_of_theta
from quadmix_assets.mix.rule import Decisions, Rule, StoredRule, Why
from quadmix_assets.sampling import (
    Theta,
    copies_of,
    draw_bits,
    draw_copies,
    expectation,
    merge_scores,
    sampling_value,
    uniform_of_bits,
    uniform_of_ids,
)
from quadmix_assets.sampling.theta_json import theta_from_json, theta_to_json
from quadmix_assets.sampling.validation import FloatArray, IntArray

_TABLE = "calibration"
# Documents of smaller pools are held at once while the tokens are met.
_HELD_AT_ONCE = 2_000_000
_GUESS_STEPS = 60
_MARGINS = 20.0


@dataclass(frozen=True, eq=False)
class ThetaRule(Rule):
    """theta, the calibration of ranks under it, and the seed of the draw.

    Where the mix has a number of tokens, all omegas are multiplied by one factor, and are at most
    1. Merged scores and ranks do not depend on omega, so the order of documents stays the same.

    Attributes:
        unscaled: theta as it was searched for.
        calibration: merged score -> rank within the domain.
        criteria: the N criteria that theta weighs.
        seed: of the draw.
        scale: the factor on the omegas; None without a number of tokens.
    """

    unscaled: Theta
    calibration: RankCalibration
    criteria: tuple[str, ...]
    seed: int
    scale: Scale | None = None

    @classmethod
    def fit(
        cls,
        pool: Pool,
        theta: Theta,
        *,
        criteria: Sequence[str],
        tokens: int | None,
        seed: int,
        max_breakpoints: int,
    ) -> Self:
        """Calibrate ranks on the pool, and scale theta to a number of tokens if there is one.

        The pool is read once for the ranks, and once more for the tokens, in bounded memory.

        The tokens are met to a document: where one more document would be taken at a larger factor,
        they would be exceeded. Of documents that change at the same factor, as ties do, those with
        the smallest draws come first.

        Raises:
            ValueError: theta cannot take so many tokens, or takes more by epsilon alone.
        """
        of_domain = np.zeros(pool.n_domains, dtype=np.int64)
        n_documents = 0

        def ranked() -> Iterator[tuple[FloatArray, np.ndarray, np.ndarray]]:
            nonlocal n_documents
            for part in pool.parts(hashed=False):
                n_documents += len(part)
                np.add(of_domain, part.tokens_per_domain(), out=of_domain)
                merged = merge_scores(part.sigma(*criteria), part.domains, theta.alpha)
                yield merged, part.domains, part.n_tokens

        calibration = RankCalibration.fit_parts(
            ranked(), n_domains=pool.n_domains, max_breakpoints=max_breakpoints
        )
        rule = cls(theta, calibration, tuple(criteria), seed)
        if tokens is None:
            return rule
        guess = None
        if n_documents > _HELD_AT_ONCE:
            guess = _guess(theta, of_domain, tokens, n_documents)
        return replace(rule, scale=_fit_scale(rule, pool, tokens, guess))

    @property
    def theta(self) -> Theta:
        """theta with its omegas scaled: that of all documents but those between two factors."""
        return _scaled(self.unscaled, self.scale.low) if self.scale else self.unscaled

    def decide(self, documents: Documents) -> Decisions:
        """See `Rule`."""
        merged, ranks = self._ranked(documents)
        values = sampling_value(ranks, documents.domains, *self.theta[1:])
        copies = draw_copies(values, documents.id_hashes, self.seed)
        if self.scale is None or self.scale.high == self.scale.low:
            return Decisions(copies, values, merged, ranks)
        above = _scaled(self.unscaled, self.scale.high)
        values_above = sampling_value(ranks, documents.domains, *above[1:])
        copies_above = draw_copies(values_above, documents.id_hashes, self.seed)
        is_high = self.scale.is_high(draw_bits(documents.id_hashes, self.seed))
        more = is_high & (copies_above > copies)
        return Decisions(
            np.where(more, copies_above, copies),
            np.where(more, values_above, values),
            merged,
            ranks,
        )

    def why(self, document: Documents) -> Why:
        """See `Rule`."""
        made = self.decide(document)
        merged, ranks = self._ranked(document)
        theta, is_between = self.theta, False
        if self.scale is not None:
            above = _scaled(self.unscaled, self.scale.high)
            values = (sampling_value(ranks, document.domains, *t[1:]) for t in (theta, above))
            low, high = (draw_copies(value, document.id_hashes, self.seed)[0] for value in values)
            is_between = bool(low < high)
            theta = above if made.copies[0] == high else theta
        place = Place(
            domain=int(document.domains[0]),
            sigma=document.sigma(*self.criteria)[0],
            merged_score=float(merged[0]),
            rank=float(ranks[0]),
            draw=float(uniform_of_ids(document.id_hashes, self.seed)[0]),
            copies=int(made.copies[0]),
            sampling_value=float(made.sampling_value[0]),
            is_between=is_between,
        )
        return why_of_theta(place, theta, self.calibration, document, self.criteria)

    def stored(self) -> StoredRule:
        """See `Rule`; `theta` is there for reading, with its omegas scaled."""
        return StoredRule(
            {
                "theta": theta_to_json(self.theta),
                "unscaled": theta_to_json(self.unscaled),
                "scale": self.scale.to_json() if self.scale else None,
                "criteria": list(self.criteria),
                "seed": self.seed,
                "n_domains": len(self.calibration.tables),
            },
            {_TABLE: self.calibration.to_frame()},
        )

    @classmethod
    def restored(cls, stored: StoredRule) -> Self:
        """See `Rule`."""
        values = stored.values
        table: pl.DataFrame = stored.tables[_TABLE]
        return cls(
            theta_from_json(values["unscaled"]),
            RankCalibration.from_frame(table, n_domains=values["n_domains"]),
            tuple(values["criteria"]),
            values["seed"],
            Scale.from_json(values["scale"]) if values["scale"] else None,
        )

    def _ranked(self, documents: Documents) -> tuple[FloatArray, FloatArray]:
        """Merged scores (D,) and ranks (D,)."""
        sigma = documents.sigma(*self.criteria)
        merged = merge_scores(sigma, documents.domains, self.unscaled.alpha)
        return merged, self.calibration.ranks(merged, documents.domains)


def _scaled(theta: Theta, factor: float) -> Theta:
    return theta._replace(omega=np.minimum(theta.omega * factor, 1.0))


def _fit_scale(
    rule: ThetaRule, pool: Pool, tokens: int, between: tuple[float, float] | None
) -> Scale:
    theta = rule.unscaled

    def parts() -> Iterator[Columns]:
        for part in pool.parts(hashed=True):
            _, ranks = rule._ranked(part)
            yield draw_bits(part.id_hashes, rule.seed), part.n_tokens, ranks, part.domains

    def copies(factor: float, columns: Columns) -> IntArray:
        bits, _, ranks, domains = columns
        values = sampling_value(ranks, domains, *_scaled(theta, factor)[1:])
        return copies_of(values, uniform_of_bits(bits))

    try:
        return Scale.fit_parts(
            copies, parts, tokens=tokens, highest=_highest(theta), between=between
        )
    except TokensOutOfReachError as error:
        if error.least > tokens:
            raise ValueError(
                f"{tokens:,} tokens are asked for, but epsilon alone takes {error.least:,} tokens "
                "of the pool: ask for more"
            ) from None
        raise ValueError(
            f"{tokens:,} tokens are asked for, but theta takes at most {error.most:,} tokens of "
            "the pool, with every omega at 1: ask for fewer, or allow more copies "
            "(parameters.scale_max)"
        ) from None


def _highest(theta: Theta) -> float:
    """Twice what takes every omega to 1, whatever the rounding."""
    used = theta.omega > 0
    return float(2.0 / theta.omega[used].min()) if used.any() else 1.0


def _guess(theta: Theta, of_domain: IntArray, tokens: int, n_documents: int) -> tuple[float, float]:
    """Two factors between which the tokens are met, by what is expected of domains (M,)."""

    def expected(factor: float) -> float:
        return float(expectation(*_scaled(theta, factor)[1:]).epochs @ of_domain)

    low, high = 0.0, _highest(theta)
    for _ in range(_GUESS_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(middle) <= tokens else (low, middle)
    # The tokens that are drawn scatter around what is expected, by about this share.
    margin = min(_MARGINS / n_documents**0.5, 0.5)
    highest = _highest(theta)
    return low * (1 - margin), min(max(high * (1 + margin), highest * margin / 100), highest)
