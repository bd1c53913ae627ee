"""The one table of metrics: a name of the vocabulary to the function that computes it."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Final

from momentum_opt.arrays import PerCandidate
from momentum_opt.errors import UsageError
from momentum_opt.metrics import drawdown, flows, growth, ratios, risk
from momentum_opt.metrics.path import MetricFunction, SlicePath
from momentum_opt.units import DAYS_PER_MONTH, DAYS_PER_WEEK
from momentum_opt.vocabulary.metrics import METRICS, Cadence

_WEEK, _MONTH = DAYS_PER_WEEK, DAYS_PER_MONTH

METRIC_FUNCTIONS: Final[Mapping[str, MetricFunction]] = MappingProxyType(
    {
        "daily_log_sharpe": ratios.daily_log_sharpe,
        "information_ratio": ratios.information_ratio,
        "daily_sharpe": ratios.daily_sharpe,
        "sortino": ratios.sortino,
        "cvar_95": risk.cvar_95,
        "returns": growth.total_return,
        "annualised_returns": growth.annualised_return,
        "returns_over_hodl": growth.total_return_over_hodl,
        "annualised_returns_over_hodl": growth.annualised_return_over_hodl,
        "returns_over_uniform_hodl": growth.total_return_over_uniform_hodl,
        "annualised_returns_over_uniform_hodl": growth.annualised_return_over_uniform_hodl,
        "weight_turnover": flows.weight_turnover,
        "daily_var_95%_trad": partial(risk.trad_var, days=1, percent=5.0),
        "daily_var_99%_trad": partial(risk.trad_var, days=1, percent=1.0),
        "weekly_var_95%_trad": partial(risk.trad_var, days=_WEEK, percent=5.0),
        "weekly_var_99%_trad": partial(risk.trad_var, days=_WEEK, percent=1.0),
        "daily_rovar_trad": partial(risk.trad_rovar, days=1),
        "weekly_rovar_trad": partial(risk.trad_rovar, days=_WEEK),
        "monthly_rovar_trad": partial(risk.trad_rovar, days=_MONTH),
        "sharpe": ratios.sharpe,
        "greatest_draw_down": drawdown.greatest_draw_down,
        "max_drawdown": drawdown.max_drawdown,
        "weekly_max_drawdown": drawdown.weekly_max_drawdown,
        "daily_var_95%": partial(risk.block_var, days=1, percent=5.0),
        "daily_var_99%": partial(risk.block_var, days=1, percent=1.0),
        "weekly_var_95%": partial(risk.block_var, days=_WEEK, percent=5.0),
        "weekly_var_99%": partial(risk.block_var, days=_WEEK, percent=1.0),
        "daily_raroc": partial(risk.raroc, days=1),
        "weekly_raroc": partial(risk.raroc, days=_WEEK),
        "daily_rovar": partial(risk.rovar, days=1),
        "weekly_rovar": partial(risk.rovar, days=_WEEK),
        "monthly_rovar": partial(risk.rovar, days=_MONTH),
        "ulcer": drawdown.ulcer,
        "sterling": drawdown.sterling,
        "calmar": drawdown.calmar,
        "volume": flows.volume,
        "fee_yield": flows.fee_yield,
        "lvr": flows.lvr,
    }
)


def cadence_of(names: Iterable[str]) -> Cadence:
    """The largest cadence that any of the metrics `names` needs; DAILY for none.

    Raises:
        UsageError: a name that is no metric.
    """
    return max((METRICS[_known(name)].cadence for name in names), default=Cadence.DAILY)


def evaluate(names: Sequence[str], path: SlicePath, bars_per_day: int) -> dict[str, PerCandidate]:
    """Each metric of `names` on one slice, unavailable ones as NaN or infinity.

    Args:
        names: of `vocabulary.metrics.METRICS`.
        path: the slice, at `cadence_of(names)` or above. Call it inside jit, where metrics share common steps.
        bars_per_day: D, 1440 for minute bars.

    Raises:
        UsageError: a name that is no metric.
        ValueError: the path lacks a part that one of the metrics reads.
    """
    return {name: METRIC_FUNCTIONS[_known(name)](path, bars_per_day) for name in names}


def _known(name: str) -> str:
    if name not in METRIC_FUNCTIONS:
        raise UsageError(f"`{name}` is no metric; choose one of {', '.join(METRIC_FUNCTIONS)}")
    return name
