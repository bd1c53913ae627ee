"""The periods of a run (SPEC §11): dates in, half-open ranges of whole days from start out."""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

Days = tuple[int, int]
"""(first day, last day exclusive), counted from start."""


@dataclass(frozen=True, slots=True)
class Periods:
    """Train, validation and test in days from start; validation may be empty, test None.

    Attributes:
        train: [0, train end).
        validation: the days after train; empty (first equals last) with a fraction of 0.
        test: the days after validation.
    """

    train: Days
    validation: Days
    test: Days | None

    @property
    def total_days(self) -> int:
        """Days from start to the end of the last period."""
        return self.test[1] if self.test else self.validation[1]

    def train_windows(self, windows: int) -> tuple[Days, ...]:
        """Train in `windows` slices, as even as whole days allow, earlier slices longer."""
        days, longer = divmod(self.train[1] - self.train[0], windows)
        edges = [self.train[0] + days * place + min(place, longer) for place in range(windows + 1)]
        return tuple(pairwise(edges))


def validation_days(days: int, fraction: float) -> int:
    """The last round(days · fraction) of `days`, half rounded to even."""
    return round(days * fraction)


def split_periods(start: date, end: date, test_end: date | None, validation_fraction: float) -> Periods:
    """The last days before `end` validate (`validation_days`); the rest train."""
    days = (end - start).days
    train_days = days - validation_days(days, validation_fraction)
    test = None if test_end is None else (days, (test_end - start).days)
    return Periods((0, train_days), (train_days, days), test)
