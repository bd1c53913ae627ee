"""Every metric of SPEC §10 in plain numpy: minute values in, a dict name → number out (not finite where undefined)."""

import warnings

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def blocks_of(values: Floats, size: int) -> Floats:
    """Consecutive complete blocks (block, size) from the start; the rest is dropped."""
    return values[: len(values) // size * size].reshape(-1, size)


def returns_of(values: Floats) -> Floats:
    """Simple returns along the last axis."""
    return values[..., 1:] / values[..., :-1] - 1.0


def drawdowns_of(values: Floats) -> Floats:
    """(v − running max)/running max along the last axis."""
    top = np.maximum.accumulate(values, axis=-1)
    return (values - top) / top


def percentile(values: Floats, percent: float) -> float:
    """Percentile with linear interpolation; NaN of nothing."""
    return float(np.percentile(values, percent)) if values.size else float("nan")


def block_var(values: Floats, size: int, percent: float) -> float:
    """Mean over blocks of the percentile of the returns inside each block."""
    return float(np.mean([percentile(returns_of(block), percent) for block in blocks_of(values, size)]))


def block_var_trad(values: Floats, size: int, percent: float) -> float:
    """Percentile of the returns between the last values of consecutive blocks."""
    return percentile(returns_of(values[size - 1 :: size]), percent)


def over_deviation(mean: float, std: float, floor: float = 0.0) -> float:
    """mean/(std + floor); NaN where nothing varies but by rounding: no floor makes a number of it."""
    return float(mean / (std + floor)) if std > 1e-11 else float("nan")


def all_metrics(
    values: Floats, first_reserves: Floats, first_prices: Floats, last_prices: Floats, bars_per_day: int = 1440
) -> dict[str, float]:
    """All metrics of one slice.

    Args:
        values: (T,) value at every bar of the slice.
        first_reserves: (asset,) reserves at its first bar.
        first_prices: (asset,) prices at its first bar.
        last_prices: (asset,) prices at its last bar.
        bars_per_day: D, 1440 over the bar's minutes.
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of no block is NaN here
        return {
            **_total(values, first_reserves, first_prices, last_prices, bars_per_day),
            **_daily(values[::bars_per_day]),
            **_minute(values, bars_per_day),
            **_risk(values, bars_per_day),
        }


def flow_metrics(
    values: Floats,
    weights: Floats,
    reserves: Floats,
    prices: Floats,
    fees_lp: Floats,
    constant_weight: Floats,
    bars_per_day: int = 1440,
    exchange_cost: float = 0.0,
) -> dict[str, float]:
    """What a slice trades, earns and loses per year, and its information ratio.

    Args:
        values: (T,) value at every bar of the slice.
        weights: (T, asset) as the pool shows them.
        reserves: (T, asset).
        prices: (T, asset).
        fees_lp: (T,) what liquidity providers earned at each bar.
        constant_weight: (T,) value of the constant-weight pool.
        bars_per_day: D.
        exchange_cost: c, share of the value traded on the exchange.
    """
    steps, year = np.float64(len(values) - 1), 365 * bars_per_day
    moved = 0.5 * np.abs(np.diff(weights, axis=0)).sum()
    traded = 0.5 * (np.abs(np.diff(reserves, axis=0)) * prices[1:]).sum()
    drifted = weights[:-1] * prices[1:] / prices[:-1]
    gross = drifted.sum(axis=1)
    traded_back = np.abs(weights[1:] - drifted / gross[:, None]).sum(axis=1)
    rebalanced = values[0]
    for factor in gross * (1.0 - exchange_cost * traded_back):
        rebalanced *= factor
    own, baseline = (np.diff(np.log(series[::bars_per_day])) for series in (values, constant_weight))
    excess = own - baseline
    ratio = over_deviation(np.sqrt(365.0) * excess.mean(), excess.std()) if len(excess) >= 2 else float("nan")
    with np.errstate(all="ignore"):
        return {
            "information_ratio": ratio,
            "weight_turnover": float(moved * year / steps),
            "volume": float(traded / values.mean() * year / steps),
            "fee_yield": float(fees_lp.sum() / values.mean() * year / steps),
            "lvr": float(np.log(rebalanced / values[-1]) * year / steps),
        }


def _total(values: Floats, reserves: Floats, first: Floats, last: Floats, D: int) -> dict[str, float]:
    v_0, v_end = values[0], values[-1]
    ratios = {
        "returns": v_end / v_0,
        "returns_over_hodl": v_end / (reserves * last).sum(),
        "returns_over_uniform_hodl": v_end / (v_0 / (len(first) * first) * last).sum(),
    }
    years = np.float64(365 * D) / (len(values) - 1)
    plain = {name: float(ratio - 1.0) for name, ratio in ratios.items()}
    return plain | {f"annualised_{name}": float(ratio**years - 1.0) for name, ratio in ratios.items()}


def _daily(values: Floats) -> dict[str, float]:
    r = returns_of(values)
    logs = np.diff(np.log(values + 1e-12))
    year = np.sqrt(365.0)
    if len(r) < 2:  # a metric of daily returns needs two of them
        return dict.fromkeys(("daily_sharpe", "daily_log_sharpe", "sortino", "cvar_95"), float("nan"))
    return {
        "daily_sharpe": over_deviation(year * r.mean(), r.std()),
        "daily_log_sharpe": over_deviation(year * logs.mean(), logs.std(), 1e-8),
        "sortino": float(year * r.mean() / np.sqrt((np.minimum(r, 0.0) ** 2).mean())),
        "cvar_95": float(r[r <= percentile(r, 5)].mean()),
    }


def _minute(values: Floats, D: int) -> dict[str, float]:
    r = returns_of(values)
    weekly = drawdowns_of(blocks_of(values, 7 * D))
    monthly = drawdowns_of(blocks_of(values, 30 * D))
    annual = (values[-1] / values[0]) ** (365 * D / len(values)) - 1.0
    worst = drawdowns_of(values).min()
    return {
        "sharpe": over_deviation(np.sqrt(365.0 * D) * r.mean(), r.std()),
        "greatest_draw_down": float((values - values[0]).min() / values[0]),
        "max_drawdown": float(worst),
        "weekly_max_drawdown": float(weekly.min()) if weekly.size else float("nan"),
        "ulcer": float(-np.sqrt((monthly**2).mean(axis=1)).mean()),
        "sterling": float(annual / -monthly.min(axis=1).mean()) if monthly.size else float("nan"),
        "calmar": float(annual / -worst),
    }


def _risk(values: Floats, D: int) -> dict[str, float]:
    A = 365 * D / len(values)
    annual = (values[-1] / values[0]) ** A - 1.0
    out: dict[str, float] = {}
    for name, size in (("daily", D), ("weekly", 7 * D), ("monthly", 30 * D)):
        root = np.sqrt(A * D / size)
        blocks = blocks_of(values, size)
        gains = (blocks[:, -1] / blocks[:, 0]) ** (365 * D / size) - 1.0
        for suffix, measure in (("", block_var), ("_trad", block_var_trad)):
            var_95 = np.float64(measure(values, size, 5))
            out[f"{name}_rovar{suffix}"] = float(-(gains / (var_95 * root)).mean())
            if name != "monthly":
                out[f"{name}_var_95%{suffix}"] = float(var_95)
                out[f"{name}_var_99%{suffix}"] = measure(values, size, 1)
            if name != "monthly" and not suffix:
                out[f"{name}_raroc"] = float(-annual / (var_95 * root))
    return out
