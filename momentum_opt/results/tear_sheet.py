"""Compute the tear sheet of a pool from its values day by day: what a fund's report shows, as DataFrames.

All returns are of the pool tokens of the start; a day is one of UTC, and its return is that from its start to the next
one's. Ratios read daily log returns and population deviations, annualised over 365 days, as the metrics of the same
names do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from momentum_opt.results.files import write_whole
from momentum_opt.units import DAYS_PER_YEAR

Values = NDArray[np.float64]
Span = tuple[pd.Timestamp, pd.Timestamp]

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WHOLE: Final = "all"
"""Column of the statistics of all days together."""
TAIL: Final = 0.05
"""Share of the days that a value at risk leaves below itself."""
FOLDER: Final = "tear_sheet"
"""Where the CSV files lie beside a summary.json."""

_WINDOWS: Final = (90, 30)
"""Days of the rolling figures: the longest that fits into the days twice."""
_MOST_BINS: Final = 60
_STILL: Final = 1e-12
"""A deviation below which nothing varies."""
_DAY: Final = pd.Timedelta(days=1)


@dataclass(frozen=True)
class TearSheet:
    """The tables of a tear sheet; all shares are fractions, all money is in the numeraire.

    Attributes:
        monthly: year → `Jan` to `Dec` and `total`: compounded returns, NaN where the days hold none of a month.
        statistics: name → one column per period and `all`: `days`, `sharpe`, `volatility`, `information_ratio`,
            `tracking_error`, `alpha`, `beta` and `correlation` against the constant-weight pool, `var_95` and `cvar_95`
            of daily returns, `best_day`, `worst_day`, `positive_days`.
        rolling: time → `sharpe`, `volatility`, `constant_weight_sharpe`, `constant_weight_volatility` of the `window`
            days before; empty where there are too few.
        drawdowns: deepest first: `start` (the day of the high), `trough`, `recovery` (NaT where there is none yet),
            `depth` (negative), `days` from the high to the recovery or the last day.
        histogram: `low`, `high`, `count` of the daily returns.
        flows: time → since the start: `turnover` (half the sum of the weights' changes), `volume`, `fees_earned` by
            liquidity providers; those that are known.
        decomposition: time → log return since the start, `total` = `hodl` + `weights` − `lvr`, and `fees` over the
            value; empty where it is not known.
        window: days of the rolling figures.
    """

    monthly: pd.DataFrame
    statistics: pd.DataFrame
    rolling: pd.DataFrame
    drawdowns: pd.DataFrame
    histogram: pd.DataFrame
    flows: pd.DataFrame
    decomposition: pd.DataFrame
    window: int

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Name → table, as they are written."""
        names = [one.name for one in fields(self)]
        return {name: table for name in names if isinstance(table := getattr(self, name), pd.DataFrame)}


def tear_sheet(daily: pd.DataFrame, periods: Mapping[str, Span] | None = None) -> TearSheet:
    """The tear sheet of a daily.parquet.

    Args:
        daily: its rows: `time` of every day's start and of the last bar, `value` (and `first_lp_value` where the supply
            changes), `constant_weight_value`, and what else there is.
        periods: name → first moment, and that after the last one; each with statistics of its own.

    Raises:
        ValueError: fewer than two rows.
    """
    if len(daily) < 2:
        raise ValueError(f"a tear sheet needs two days or more, but got {len(daily)}")
    time = pd.DatetimeIndex(daily["time"])
    own = pool_values(daily)
    whole = np.asarray((time - time[0]) % _DAY == pd.Timedelta(0))
    days = _Days(time[:-1], time, own, _column(daily, "constant_weight_value"), whole)
    return _sheet(days, periods or {}, _flows(daily, time), _decomposition(daily, time))


def joined_tear_sheet(days: pd.DataFrame) -> TearSheet:
    """The tear sheet of a walk-forward's joined days: of winners over the days that follow their tuning.

    Args:
        days: the rows of walk_forward.parquet: `time` of a day's start, `log_return`, `constant_weight_log_return`.

    Raises:
        ValueError: no rows.
    """
    if not len(days):
        raise ValueError("a tear sheet needs a day or more, but got 0")
    begins = pd.DatetimeIndex(days["time"])
    ends = pd.DatetimeIndex(begins[:1].append(begins + _DAY))
    own, constant = (
        np.exp(np.concatenate([[0.0], np.cumsum(_column(days, name))]))
        for name in ("log_return", "constant_weight_log_return")
    )
    none = pd.DataFrame(index=ends)
    return _sheet(_Days(begins, ends, own, constant, np.ones(len(ends), bool)), {}, none, none)


def pool_values(daily: pd.DataFrame) -> Values:
    """What the pool tokens of the start are worth, row by row: the pool's value where their number never changes."""
    return _column(daily, "first_lp_value" if "first_lp_value" in daily else "value")


def write_tear_sheet(sheet: TearSheet, folder: Path) -> None:
    """Write every table that has rows as a CSV file of its name, numbers in full.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in sheet.tables.items():
        if table.size:
            write_whole(folder / f"{name}.csv", table.to_csv(index=table.index.name is not None).encode())


@dataclass(frozen=True)
class _Days:
    """Values along time and the returns between them.

    Attributes:
        day: (return,) the day that each return belongs to.
        time: (row,) one more than returns.
        own: (row,) values of the pool.
        constant: (row,) those of the constant-weight pool.
        whole: (row,) whether a row is a day's start; the last bar is none.
    """

    day: pd.DatetimeIndex
    time: pd.DatetimeIndex
    own: Values
    constant: Values
    whole: NDArray[np.bool_]


def _sheet(days: _Days, periods: Mapping[str, Span], flows: pd.DataFrame, decomposition: pd.DataFrame) -> TearSheet:
    time = pd.DatetimeIndex(days.time[days.whole])
    own, constant = days.own[days.whole], days.constant[days.whole]
    columns = {WHOLE: _statistics(own, constant)}
    for name, (begin, end) in periods.items():
        inside = np.asarray((time >= begin) & (time < end))
        columns[name] = _statistics(own[inside], constant[inside])
    window = next((length for length in _WINDOWS if len(own) > 2 * length), 0)
    return TearSheet(
        monthly=_monthly(days.day, _returns(days.own)),
        statistics=pd.DataFrame(columns).rename_axis("figure"),
        rolling=_rolling(time, own, constant, window),
        drawdowns=drawdown_periods(days.time, days.own),
        histogram=_histogram(_returns(own)),
        flows=flows.rename_axis("time"),
        decomposition=decomposition.rename_axis("time"),
        window=window,
    )


def _monthly(day: pd.DatetimeIndex, returns: Values) -> pd.DataFrame:
    """Π (1 + r) − 1 over the returns of each calendar month and year."""
    growth = pd.Series(np.log1p(returns), index=day)
    year = growth.groupby(day.year).sum(min_count=1)
    month = growth.groupby([day.year, day.month]).sum(min_count=1).unstack()
    table = month.reindex(columns=range(1, len(MONTHS) + 1)).set_axis(list(MONTHS), axis=1)
    return table.assign(total=year).apply(np.expm1).rename_axis("year")


def _statistics(own: Values, constant: Values) -> dict[str, float]:
    """Figures of values at days' starts, against those of the constant-weight pool."""
    returns, other = _returns(own), _returns(constant)
    logs, excess = np.log1p(returns), np.log1p(returns) - np.log1p(other)
    beta, correlation = _regression(returns, other)
    return {
        "days": float(len(own)),
        "sharpe": float(_ratio(logs)),
        "volatility": float(_deviation(logs)),
        "information_ratio": float(_ratio(excess)),
        "tracking_error": float(_deviation(excess)),
        "alpha": float((1.0 + _mean(returns - beta * other)) ** DAYS_PER_YEAR - 1.0),
        "beta": beta,
        "correlation": correlation,
        "var_95": float(np.quantile(returns, TAIL)) if len(returns) else np.nan,
        "cvar_95": _mean(returns[returns <= np.quantile(returns, TAIL)]) if len(returns) else np.nan,
        "best_day": float(returns.max()) if len(returns) else np.nan,
        "worst_day": float(returns.min()) if len(returns) else np.nan,
        "positive_days": _mean((returns > 0).astype(np.float64)),
    }


def _regression(own: Values, other: Values) -> tuple[float, float]:
    """β = cov(r, b)/var(b) and the correlation of returns r with b; NaN where one does not vary."""
    if len(own) < 2:
        return np.nan, np.nan
    moved, around = own - own.mean(), other - other.mean()
    common, wide, deep = float(np.mean(moved * around)), float(np.std(own)), float(np.std(other))
    if not deep > _STILL:
        return np.nan, np.nan
    return common / deep**2, common / (wide * deep) if wide > _STILL else np.nan


def _rolling(time: pd.DatetimeIndex, own: Values, constant: Values, window: int) -> pd.DataFrame:
    """Sharpe ratio and volatility of the last `window` daily log returns up to each day's start."""
    if not window:
        return pd.DataFrame(index=time[:0]).rename_axis("time")
    columns: dict[str, Values] = {}
    for prefix, values in (("", own), ("constant_weight_", constant)):
        stretches = sliding_window_view(np.log1p(_returns(values)), window)
        columns[f"{prefix}sharpe"], columns[f"{prefix}volatility"] = _ratio(stretches), _deviation(stretches)
    return pd.DataFrame(columns, index=time[window:]).rename_axis("time")


def drawdown_periods(time: pd.DatetimeIndex, values: Values) -> pd.DataFrame:
    """Every fall from a high to the day on which it is reached again, deepest first.

    Args:
        time: (row,).
        values: (row,).
    """
    highs = np.fmax.accumulate(values)
    below = np.concatenate([[False], values < highs, [False]])
    firsts, ends = np.flatnonzero(below[1:] & ~below[:-1]), np.flatnonzero(~below[1:] & below[:-1])
    last = len(values) - 1
    rows: list[dict[str, Any]] = []
    for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
        trough = first + int(np.nanargmin(values[first:end]))
        high, recovered = time[first - 1], end <= last
        until = time[min(end, last)]
        rows.append(
            {
                "start": high,
                "trough": time[trough],
                "recovery": until if recovered else pd.NaT,
                "depth": float(values[trough] / highs[trough] - 1.0),
                "days": int((until - high) / _DAY),
            }
        )
    table = pd.DataFrame(rows, columns=["start", "trough", "recovery", "depth", "days"])
    return table.sort_values("depth", kind="stable", ignore_index=True)


def _histogram(returns: Values) -> pd.DataFrame:
    known = returns[np.isfinite(returns)]
    bins = min(_MOST_BINS, len(np.histogram_bin_edges(known, "auto")) - 1)
    counts, edges = np.histogram(known, bins)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": counts})


def _flows(daily: pd.DataFrame, time: pd.DatetimeIndex) -> pd.DataFrame:
    names = [name for name in ("turnover", "volume", "fees_earned") if name in daily]
    return pd.DataFrame({name: np.cumsum(_column(daily, name)) for name in names}, index=time)


def _decomposition(daily: pd.DataFrame, time: pd.DatetimeIndex) -> pd.DataFrame:
    """log(v/v₀) = log(h/h₀) + (log(b/b₀) − log(h/h₀)) − lvr, b being the same weights held on an exchange."""
    if not {"hodl_value", "rebalanced_value", "fees_earned"} <= set(daily):
        return pd.DataFrame(index=time)
    own = pool_values(daily)
    total, hodl, rebalanced = (
        np.log(values / values[0])
        for values in (own, *(_column(daily, f"{name}_value") for name in ("hodl", "rebalanced")))
    )
    fees = np.cumsum(_column(daily, "fees_earned") / _column(daily, "value"))
    columns = {"total": total, "hodl": hodl, "weights": rebalanced - hodl, "lvr": rebalanced - total, "fees": fees}
    return pd.DataFrame(columns, index=time)


def _returns(values: Values) -> Values:
    return values[1:] / values[:-1] - 1.0


def _mean(values: Values) -> float:
    return float(values.mean()) if len(values) else np.nan


def _deviation(steps: Values) -> Values:
    """√365 · std over the last axis."""
    if not steps.shape[-1]:
        return np.full(steps.shape[:-1], np.nan)
    return np.sqrt(DAYS_PER_YEAR) * steps.std(axis=-1)


def _ratio(steps: Values) -> Values:
    """√365 · mean/std over the last axis; NaN where nothing varies."""
    if not steps.shape[-1]:
        return np.full(steps.shape[:-1], np.nan)
    spread = steps.std(axis=-1)
    varies = spread > _STILL
    return np.sqrt(DAYS_PER_YEAR) * np.where(varies, steps.mean(axis=-1) / np.where(varies, spread, 1.0), np.nan)


def _column(table: pd.DataFrame, name: str) -> Values:
    """A column as floats, NaN where one is missing or infinite."""
    values = table[name].to_numpy(np.float64)
    return np.where(np.isfinite(values), values, np.nan)
