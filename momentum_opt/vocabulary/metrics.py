"""Names, units and one-line descriptions of the metrics (SPEC §10), and what each needs of a simulation.

The functions are attached to these names in `momentum_opt.metrics`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final, Literal

from momentum_opt.units import DAYS_PER_MONTH, DAYS_PER_WEEK


class Cadence(IntEnum):
    """How much of the value path a metric reads; each step includes the ones before it and costs more."""

    DAILY = 0
    """Values at whole days from the slice's start: v[::1440]."""
    LAST_MINUTE = 1
    """Also the value, and the prices, at the slice's last minute."""
    DAY_END = 2
    """Also the value at the last minute of every day."""
    MINUTE = 3
    """Every minute value."""


Direction = Literal["higher", "lower"]
"""Which values of a metric are better."""


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """What a user reads about a metric.

    Args:
        name: as written in configurations and tables.
        cadence: the part of the value path it needs.
        unit: `ratio` (1 = 100 %), `per year` (annualised ratio), `times per year`, or `none` (a pure number such as a
            Sharpe ratio).
        description: one line.
        direction: which values are better.
    """

    name: str
    cadence: Cadence
    unit: str
    description: str
    direction: Direction = "higher"

    @property
    def sign(self) -> int:
        """What a value is multiplied by so that higher is better: 1, or −1 where lower is."""
        return 1 if self.direction == "higher" else -1

    @property
    def for_comparison(self) -> bool:
        """Whether it is kept for comparison with quantammsim alone: the field reads other metrics."""
        return self.name == "greatest_draw_down" or any(part in self.name for part in _OF_QUANTAMMSIM)

    @property
    def is_annualised(self) -> bool:
        """Whether it says of a year what was measured over fewer or more days."""
        return self.unit.endswith("per year") or "annualised" in self.description


_OF_QUANTAMMSIM: Final = ("_var_", "_raroc", "_rovar")
"""Parts of names: percentiles of minute returns, or of returns between last values, and what is divided by them."""

FOR_COMPARISON: Final = "Kept for comparison with quantammsim"
"""Heading of those metrics."""

_COMPOUNDED: Final = ("annualised_returns", "raroc", "rovar", "sterling", "calmar")
"""Parts of the names of metrics that annualise by compounding."""

NOT_MEANINGFUL: Final = "not meaningful"

LARGEST_MEANINGFUL: Final = 1e6
"""From this size on a metric says nothing of a pool."""


def meaningless(name: str, value: float | None) -> str | None:
    """Why a figure is beyond what it could mean; None where it is not, or where there is none.

    Others than ratios and what is annualised by compounding mean what they say at any size.
    """
    if value is None or not LARGEST_MEANINGFUL <= abs(value) < float("inf"):
        return None
    if any(part in name for part in _COMPOUNDED):
        return "returns of a short time are compounded to a year"
    ratio = name in METRICS and METRICS[name].unit == "none"
    return "what it is divided by is almost zero" if ratio else None


def figure(name: str, value: float, form: str) -> str:
    """A metric's value in a number format, or that it is beyond what it could mean."""
    return NOT_MEANINGFUL if meaningless(name, value) else format(value, form)


FEWEST_OF_ANY: Final = 2
"""Days of the shortest slice that anything is measured on."""

_TWO_RETURNS: Final = 3
"""Blocks of a metric of the returns between them: of one return there is no deviation, and no percentile."""

_WEEK, _MONTH = DAYS_PER_WEEK, DAYS_PER_MONTH

_FEWEST_DAYS: Final[Mapping[str, int]] = MappingProxyType(
    {
        **dict.fromkeys(("daily_log_sharpe", "daily_sharpe", "sortino", "cvar_95", "sharpe"), _TWO_RETURNS),
        "information_ratio": _TWO_RETURNS,
        **dict.fromkeys(("daily_var_95%_trad", "daily_var_99%_trad", "daily_rovar_trad"), _TWO_RETURNS),
        **dict.fromkeys(("weekly_var_95%_trad", "weekly_var_99%_trad", "weekly_rovar_trad"), _TWO_RETURNS * _WEEK),
        "monthly_rovar_trad": _TWO_RETURNS * _MONTH,
        **dict.fromkeys(("weekly_var_95%", "weekly_var_99%", "weekly_raroc", "weekly_rovar"), _WEEK),
        "weekly_max_drawdown": _WEEK,
        **dict.fromkeys(("monthly_rovar", "ulcer", "sterling"), _MONTH),
    }
)


def fewest_days(name: str) -> int:
    """Days of the shortest slice on which the metric `name` is defined (SPEC §10)."""
    return max(FEWEST_OF_ANY, _FEWEST_DAYS.get(name, 0))


def fewest_bars_per_day(name: str) -> int:
    """Bars of a day that the metric `name` needs: two returns inside a day where it reads those of single days."""
    return _TWO_RETURNS if name in ("daily_var_95%", "daily_var_99%", "daily_raroc", "daily_rovar") else 1


