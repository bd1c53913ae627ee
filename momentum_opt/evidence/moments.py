"""Central sums of samples (SPEC §13): values in, count, mean and Σ (x − mean)^p out, combined exactly over blocks.

Combining is the binomial theorem about the common mean (Chan, Golub & LeVeque 1983 for the variance; Pébay,
SAND2008-6212, for higher powers), for any number of blocks at once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from momentum_opt.study.block_sums import POWERS, ROWS, Sums
from momentum_opt.vocabulary.limits import SMALLEST_STD

Values = NDArray[np.float64]


class Moments(NamedTuple):
    """Count, mean and central sums of powers 2 to 4; arrays of one shape, one entry per sample."""

    n: Values
    mean: Values
    m2: Values
    m3: Values
    m4: Values

    @property
    def sharpe(self) -> Values:
        """S = mean / population std, per observation; NaN where nothing varies but by rounding."""
        std = np.sqrt(self.m2 / self.n)
        return np.where(std > SMALLEST_STD, _quotient(self.mean, std), np.nan)

    @property
    def skewness(self) -> Values:
        """g3 = (m3/n) / (m2/n)^(3/2)."""
        return _quotient(self.m3 / self.n, (self.m2 / self.n) ** 1.5)

    @property
    def kurtosis(self) -> Values:
        """g4 = n·m4 / m2², raw: 3 for a normal distribution."""
        return _quotient(self.m4 / self.n, (self.m2 / self.n) ** 2)


def moments_of(values: Values, axis: int = 0) -> Moments:
    """Moments along `axis`."""
    mean = values.mean(axis=axis)
    apart = values - np.expand_dims(mean, axis)
    sums = ((apart**power).sum(axis=axis) for power in (2, 3, 4))
    return Moments(np.full(mean.shape, float(values.shape[axis])), mean, *sums)


def combined(blocks: Moments, axis: int = 0) -> Moments:
    """The moments of all observations of the blocks along `axis` together; blocks without any count for nothing."""

    def total(terms: Values) -> Values:
        return terms.sum(axis=axis)

    n = total(blocks.n)
    mean = _quotient(total(blocks.n * blocks.mean), n)
    d = blocks.mean - np.expand_dims(mean, axis)
    return Moments(
        n=n,
        mean=mean,
        m2=total(blocks.m2 + blocks.n * d**2),
        m3=total(blocks.m3 + 3.0 * d * blocks.m2 + blocks.n * d**3),
        m4=total(blocks.m4 + 4.0 * d * blocks.m3 + 6.0 * d**2 * blocks.m2 + blocks.n * d**4),
    )


def block_moments(sums: Sums, *, excess: bool) -> Moments:
    """The moments that `sums` hold, each (column, candidate): the S blocks and the rest."""
    prefix = "excess_" if excess else ""
    rows = [ROWS.index("n"), *(ROWS.index(prefix + name) for name in POWERS)]
    return Moments(*(np.ascontiguousarray(sums[:, row].T) for row in rows))


def _quotient(above: Values, below: Values) -> Values:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0.0, above / below, np.nan)
