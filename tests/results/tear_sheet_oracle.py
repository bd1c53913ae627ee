"""Figures of empyrical-reloaded and quantstats for a series of days, written to tear_sheet_oracle.json.

Neither can be a dependency of the tests: one asks for a peewee that has no wheels, the other for half a desktop. In an
environment of its own: `pip install empyrical-reloaded quantstats`, then `python tests/results/tear_sheet_oracle.py`.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PATH = Path(__file__).with_suffix(".json")
DAYS, WINDOW = 500, 90


def days() -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray]:
    """The days, and returns of a pool and of what it is compared with: no generator that another version changes."""
    step = np.arange(1, DAYS + 1, dtype=np.float64)
    other = 0.0004 + 0.03 * np.sin(1.7 * step**2)
    own = 0.0007 + 0.8 * other + 0.015 * np.sin(2.3 * step**2 + 1.0)
    return pd.date_range("2022-11-15", periods=DAYS, tz="UTC"), own, other


def main() -> None:
    """Compute and write them."""
    import empyrical
    import quantstats

    index, own, other = days()
    returns, benchmark = pd.Series(own, index), pd.Series(other, index)
    logs, excess = np.log1p(returns), np.log1p(returns) - np.log1p(benchmark)
    alpha, beta = empyrical.alpha_beta(returns, benchmark, period="daily", annualization=365)
    plain = returns.tz_localize(None)
    falls = quantstats.stats.drawdown_details(quantstats.stats.to_drawdown_series(plain))
    found: dict[str, Any] = {
        "versions": {name: version(name) for name in ("empyrical-reloaded", "quantstats")},
        "monthly": [
            [year, month, value] for (year, month), value in empyrical.aggregate_returns(returns, "monthly").items()
        ],
        "yearly": [[year, value] for year, value in empyrical.aggregate_returns(returns, "yearly").items()],
        "sharpe": empyrical.sharpe_ratio(logs, annualization=365),
        "volatility": empyrical.annual_volatility(logs, annualization=365),
        "information_ratio": empyrical.sharpe_ratio(excess, annualization=365),
        "alpha": alpha,
        "beta": beta,
        "correlation": quantstats.stats.r_squared(plain, benchmark.tz_localize(None)) ** 0.5,
        "var_95": empyrical.value_at_risk(returns, 0.05),
        "rolling_sharpe": empyrical.roll_sharpe_ratio(logs, WINDOW, annualization=365).tolist(),
        "rolling_volatility": empyrical.roll_annual_volatility(logs, WINDOW, annualization=365).tolist(),
        "max_drawdown": empyrical.max_drawdown(returns),
        "drawdowns": [
            [str(row["start"])[:10], str(row["valley"])[:10], str(row["end"])[:10], float(row["max drawdown"])]
            for row in falls.to_dict("records")
        ],
    }
    PATH.write_text(json.dumps(found, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
