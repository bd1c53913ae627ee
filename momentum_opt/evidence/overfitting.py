"""Probability of backtest overfitting (SPEC §13): sums per block of every candidate in, PBO and its kin out.

Combinatorially symmetric cross-validation (D. H. Bailey, J. Borwein, M. López de Prado and Q. J. Zhu, The probability
of backtest overfitting, J. Computational Finance 20(4), 2017): in every half of the blocks the best candidate is
picked, and looked at in the other half. The complement of a half is a half too, so each pair is evaluated once.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from momentum_opt.evidence.moments import Moments, combined

FEWEST_DAYS: Final = 64
FEWEST_CANDIDATES: Final = 10

CELLS_AT_ONCE: Final = 1 << 15
"""Halves × candidates held at once: one array of them is a quarter of a megabyte, which stays in the cache."""

SMALLEST_VARIANCE: Final = 1e-24
"""Of daily returns in a block, relative to one; what lies below is rounding."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Overfitting:
    """What picking the best in one half is worth in the other.

    Attributes:
        probability: PBO, the share of halves whose best candidate ranks in the lower half of the other one.
        logits: log(ω/(1 − ω)) of each half, in the order of `itertools.combinations`.
        in_sample: Sharpe ratio per day of each half's best candidate in it.
        out_of_sample: Sharpe ratio per day of the same candidate in the other half.
    """

    probability: float
    logits: Values
    in_sample: Values
    out_of_sample: Values

    @property
    def loss_probability(self) -> float:
        """Share of halves whose best candidate has a Sharpe ratio below zero in the other."""
        return float((self.out_of_sample < 0.0).mean())

    @property
    def slope(self) -> float | None:
        """Least-squares slope of out-of-sample on in-sample Sharpe ratios; None where the latter are all the same."""
        apart = self.in_sample - self.in_sample.mean()
        spread = float(apart @ apart)
        return float(apart @ self.out_of_sample) / spread if spread > 0.0 else None


def overfitting(blocks: Moments) -> Overfitting:
    """PBO over all halves of the blocks.

    Args:
        blocks: (block, candidate), an even number of blocks with the same number of days each; without the rest.

    Raises:
        ValueError: an odd number of blocks, or blocks of different lengths.
    """
    n_blocks, n_candidates = blocks.mean.shape
    if n_blocks % 2 or n_blocks == 0 or np.ptp(blocks.n):
        raise ValueError(f"`blocks` must be an even number of equal ones, but got {n_blocks} of {np.unique(blocks.n)}")
    halves = _halves(n_blocks)
    chunk = max(1, CELLS_AT_ONCE // n_candidates)
    terms = _Terms.of(blocks)
    first = [terms.both_ways(halves[start : start + chunk]) for start in range(0, len(halves), chunk)]
    one, other = (np.concatenate([piece[way] for piece in first], axis=1) for way in (0, 1))
    # The halves that hold block 0 come first in the order of combinations; their complements follow in reverse.
    in_sample, out_of_sample, rank = np.concatenate([one, other[:, ::-1]], axis=1)
    share = rank / (n_candidates + 1)
    logits = np.log(share / (1.0 - share))
    return Overfitting(float((logits <= 0.0).mean()), logits, in_sample, out_of_sample)


def why_not(n_days: int, n_candidates: int) -> str | None:
    """Why PBO is not computed, or None where there is enough to compute it from (SPEC §13)."""
    if n_days < FEWEST_DAYS:
        return f"{n_days} daily returns are fewer than the {FEWEST_DAYS} it takes"
    if n_candidates < FEWEST_CANDIDATES:
        return f"{n_candidates} distinct candidates are fewer than the {FEWEST_CANDIDATES} it takes"
    return None


def _halves(n_blocks: int) -> Values:
    """(half, block) selectors of the halves that hold block 0, in the order of `itertools.combinations`."""
    chosen = [half for half in combinations(range(n_blocks), n_blocks // 2) if half[0] == 0]
    selectors = np.zeros((len(chosen), n_blocks))
    selectors[np.arange(len(chosen))[:, None], chosen] = 1.0
    return selectors


@dataclass(frozen=True)
class _Terms:
    """Per block and candidate what a half needs the sum of, about the candidate's mean over all blocks.

    Scaled by the number of blocks in a half, so that the sums are means over the half's days.
    """

    mean: Values
    """(candidate,) over all blocks."""
    shift: Values
    """(block, candidate) mean of a block less `mean`; they sum to zero."""
    square: Values
    """(block, candidate) mean of (x − `mean`)² in a block."""

    @classmethod
    def of(cls, blocks: Moments) -> "_Terms":
        mean = combined(blocks).mean
        shift = blocks.mean - mean
        square = blocks.m2 / blocks.n + shift**2
        half = len(shift) // 2
        # What rounding leaves of a constant is no variance: such a candidate has a ratio of 0 throughout.
        still = (blocks.m2 / blocks.n <= SMALLEST_VARIANCE * (1.0 + blocks.mean**2)).any(axis=0)
        return cls(np.where(still, 0.0, mean), np.where(still, 0.0, shift) / half, np.where(still, 1.0, square) / half)

    def both_ways(self, halves: Values) -> tuple[Values, Values]:
        """(in-sample, out-of-sample, rank) by half: the best of each half in its complement, and the reverse."""
        shift, square = halves @ self.shift, halves @ self.square
        # The complement's mean lies as far on the other side; first, because `square` is used up.
        other = _sharpe(self.mean, -shift, self.square.sum(axis=0) - square)
        one = _sharpe(self.mean, shift, square)
        return _picked(one, other), _picked(other, one)


def _sharpe(mean: Values, shift: Values, square: Values) -> Values:
    """(half, candidate) mean over std: (mean + shift) / √(square − shift²). Overwrites `square`."""
    square -= shift * shift
    np.sqrt(square, out=square)
    ratio = mean + shift
    ratio /= square
    return ratio


def _picked(inside: Values, outside: Values) -> Values:
    """The best of each row of `inside`: its value there, outside, and its rank outside (1 = worst, ties average)."""
    row = np.arange(len(inside))
    best = inside.argmax(axis=1)
    value = outside[row, best]
    smaller = np.count_nonzero(outside < value[:, None], axis=1)
    not_larger = np.count_nonzero(outside <= value[:, None], axis=1)
    return np.stack([inside[row, best], value, (smaller + not_larger + 1) / 2])