NEVER_ABOVE_ZERO: Final = ("greatest_draw_down", "max_drawdown", "weekly_max_drawdown", "ulcer")
"""Metrics of losses, which are negative."""

NEVER_BELOW_ZERO: Final = ("weight_turnover", "volume", "fee_yield")
"""Metrics of what is traded and paid."""


def _table(*rows: tuple[str, Cadence, str, str] | tuple[str, Cadence, str, str, Direction]) -> Mapping[str, MetricInfo]:
    return MappingProxyType(
        {row[0]: MetricInfo(*row[:4], direction=row[4] if len(row) == 5 else "higher") for row in rows}
    )


_DAILY, _LAST, _DAY_END, _MINUTE = Cadence

METRICS: Final[Mapping[str, MetricInfo]] = _table(
    ("daily_log_sharpe", _DAILY, "none", "annualised Sharpe ratio of daily log returns"),
    ("information_ratio", _DAILY, "none", "annualised Sharpe ratio of daily log returns over constant weights'"),
    ("daily_sharpe", _DAILY, "none", "annualised Sharpe ratio of daily returns"),
    ("sortino", _DAILY, "none", "annualised mean daily return over the downside deviation of daily returns"),
    ("cvar_95", _DAILY, "ratio", "mean of the daily returns at or below their 5th percentile"),
    ("returns", _LAST, "ratio", "total return"),
    ("annualised_returns", _LAST, "per year", "total return, annualised"),
    ("returns_over_hodl", _LAST, "ratio", "total return over HODL from the period's start"),
    ("annualised_returns_over_hodl", _LAST, "per year", "return over HODL from the period's start, annualised"),
    ("returns_over_uniform_hodl", _LAST, "ratio", "total return over uniform HODL from the period's start"),
    (
        "annualised_returns_over_uniform_hodl",
        _LAST,
        "per year",
        "return over uniform HODL from the period's start, annualised",
    ),
    ("weight_turnover", _LAST, "times per year", "share of the pool that its weights move to other tokens", "lower"),
    ("daily_var_95%_trad", _DAY_END, "ratio", "5th percentile of returns between the last values of days"),
    ("daily_var_99%_trad", _DAY_END, "ratio", "1st percentile of returns between the last values of days"),
    ("weekly_var_95%_trad", _DAY_END, "ratio", "5th percentile of returns between the last values of weeks"),
    ("weekly_var_99%_trad", _DAY_END, "ratio", "1st percentile of returns between the last values of weeks"),
    ("daily_rovar_trad", _DAY_END, "none", "mean annualised daily return over daily_var_95%_trad"),
    ("weekly_rovar_trad", _DAY_END, "none", "mean annualised weekly return over weekly_var_95%_trad"),
    ("monthly_rovar_trad", _DAY_END, "none", "mean annualised 30-day return over the VaR of 30-day returns"),
    ("sharpe", _MINUTE, "none", "annualised Sharpe ratio of minute returns"),
    ("greatest_draw_down", _MINUTE, "ratio", "lowest value below the first one"),
    ("max_drawdown", _MINUTE, "ratio", "worst fall from a running maximum"),
    ("weekly_max_drawdown", _MINUTE, "ratio", "worst fall from a running maximum inside a week"),
    ("daily_var_95%", _MINUTE, "ratio", "mean over days of the 5th percentile of minute returns"),
    ("daily_var_99%", _MINUTE, "ratio", "mean over days of the 1st percentile of minute returns"),
    ("weekly_var_95%", _MINUTE, "ratio", "mean over weeks of the 5th percentile of minute returns"),
    ("weekly_var_99%", _MINUTE, "ratio", "mean over weeks of the 1st percentile of minute returns"),
    ("daily_raroc", _MINUTE, "none", "annualised return over the annualised daily_var_95%"),
    ("weekly_raroc", _MINUTE, "none", "annualised return over the annualised weekly_var_95%"),
    ("daily_rovar", _MINUTE, "none", "mean annualised daily return over daily_var_95%"),
    ("weekly_rovar", _MINUTE, "none", "mean annualised weekly return over weekly_var_95%"),
    ("monthly_rovar", _MINUTE, "none", "mean annualised 30-day return over the VaR of minute returns in 30 days"),
    ("ulcer", _MINUTE, "ratio", "mean over 30-day blocks of the root mean square drawdown"),
    ("sterling", _MINUTE, "none", "annualised return over the mean worst drawdown of 30-day blocks"),
    ("calmar", _MINUTE, "none", "annualised return over the worst drawdown"),
    ("volume", _MINUTE, "times per year", "value traded with the pool over its mean value", "lower"),
    ("fee_yield", _MINUTE, "per year", "fees that liquidity providers earn over the pool's mean value"),
    (
        "lvr",
        _MINUTE,
        "per year",
        "loss versus rebalancing: what holding its weights on an exchange gains more",
        "lower",
    ),
)

METRIC_CHOICES: Final = tuple(sorted(METRICS, key=lambda name: METRICS[name].for_comparison))
"""All names as a user is offered them: those kept for comparison last."""
