"""The rule of domain rates: random documents of every domain, at a budget of each domain."""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Self

import numpy as np

from quadmix_assets.mix.documents import Documents
from quadmix_assets.mix.methods.words import apart
from quadmix_assets.mix.rule import Curve, Decisions, Rule, StoredRule, Why
from quadmix_assets.sampling import draw_bits
from quadmix_assets.sampling.validation import FloatArray, IntArray, check_floats
from quadmix_assets.splitmix64 import UIntArray

_RANGE = 2.0**64
_MOST_NAMES = 3


@dataclass(frozen=True, eq=False)
class DomainRule(Rule):
    """Whole copies of every document of a domain, and one more where its draw is below a cut.

    A domain that had no documents when the rule was fitted gets none.

    Attributes:
        whole: (M,) copies that every document of the domain gets.
        cuts: (M,) uint64; a document whose 64-bit draw is below its domain's gets one more.
        seed: of the draw.
    """

    whole: IntArray
    cuts: UIntArray
    seed: int

    @classmethod
    def fit(
        cls,
        pool: Documents,
        weights: FloatArray,
        *,
        tokens: int,
        seed: int,
        max_epochs: float | None = None,
    ) -> Self:
        """Give every domain its share of the tokens, in whole documents.

        In each domain documents are taken in the order of their draws, again from the first when
        the domain is used up. The order over all domains is by the share of its domain's budget
        that is used once a document is taken; taken are as many documents of that order as the
        tokens allow. So a domain is off its budget by single documents only, and the next document
        of the order would exceed the tokens.

        Args:
            pool: the documents that may be taken.
            weights: (M,) token share of each domain in the mix, of any sum; the share of domains
                without tokens is divided among the others in proportion.
            tokens: of the mix.
            seed: of the draw.
            max_epochs: copies of a domain's tokens that are taken at most; None: no limit.

        Raises:
            ValueError: a weight is negative or not finite, no domain with a weight has tokens, or
                a domain's budget is beyond `max_epochs`.
        """
        of_domain = pool.tokens_per_domain()
        wanted = check_floats("weights", weights, (pool.n_domains,), minimum=0.0)
        wanted = np.where(of_domain > 0, wanted, 0.0)
        if not wanted.sum() > 0:
            raise ValueError(
                f"none of the domains with a weight has tokens in the {len(pool):,} documents of "
                "the pool: check the domain labels"
            )
        budgets = tokens * (wanted / wanted.sum())
        limits = np.full(pool.n_domains, np.inf)
        if max_epochs is not None:
            limits = max_epochs * of_domain.astype(np.float64)
        over = budgets > limits * (1 + 1e-9)
        if over.any():
            name = pool.domain_names[int(np.flatnonzero(over)[0])]
            raise ValueError(
                f"{tokens:,} tokens of the mix would take the domain {name!r} more than "
                f"{max_epochs:g} times: lower `tokens`, or raise `max_epochs`"
            )
        bits = draw_bits(pool.id_hashes, seed)
        members = [
            _Domain.of(bits[rows], pool.n_tokens[rows], float(budget))
            for domain, budget in enumerate(budgets)
            for rows in [np.flatnonzero(pool.domains == domain)]
        ]
        _fill_up(members, limits, tokens)
        return cls(
            np.array([domain.whole for domain in members], dtype=np.int64),
            np.array([domain.cut for domain in members], dtype=np.uint64),
            seed,
        )

    @property
    def rates(self) -> FloatArray:
        """(M,) expected copies of the documents of each domain."""
        return self.whole + self.cuts / _RANGE

    def decide(self, documents: Documents) -> Decisions:
        """See `Rule`."""
        domains = documents.domains
        further = draw_bits(documents.id_hashes, self.seed) < self.cuts[domains]
        return Decisions(self.whole[domains] + further, self.rates[domains])

    def why(self, document: Documents) -> Why:
        """See `Rule`."""
        domain = int(document.domains[0])
        name, rate = document.domain_names[domain], float(self.rates[domain])
        whole, cut = int(self.whole[domain]), float(self.cuts[domain] / _RANGE)
        draw = float(draw_bits(document.id_hashes, self.seed)[0] / _RANGE)
        copies = int(self.decide(document).copies[0])
        taken = copies > whole
        shown_draw, shown_cut = apart(draw, cut)
        which = f"documents of the domain {name!r}" if len(self.whole) > 1 else "documents"
        because = (
            f"{which} are taken {rate:.4f} times on average, whatever their scores: "
            f"{f'each {whole} times, and once more' if whole else 'once'} where the draw is below "
            f"{shown_cut}; "
            f"its draw {shown_draw} is {'below' if taken else 'not below'} that"
        )
        short = f"draw {shown_draw} {'below' if taken else 'not below'} {shown_cut}"
        if len(self.whole) > 1:
            short += f" of {name}"
        flips = [
            f"a draw of {shown_cut} or more" if taken else f"a draw below {shown_cut}",
            *self._other_domains(document, domain, copies),
        ]
        x = np.linspace(0.0, 1.0, 400)
        curve = Curve(x, whole + (x < cut).astype(np.float64), "draw of the document", draw)
        return Why(
            because, short, tuple(flips), curve, {"draw": draw, "threshold": cut, "rate": rate}
        )

    def _other_domains(self, document: Documents, own: int, copies: int) -> list[str]:
        """In which domains its draw would give other copies."""
        bits = draw_bits(document.id_hashes, self.seed)[0]
        elsewhere = self.whole + (bits < self.cuts)
        found = [m for m in np.flatnonzero(elsewhere != copies) if m != own]
        if not found:
            return []
        first = [f"{document.domain_names[m]} ({elsewhere[m]} copies)" for m in found[:_MOST_NAMES]]
        more = f" or {len(found) - len(first)} more" if len(found) > len(first) else ""
        return [f"another domain: {', '.join(first)}{more}"]

    def stored(self) -> StoredRule:
        """See `Rule`; cuts are hexadecimal, as JSON's numbers have 53 bits in most readers."""
        cuts = [f"{int(cut):016x}" for cut in self.cuts]
        return StoredRule(
            {
                "whole": self.whole.tolist(),
                "cuts": cuts,
                "rates": self.rates.tolist(),
                "seed": self.seed,
            }
        )

    @classmethod
    def restored(cls, stored: StoredRule) -> Self:
        """See `Rule`."""
        values = stored.values
        return cls(
            np.array(values["whole"], dtype=np.int64),
            np.array([int(cut, 16) for cut in values["cuts"]], dtype=np.uint64),
            values["seed"],
        )


