"""Weights between two updates (SPEC §14): weights and targets in, the stored line and the weights at a time out.

Weights and multipliers are stored with 9 decimals. The line does not stop at the target: it goes on until a token
reaches a rail, or until the next update. Times are seconds.
"""

from dataclasses import dataclass
from typing import Final

from momentum_opt.onchain.fixed_point import ONE, truncated
from momentum_opt.onchain.rule import Row

STORED_UNIT: Final = 10**9
"""Smallest stored step, in units of 1e-18: nine decimals."""

STORED_LIMIT: Final = 2**31
"""What a stored number must stay below, in units of nine decimals (int32)."""


@dataclass(frozen=True)
class Motion:
    """A line that the pool's weights follow.

    Attributes:
        weights: at `begin`, as stored.
        multipliers: change per second, as stored.
        begin: time of the update.
        stop: time from which the weights stand still; None where nothing moves anyway.
    """

    weights: Row
    multipliers: Row
    begin: int
    stop: int | None

    def at(self, time: int) -> Row:
        """Weights at a time that is not before the update."""
        passed = (time if self.stop is None else min(time, self.stop)) - self.begin
        return tuple(w + m * passed for w, m in zip(self.weights, self.multipliers, strict=True))


def resting(weights: Row, begin: int) -> Motion:
    """A pool that has been created and not updated yet."""
    return Motion(weights, (0,) * len(weights), begin, None)


def set_off(
    current: Row,
    target: Row,
    interval: int,
    floor: int,
    now: int,
    *,
    stored_unit: int = STORED_UNIT,
    stops: bool = True,
) -> Motion:
    """The line from `current` at `now` through `target` one interval later.

    Args:
        current: weights at the update.
        target: guarded weights.
        interval: updateInterval in seconds.
        floor: absolute guard rail.
        now: time of the update.
        stored_unit: 1 keeps all 18 decimals, to see what nine of them cost.
        stops: False lets the line pass the rails, to see what standing still there costs.
    """
    exact = tuple(truncated(u - w, interval) for u, w in zip(target, current, strict=True))
    seconds = _seconds_to_a_rail(current, exact, floor) if stops else None
    return Motion(
        weights=_stored(current, stored_unit),
        multipliers=_stored(exact, stored_unit),
        begin=now,
        stop=None if seconds is None else now + seconds,
    )


def _seconds_to_a_rail(weights: Row, multipliers: Row, floor: int) -> int | None:
    ceiling = ONE - (len(weights) - 1) * floor
    return min(
        (
            max(truncated((ceiling if multiplier > 0 else floor) - weight, multiplier), 0)  # past it: at once
            for weight, multiplier in zip(weights, multipliers, strict=True)
            if multiplier != 0
        ),
        default=None,
    )


def _stored(row: Row, unit: int) -> Row:
    return tuple(truncated(value, unit) * unit for value in row)
