"""When a rehearsed pool is updated: the interval, a delay and missed updates in, times and what was missed out."""

from dataclasses import dataclass

import numpy as np

from momentum_opt.errors import UsageError


@dataclass(frozen=True)
class Keeper:
    """Who sends the updates, and how well.

    Attributes:
        delay: seconds that every update comes late.
        miss: probability that an update does not come at all.
        seed: of the misses.
    """

    delay: int = 0
    miss: float = 0.0
    seed: int = 0

    def check(self, update_interval: int) -> None:
        """Refuse a keeper that no pool can have.

        Raises:
            UsageError: a delay that is negative or not shorter than the interval, or a probability outside [0, 1).
        """
        problems: list[str] = []
        if not 0 <= self.delay < update_interval:
            problems.append(
                f"--delay: {self.delay} s does not lie from 0 to below the update interval, {update_interval} s; "
                "give a shorter one, such as 300s"
            )
        if not 0 <= self.miss < 1:
            problems.append(f"--miss: {self.miss:g} is no share from 0 to below 1; give for example 0.05")
        if problems:
            raise UsageError(problems)


@dataclass(frozen=True)
class Schedule:
    """Times of the updates.

    Attributes:
        times: seconds since 1970 (UTC) of the updates that come.
        missed: times at which one would have been due and does not come.
    """

    times: tuple[int, ...]
    missed: tuple[int, ...]


def schedule(first: int, interval: int, end: int, keeper: Keeper) -> Schedule:
    """The updates from `first` to before `end`, one per interval; those at or after `end` are left out."""
    due = range(first, end, interval)
    comes = np.random.default_rng(keeper.seed).random(len(due)) >= keeper.miss
    times = tuple(time + keeper.delay for time, there in zip(due, comes, strict=True) if there)
    missed = tuple(time for time, there in zip(due, comes, strict=True) if not there)
    return Schedule(tuple(time for time in times if time < end), missed)