def cut_between(goal: float, last: int | None, following: int) -> int:
    """The cut of draws that is nearest to a share of all draws, after one draw and up to another.

    Args:
        goal: share of all draws, 0 to 1: what documents of later shards shall be taken with.
        last: the largest draw that is taken; None: none is.
        following: the next draw, which is not taken.
    """
    least = 0 if last is None else last + 1
    return max(min(int(goal * _RANGE), following), least)


@dataclass
class _Domain:
    """The documents of one domain in the order of their draws, and how many are taken.

    Attributes:
        bits: (d,) draws in ascending order.
        up_to: (d,) tokens of the documents up to each.
        budget: tokens of the domain in the mix.
        whole: passes over all documents.
        n_taken: documents of the pass that is not whole.
    """

    bits: UIntArray
    up_to: IntArray
    budget: float
    whole: int
    n_taken: int

    @classmethod
    def of(cls, bits: UIntArray, n_tokens: IntArray, budget: float) -> "_Domain":
        """As many documents as its budget allows."""
        order = np.argsort(bits)
        up_to = np.cumsum(n_tokens[order])
        n_all = int(up_to[-1]) if len(up_to) else 0
        if not n_all or not budget:
            # No documents are taken, not even those without tokens.
            return cls(bits[order], up_to, 0.0, 0, 0)
        whole, part = divmod(budget, n_all)
        n_taken = int(np.searchsorted(up_to, part, side="right"))
        return cls(bits[order], up_to, budget, int(whole), n_taken)

    @property
    def n_tokens(self) -> int:
        """Tokens that are taken."""
        part = int(self.up_to[self.n_taken - 1]) if self.n_taken else 0
        return self.whole * self._n_all + part

    @property
    def tokens_with_next(self) -> int:
        """Tokens that are taken with the next document."""
        return self.whole * self._n_all + int(self.up_to[self.n_taken])

    def take_next(self) -> None:
        """Take the next document."""
        self.n_taken += 1
        if self.n_taken == len(self.bits):
            self.whole, self.n_taken = self.whole + 1, 0

    @property
    def cut(self) -> int:
        """The draw that documents of the pass that is not whole are below."""
        if not self.budget:
            return 0
        goal = np.clip(self.budget / self._n_all - self.whole, 0.0, 1.0)
        last = int(self.bits[self.n_taken - 1]) if self.n_taken else None
        return cut_between(float(goal), last, int(self.bits[self.n_taken]))

    @property
    def _n_all(self) -> int:
        return int(self.up_to[-1]) if len(self.up_to) else 0


def _fill_up(members: list[_Domain], limits: FloatArray, tokens: int) -> None:
    """Take further documents, by the share of their domain's budget, until the next is too many."""

    def entry(number: int) -> tuple[float, int]:
        return members[number].tokens_with_next / members[number].budget, number

    left = tokens - sum(domain.n_tokens for domain in members)
    waiting = [entry(m) for m, domain in enumerate(members) if domain.budget > 0]
    heapify(waiting)
    while waiting:
        _, number = heappop(waiting)
        domain = members[number]
        more = domain.tokens_with_next - domain.n_tokens
        if domain.tokens_with_next > limits[number]:
            continue
        if more > left:
            return
        left -= more
        domain.take_next()
        heappush(waiting, entry(number))
