"""Finished trials in, one at a time; what a study asks of them after every batch out, kept up to date."""

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from momentum_opt.study.limits import INFEASIBLE, merit
from momentum_opt.study.trials import SCREEN, Leader, TrialRecord


@dataclass(frozen=True)
class Progress:
    """Where a study stands after a batch.

    Attributes:
        done: finished trials, all runs and workers of the study counted, of those that count.
        total: trials it is to have.
        failed: of the finished ones.
        best: the best trial so far; None while all have failed.
        new: trials finished since this run began.
        seconds: since this run began.
        what: is counted: `trials`, or `candidates` while the study screens.
    """

    done: int
    total: int
    failed: int
    best: TrialRecord | None
    new: int
    seconds: float
    what: str = "trials"


@dataclass(frozen=True)
class Outcome:
    """How a run of a study ended.

    Attributes:
        records: all finished trials, by number.
        stopped: `finished`, `timeout`, `early stopping` or `interrupted`.
        dropped: whether a batch was left unfinished, and may still be computed in the background.
    """

    records: tuple[TrialRecord, ...]
    stopped: str
    dropped: bool = False

    @property
    def sampled(self) -> tuple[TrialRecord, ...]:
        """Those that were asked of a sampler, without screened ones and neighbours."""
        return tuple(record for record in self.records if record.counts)


class Ledger:
    """The finished trials of a study; what a batch costs here does not grow with the trials before it."""

    def __init__(self) -> None:
        self.failed = 0
        self.screened = 0
        self._records: list[TrialRecord] = []
        self._leader = Leader()
        self._tops: list[float] = []  # the best merit of records 0 … i
        self._counting: list[int] = []  # places of the records that count

    def add(self, record: TrialRecord) -> None:
        """Take in one more finished trial."""
        self.failed += record.failed
        self.screened += record.source == SCREEN
        self._leader.add(record)
        if self._records and record.number < self._records[-1].number:  # another program finished it late
            insort(self._records, record, key=lambda one: one.number)
            self._tops = list(accumulate(map(_merit, self._records), max))
            self._counting = [place for place, one in enumerate(self._records) if one.counts]
            return
        if record.counts:
            self._counting.append(len(self._records))
        self._records.append(record)
        self._tops.append(max([*self._tops[-1:], _merit(record)]))

    @property
    def records(self) -> Sequence[TrialRecord]:
        """All trials, by number."""
        return self._records

    @property
    def sampled(self) -> int:
        """How many of them count towards the number of trials: all but screened ones and neighbours."""
        return len(self._counting)

    @property
    def best(self) -> TrialRecord | None:
        """The winner, as `best_record` picks it."""
        return self._leader.best

    def has_stalled(self, patience: int, min_improvement: float) -> bool:
        """Whether the best objective has not risen by min_improvement · |best| within the last `patience` trials.

        The (first) objective counts, of trials that keep the limits; while none does, any smaller violation is a rise,
        and so is the first trial that does. Screened candidates come before all other trials and are never among the
        last; neighbours of a winner that entered since then are a rise like any other. Never true before there are
        `patience` trials, and a complete one among the earlier ones.
        """
        if self.sampled < patience or (first := self._counting[-patience]) == 0:
            return False
        best = self._tops[first - 1]
        if best == -math.inf:
            return False
        after = max(map(_merit, self._records[first:]))
        share = min_improvement if best > -INFEASIBLE else 0.0
        return not (after > best and after >= best + share * abs(best))


def _merit(record: TrialRecord) -> float:
    return -math.inf if record.failed else merit(record.objectives[0], record.violation)
