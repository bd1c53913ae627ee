"""Whether a search has converged (SPEC §12): objectives in the order of the trials in; figures and a verdict out.

The gain of a trial is its objective less that of the constant-weight pool; G(n) is the largest gain once n trials have
finished, and 0 where none is above it. Trials that were not asked of the sampler (screened ones, neighbours of a
winner) are no trials of n, and their gain counts from where they stand.

The search counts as converged where the last quarter of the trials added at most 1 % of the whole gain, at least two
ways have led to within 1 % of the best, and no number of the winner lies at an end of its range. Two ways, because the
record of a poor search stands still as well: that of n random points stays for the last quarter three times in four.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from momentum_opt.evidence.range_ends import RangeEnd, places_of
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import TrialRecord
from momentum_opt.units import counted

STILL: Final = 0.01
"""Share of the gain: what the last quarter may add, and how far from the best a trial still counts as having met it."""
AT_START: Final = 0.02
"""Of every range: an ascent that began this close to a trial that had met the best has not found it anew."""
FEWEST: Final = 4
"""Trials without which there is no quarter."""
WAYS: Final = 2
"""How often the best must have been met."""
SLOWEST: Final = 0.25
FASTEST: Final = 2.0
"""Least and largest exponent that the missing gain is taken to fall with."""
FEWEST_TIMES: Final = 1.25
MOST_TIMES: Final = 16
"""Times the present trials that are suggested at least, and at most."""

NEIGHBOURS_LEFT: Final = "points near the best may still score better"

_REMEDIES: Final = {
    "timeout": "raise search.timeout",
    "early stopping": "raise search.early_stopping.patience",
    "interrupted": "run the command again",
}

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Met:
    """How often the best was met.

    Attributes:
        count: times within 1 % of the gain of the best.
        of: chances there were.
        ascents: whether these are ascents of memetic; else trials of the last quarter.
    """

    count: int
    of: int
    ascents: bool

    @property
    def words(self) -> str:
        """In a clause."""
        what = "independent ascent" if self.ascents else "trial of the last quarter"
        plural = what if self.of == 1 else what.replace("ascent", "ascents").replace("trial", "trials")
        return f"{self.count:,} of {self.of:,} {plural} ended within 1 % of the best"


@dataclass(frozen=True)
class Convergence:
    """Whether a search has converged.

    Attributes:
        converged: None where it could not be measured.
        words: verdict, facts and remedies in a line.
        facts: what the verdict follows from, a clause each.
        remedies: what to do about it; none where it has converged.
        trials: n.
        baseline: objective of the constant-weight pool; None where it has none.
        gain: G(n); None where there is none.
        last_quarter: share of it that the last quarter of the trials added.
        met: how often the best was met.
        ends: numbers of the winner at an end of their range.
        suggested_trials: about how many it would take; None where more would not help or nothing is known of it.
    """

    converged: bool | None
    words: str
    facts: tuple[str, ...]
    remedies: tuple[str, ...]
    trials: int
    baseline: float | None
    gain: float | None
    last_quarter: float | None
    met: Met | None
    ends: tuple[RangeEnd, ...]
    suggested_trials: int | None


@dataclass(frozen=True)
class Search:
    """A search as it went, in the order of its trials.

    Attributes:
        objectives: (row,) −inf where a trial failed or breaks a limit.
        counts: (row,) whether it was asked of the sampler.
        batch: (row,) number of the batch that it was improved in; −1 where it was not improved.
        units: (row, number) places in the ranges, from 0 to 1.
        starts: (row, number) the same of where the improvement began; NaN where there was none.
    """

    objectives: Values
    counts: Flags
    batch: NDArray[np.int64]
    units: Values
    starts: Values


def search_of(records: Sequence[TrialRecord], space: SearchSpace) -> Search:
    """A study's trials as arrays."""
    keys = [*space.ranges]
    batches: dict[tuple[int, int], int] = {}
    improved = [record.points > 1 and record.counts and record.batch is not None for record in records]
    nowhere = dict.fromkeys(keys, math.nan)
    return Search(
        objectives=np.array(
            [-math.inf if record.failed or record.violation > 0 else record.objectives[0] for record in records],
            np.float64,
        ),
        counts=np.array([record.counts for record in records], np.bool_),
        batch=np.array(
            [
                batches.setdefault(record.batch, len(batches)) if own and record.batch is not None else -1
                for record, own in zip(records, improved, strict=True)
            ],
            np.int64,
        ),
        units=places_of([record.numbers for record in records], space),
        starts=places_of([record.start if record.start else nowhere for record in records], space),
    )


