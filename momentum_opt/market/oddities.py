"""Find what the closes of a run should be looked at for: jumps, and tokens with the same closes (SPEC §2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int64

from momentum_opt.market.audit import JUMP

ALIKE: Final = 0.99
"""Share of equal closes from which two tokens count as having the same."""

_ROWS: Final = 1 << 16
"""Rows that are looked at together, which is how much memory this takes."""

_STRIDE: Final = 997


@dataclass(frozen=True, slots=True)
class Oddities:
    """What is odd about a token's closes on the grid.

    Attributes:
        jumps: changes of more than `JUMP` from one bar to the next.
        largest: the largest change among them, relative and with its sign; 0 without any.
        at_ms: time of the bar that it ends with, UTC ms; 0 without any.
        same_closes: other tokens with the same closes in at least `ALIKE` of the bars.
    """

    jumps: int = 0
    largest: float = 0.0
    at_ms: int = 0
    same_closes: tuple[str, ...] = ()


def find_oddities(
    tokens: Sequence[str], prices: Float[np.ndarray, "time asset"], times_ms: Int64[np.ndarray, "time"]
) -> tuple[Oddities, ...]:
    """Look through closes on one grid, token by token."""
    found = [_jumps(prices[:, asset], times_ms) for asset in range(len(tokens))]
    pairs = [
        (one, other)
        for one in range(len(tokens))
        for other in range(one + 1, len(tokens))
        if _alike(prices[:, one], prices[:, other])
    ]
    same = [{sum(pair) - asset for pair in pairs if asset in pair} for asset in range(len(tokens))]
    return tuple(
        Oddities(*one, tuple(tokens[other] for other in sorted(others)))
        for one, others in zip(found, same, strict=True)
    )


def _jumps(closes: Float[np.ndarray, "time"], times_ms: Int64[np.ndarray, "time"]) -> tuple[int, float, int]:
    """Number of jumps, the largest of them, and its time."""
    count, largest, at = 0, 0.0, 0
    for begin in range(0, len(closes), _ROWS):
        part = closes[begin : begin + _ROWS + 1]  # one row of the next part, which joins the two
        change = part[1:] / part[:-1] - 1.0
        if not len(change) or (change.max() <= JUMP and change.min() >= -JUMP):
            continue
        size = np.abs(change)
        count += int((size > JUMP).sum())
        place = int(size.argmax())
        if size[place] > abs(largest):
            largest, at = float(change[place]), int(times_ms[begin + 1 + place])
    return count, largest, at


def _alike(one: Float[np.ndarray, "time"], other: Float[np.ndarray, "time"]) -> bool:
    """Whether nearly all closes are equal; most pairs are told apart by a few of them."""
    few = one[::_STRIDE] == other[::_STRIDE]
    return bool(few.mean() > 0.5) and bool((one == other).mean() >= ALIKE)
