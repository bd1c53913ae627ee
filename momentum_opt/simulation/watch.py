"""What a kernel watches of every bar (SPEC §10): the numbers a candidate carries through a day, as lines of Python."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple


class Watch(NamedTuple):
    """What is kept of every bar besides the state at day ends (static); every bar must be a step then."""

    extremes: bool = False
    """Lowest and highest value, worst fall."""
    moments: bool = False
    """Sums of the returns and of their squares."""
    flows: bool = False
    """Sum of the values, and the flows of `vocabulary.names.FLOWS` but the last."""
    shares: bool = False
    """Σ |Δ(R p/V)|."""

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the numbers that each candidate carries through a day, in order."""
        parts = (
            (any(self), ("value",)),
            (self.extremes, ("highest", "lowest", "fall")),
            (self.moments, ("returns", "squares")),
            (self.flows, ("total", "traded", "rebalanced", "fees")),
            (self.shares, ("shares",)),
        )
        return tuple(name for wanted, names in parts if wanted for name in names)


NOTHING: Final = Watch()

Row = Callable[[str], str]
"""From the name of a row to where it stands in a kernel's state."""


class Step(NamedTuple):
    """Expressions of one step from bar to bar; a kernel has `then` and `now`, the values before and after it."""

    now: str
    """Value after the step."""
    traded: str
    """Σ_i |ΔR_i| p_i."""
    gross: str
    """Σ_i w_i x_i, the growth of what holds the weights."""
    rebalanced: str
    """Σ_i |w′_i gross − w_i x_i|."""
    income: str
    """Fees that liquidity providers earn."""
    shares: str
    """Σ_i |Δ(R_i p_i/V)|."""


def begin_day(row: Row, watch: Watch) -> list[str]:
    """The watch at a day's first bar, of the value there; flows of the step to it are the day's before."""
    first: Mapping[str, str] = {
        "value": "value", "highest": "value", "lowest": "value", "total": "value", "rebalanced": "1.0",
    }  # fmt: skip
    return [f"{row(name)} = {first.get(name, '0.0')}" for name in watch.rows] or ["pass"]


def watch_lines(row: Row, watch: Watch, step: Step) -> list[str]:
    """One bar more."""
    if not watch.rows:
        return []
    at = {name: row(name) for name in watch.rows}
    lines = [f"then = {at['value']}", f"now = {step.now}", f"{at['value']} = now"]
    if watch.extremes:
        lines += [
            f"peak = choose(now > {at['highest']}, now, {at['highest']})",
            f"{at['highest']} = peak",
            f"{at['lowest']} = choose(now < {at['lowest']}, now, {at['lowest']})",
            "drop = (now - peak) / peak",
            f"{at['fall']} = choose(drop < {at['fall']}, drop, {at['fall']})",
        ]
    if watch.moments:
        lines += ["gain = now / then - 1.0", f"{at['returns']} += gain", f"{at['squares']} += gain * gain"]
    if watch.flows:
        lines += [
            f"{at['total']} += now",
            f"{at['traded']} += 0.5 * ({step.traded})",
            f"gross = {step.gross}",
            f"{at['rebalanced']} *= gross - exchange * ({step.rebalanced})",
            f"{at['fees']} += {step.income}",
        ]
    if watch.shares:
        lines += ["over_now, over_then = 1.0 / now, 1.0 / then", f"{at['shares']} += {step.shares}"]
    return lines
