"""What a run reads besides prices: costs that vary with time, outside trades, LP supply; rows by time, not yet bars."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from jaxtyping import Float64, Int64

VARYING_COSTS: Final = ("fees", "gas_cost", "arb_fees")
"""The costs that may be files."""

EXTERNAL: Final = (*VARYING_COSTS, "trades", "lp_supply")
"""All files of the `costs` section."""

Times = Int64[np.ndarray, "row"]
Values = Float64[np.ndarray, "row"]


@dataclass(frozen=True, eq=False)
class HeldSeries:
    """Numbers that hold from their time until the next one's.

    Args:
        unix: UTC ms of the bar in which each number begins to hold; not falling.
        value: the numbers.
    """

    unix: Times
    value: Values

    def at(self, times_ms: Int64[np.ndarray, "time"]) -> Float64[np.ndarray, "time"]:
        """The number that holds at each time; none may be earlier than the first row."""
        return self.value[self.unix.searchsorted(times_ms, side="right") - 1]


@dataclass(frozen=True, eq=False)
class Trades:
    """Exact-in swaps of outside traders, in the order in which they are done.

    Args:
        unix: UTC ms of the bar in which each happens; not falling.
        token_in: number of the token paid in, in the market's order.
        token_out: number of the token paid out.
        amount: tokens paid in.
    """

    unix: Times
    token_in: Times
    token_out: Times
    amount: Values


@dataclass(frozen=True)
class ExternalFile:
    """What one file gave to a run.

    Args:
        name: the key of the `costs` section that names it.
        path: the file.
        sha256: hex digest of the used rows: `unix` as little-endian int64, then each column, numbers as little-endian
            float64 and tokens as text lines.
        from_ms: time from which its rows are used, UTC ms.
        until_ms: end of the window, UTC ms, exclusive.
        rows: used rows.
        left_out: rows of a trades file that lie outside the window.
    """

    name: str
    path: Path
    sha256: str
    from_ms: int
    until_ms: int
    rows: int
    left_out: int


@dataclass(frozen=True, eq=False)
class External:
    """All of it; empty where a run names no such file.

    Args:
        costs: of `VARYING_COSTS`, those that vary.
        trades: outside swaps.
        lp_supply: pool tokens that there are.
        files: one per file.
    """

    costs: Mapping[str, HeldSeries] = field(default_factory=lambda: MappingProxyType({}))
    trades: Trades | None = None
    lp_supply: HeldSeries | None = None
    files: tuple[ExternalFile, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Which of `EXTERNAL` are there."""
        there = {"trades": self.trades, "lp_supply": self.lp_supply}
        return frozenset(self.costs) | {name for name, content in there.items() if content is not None}