def gains(objectives: Values, counts: Flags, baseline: float) -> Values:
    """(n + 1,) G(0) … G(n)."""
    places = np.flatnonzero(counts)
    best = np.maximum.accumulate(np.concatenate([[-np.inf], objectives]))
    before = best[np.concatenate([places, [len(objectives)]])]
    return np.maximum(before - baseline, 0.0)


def last_quarter(gained: Values) -> float | None:
    """Share of the gain that the last quarter of the trials added; None below `FEWEST` trials, or without a gain."""
    n = len(gained) - 1
    if n < FEWEST or not gained[-1] > 0.0:
        return None
    return float((gained[-1] - gained[n - n // 4]) / gained[-1])


def trials_needed(gained: Values) -> int:
    """About how many trials it takes until the last quarter adds no more than `STILL`; of at least `FEWEST`.

    The gain that is missing after N trials is taken to fall as M (N/n)^(−a). Then every doubling adds 2^(−a) times what
    the one before has added, which gives a from the last two doublings, and M = (G(n) − G(n/2)) / (2^a − 1). What the
    last quarter adds, A at n, falls as (N/n)^(−a) too, so it is the share s of the gain once

        (N/n)^(−a) = s (G(n) + M) / (A + s M).

    `SLOWEST` and `FASTEST` bound a, `MOST_TIMES` the result.
    """
    n = len(gained) - 1
    added, before = gained[n] - gained[n // 2], gained[n // 2] - gained[n // 4]
    falls = math.log2(before / added) if added > 0.0 and before > 0.0 else SLOWEST
    exponent = min(max(falls, SLOWEST), FASTEST)
    missing = added / (2.0**exponent - 1.0)
    last = gained[n] - gained[n - n // 4]
    times = ((last + STILL * missing) / (STILL * (gained[n] + missing))) ** (1.0 / exponent)
    return _rounded_up(n * min(max(times, FEWEST_TIMES), MOST_TIMES))


def times_met(search: Search, baseline: float) -> Met:
    """How often the best was met: a trial of the sampler that came within 1 % of the gain of it.

    Of memetic the batches are counted, whose lanes share what they find: those that came that close, of all that did
    not begin at it, that is with no lane whose start lies within 2 % of every range of an earlier trial that had come
    that close. Of other samplers the distinct trials of the last quarter.
    """
    finite = np.isfinite(search.objectives)
    best = search.objectives[finite].max()
    close = finite & (search.objectives >= best - STILL * abs(best - baseline))
    batches = np.unique(search.batch[search.batch >= 0])
    if not batches.size:
        n = int(search.counts.sum())
        last = np.flatnonzero(search.counts)[n - n // 4 :]
        return Met(
            len(np.unique(search.units[last[close[last]]], axis=0)), len(np.unique(search.units[last], axis=0)), False
        )
    found = [_begun_anew(search, close, batch) for batch in batches]
    return Met(sum(one is True for one in found), sum(one is not None for one in found), True)


def _begun_anew(search: Search, close: Flags, batch: int) -> bool | None:
    """Whether a batch met the best; None where it began at it."""
    rows = np.flatnonzero(search.batch == batch)
    known = search.units[: rows[0]][close[: rows[0]]]
    for start in search.starts[rows]:
        if len(known) and (np.abs(known - start).max(axis=1) <= AT_START).any():
            return None
    return bool(close[rows].any())


def convergence(
    search: Search,
    baseline: float,
    ends: Sequence[RangeEnd],
    *,
    n_trials: int,
    stopped: str,
    several: bool = False,
    neighbours_left: bool = False,
) -> Convergence:
    """Measure a search and say whether it has converged.

    Args:
        search: of a study with a winner.
        baseline: objective of the constant-weight pool; not finite where it has none.
        ends: numbers of the winner at an end of their range.
        n_trials: how many trials the study is to have.
        stopped: how the search ended.
        several: whether there are several objectives, of which no gain can be told.
        neighbours_left: whether points near the winner may still beat it.
    """
    known = bool(np.isfinite(baseline))
    gained = gains(search.objectives, search.counts, baseline if known else math.nan)
    n = len(gained) - 1
    feasible = bool(np.isfinite(search.objectives).any())
    reason = _not_measured(gained, known=known, several=several, feasible=feasible)
    if reason is not None:
        left = (NEIGHBOURS_LEFT,) if neighbours_left else ()
        facts = (reason, *(end.words for end in ends), *left)
        words = f"not measured: {'; '.join(facts)}"
        return Convergence(None, words, facts, (), n, baseline if known else None, None, None, None, tuple(ends), None)
    share, met = last_quarter(gained), times_met(search, baseline)
    assert share is not None
    needed = trials_needed(gained) if share > STILL else 0
    if met.count < WAYS or neighbours_left:
        needed = max(needed, _rounded_up(2 * n))
    later = not search.counts[np.flatnonzero(search.counts)[n - n // 4] :].all()
    what = f"the last quarter of {counted(n, 'trial')}{' and points near its winner' if later else ''}"
    facts = [f"{what} added {_percent(share)} of the gain", met.words]
    facts += [end.words for end in ends]
    facts += [NEIGHBOURS_LEFT] if neighbours_left else []
    converged = not needed and not ends
    remedies = _more_trials(needed, n, n_trials, stopped) if needed else []
    remedies += [f"widen {key}" for key in dict.fromkeys(end.widen for end in ends)]
    words = f"{'' if converged else 'not '}converged: {'; '.join(facts)}"
    words = f"{words}; {', '.join(remedies)}" if remedies else words
    return Convergence(
        converged,
        words,
        tuple(facts),
        tuple(remedies),
        n,
        baseline,
        float(gained[-1]),
        share,
        met,
        tuple(ends),
        needed if needed else None,
    )


def _not_measured(gained: Values, *, known: bool, several: bool, feasible: bool) -> str | None:
    if not feasible:
        return "no trial keeps the limits"
    if several:
        return "several objectives have no single gain"
    if not known:
        return "the constant-weight pool has no objective to gain over"
    if len(gained) <= FEWEST:
        return f"{counted(len(gained) - 1, 'trial')} of the sampler, fewer than {FEWEST}"
    return None if gained[-1] > 0.0 else "no trial scores above the constant-weight pool"


def _more_trials(needed: int, n: int, n_trials: int, stopped: str) -> list[str]:
    if n >= n_trials or stopped not in _REMEDIES:
        return [f"raise search.n_trials to about {needed:,}"]
    first = f"{_REMEDIES[stopped]} ({n:,} of {counted(n_trials, 'trial')} finished)"
    return [first, *([f"raise search.n_trials to about {needed:,}"] if needed > n_trials else [])]


def _rounded_up(value: float) -> int:
    """To two digits."""
    unit = 10 ** max(0, int(math.log10(value)) - 1)
    return math.ceil(value / unit) * unit


def _percent(share: float) -> str:
    return "less than 0.1 %" if 0.0 < share < 0.001 else f"{100 * share:.3g} %"
